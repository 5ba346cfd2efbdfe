import { afterEach, describe, expect, it } from 'vitest';
import type { Caller } from '../core/caller.ts';
import { SwitchboardError } from '../core/errors.ts';
import { CHANNELS, type UpstreamEvent } from './events.ts';
import { createLog } from './log.ts';
import { logEvents, SERVER_NOT_CONNECTED } from './log-events.ts';

let stop = (): void => {};
afterEach(() => stop());

function logging(level: string): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  const log = createLog(level, { to: { write: (line: string) => lines.push(JSON.parse(line)) } });
  stop = logEvents(log, 'one');
  return lines;
}

const finished = (instance: string, error?: unknown) =>
  CHANNELS.finished.publish({
    instance,
    call: 7,
    principal: 'ci',
    caller: {} as Caller,
    method: 'ping',
    server: 's',
    about: 's',
    name: undefined,
    toolError: false,
    durationMs: 1.23456,
    queueMs: 0,
    error,
  });

describe('the log of events', () => {
  it('has a line for each request of its gateway at debug', () => {
    const lines = logging('debug');
    finished('one');
    finished('other');
    finished('one', new SwitchboardError('SWB_QUEUE_FULL', 'Busy.'));
    expect(lines).toMatchObject([
      {
        level: 'debug',
        call: 7,
        principal: 'ci',
        method: 'ping',
        server: 's',
        durationMs: 1.23,
        msg: 'A request was answered.',
      },
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

  it('says when a server goes away, with what is kept, and once why it cannot be connected', () => {
    const lines = logging('info');
    const state = (change: Partial<UpstreamEvent>): void =>
      CHANNELS.upstream.publish({
        ...{ instance: 'one', server: 's', kind: 'mcp', state: 'degraded', transport: undefined, era: undefined },
        ...{ error: 'refused', connected: false, keepsLists: false, retryMs: 800, ...change },
      });
    for (const error of ['refused', 'refused', 'no answer']) {
      state({ state: 'connecting', error: undefined });
      state({ error });
    }
    for (const keepsLists of [true, false]) {
      state({ state: 'ready', error: undefined, connected: true });
      state({ error: 'a slow ping', connected: true });
      state({ error: 'closed', keepsLists });
    }
    expect(lines.map(({ level, msg, reason }) => [level, msg, reason])).toEqual([
      ['warn', SERVER_NOT_CONNECTED, 'refused'],
      ['warn', SERVER_NOT_CONNECTED, 'refused'],
      ['warn', SERVER_NOT_CONNECTED, 'no answer'],
      ['info', 'A connected server has a problem.', 'a slow ping'],
      ['warn', 'A server went away; its last good catalog is kept.', 'closed'],
      ['info', 'A connected server has a problem.', 'a slow ping'],
      ['warn', 'A server went away.', 'closed'],
    ]);
    expect(lines[0]).toMatchObject({ server: 's', retryMs: 800 });
  });

  it('says what becomes of approvals, and who decided', () => {
    const lines = logging('info');
    const about = { server: 's', section: 'tools', name: 'pay', policy: 'p', rule: '/', principal: 'ci' };
    for (const state of ['pending', 'approved', 'spent', 'denied', 'expired']) {
      CHANNELS.approval.publish({ ...about, instance: 'one', approval: 'apr_1', state, by: 'ada' });
    }
    expect(lines.map(({ msg }) => msg)).toEqual([
      'A call waits for approval.',
      'An approval was given.',
      'An approval was denied.',
      'An approval has expired.',
    ]);
    expect(lines[1]).toMatchObject({ level: 'info', approval: 'apr_1', principal: 'ci', name: 'pay', by: 'ada' });
  });
});
