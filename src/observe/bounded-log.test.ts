import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { recordingLog } from '../../adapters/testing/context.ts';
import { boundedLog } from './bounded-log.ts';

const BOUNDS = { lines: 3, debugLines: 5, windowMs: 1_000 };
const LEFT_OUT = 'Log lines of one kind were left out: there were too many.';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function bounded() {
  const to = recordingLog();
  return { to, ...boundedLog(to, BOUNDS) };
}

describe('a bounded log', () => {
  it('writes so many lines of one message about one principal, and then how many more there were', () => {
    const { log, to } = bounded();
    for (let i = 0; i < 1_000; i++) log.warn({ principal: 'greedy', i }, 'Refused.');
    log.warn({ principal: 'other' }, 'Refused.');
    log.warn({ principal: 'greedy' }, 'Something else.');
    expect(to.lines.map(({ message }) => message)).toEqual([...Array(4).fill('Refused.'), 'Something else.']);
    vi.advanceTimersByTime(BOUNDS.windowMs);
    expect(to.lines.slice(5)).toEqual([
      { level: 'warn', fields: { principal: 'greedy', lines: 997, of: 'Refused.' }, message: LEFT_OUT },
    ]);
    log.warn({ principal: 'greedy' }, 'Refused.');
    expect(to.lines).toHaveLength(7);
  });

  it('bounds lines about nobody by their message, and lines for debugging at a higher number', () => {
    const { log, to } = bounded();
    for (let i = 0; i < 10; i++) {
      log.error({ err: new Error('x') }, 'Failed.');
      log.debug({ principal: 'ci' }, 'A request failed.');
    }
    expect(to.lines.filter(({ level }) => level === 'error')).toHaveLength(BOUNDS.lines);
    expect(to.lines.filter(({ level }) => level === 'debug')).toHaveLength(BOUNDS.debugLines);
  });

  it('says at its end what it has left out since', () => {
    const { log, to, flush } = bounded();
    for (let i = 0; i < 4; i++) log.info({}, 'Again.');
    flush();
    flush();
    expect(to.lines.at(-1)).toEqual({ level: 'info', fields: { lines: 1, of: 'Again.' }, message: LEFT_OUT });
    expect(to.lines).toHaveLength(4);
  });
});
