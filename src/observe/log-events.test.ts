import { afterEach, describe, expect, it } from 'vitest';
import { SwitchboardError } from '../core/errors.ts';
import { CHANNELS } from './events.ts';
import { createLog } from './log.ts';
import { logEvents } from './log-events.ts';

let stop = (): void => {};
afterEach(() => stop());

function logging(level: string): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  const log = createLog(level, { to: { write: (line: string) => lines.push(JSON.parse(line)) } });
  stop = logEvents(log, 'one');
  return lines;
}

const finished = (instance: string, error?: unknown) =>
  CHANNELS.finished.publish({ instance, call: 7, method: 'ping', server: 's', durationMs: 1.23456, queueMs: 0, error });

describe('the log of events', () => {
  it('has a line for each request of its gateway at debug', () => {
    const lines = logging('debug');
    finished('one');
    finished('other');
    finished('one', new SwitchboardError('SWB_QUEUE_FULL', 'Busy.'));
    expect(lines).toMatchObject([
      { level: 'debug', call: 7, method: 'ping', server: 's', durationMs: 1.23, msg: 'A request was answered.' },
      { error: 'SWB_QUEUE_FULL', msg: 'A request failed.' },
    ]);
  });

  it('subscribes to nothing at other levels, and to nothing once it has ended', () => {
    expect(logging('info')).toEqual([]);
    expect(CHANNELS.finished.hasSubscribers).toBe(false);
    logging('debug');
    expect(CHANNELS.finished.hasSubscribers).toBe(true);
    stop();
    expect(CHANNELS.finished.hasSubscribers).toBe(false);
  });
});
