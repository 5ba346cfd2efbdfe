import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SwitchboardError } from '../../core/errors.ts';
import { LOCAL_IDENTITY } from '../../core/identity.ts';
import { type AgentRuns, AgentTurn } from './turn.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const AWAY = new SwitchboardError('SWB_STATE', 'The state is away.');
const ENDED = {
  ...{ id: 'run_1', status: 'completed', owner: { replica: 'there' } },
  result: { content: [], structuredContent: { status: 'completed', text: 'done' } },
};

/** Runs of another process whose records cannot be read so many times. */
function runsAway(times: number): AgentRuns {
  let left = times;
  const find = async () => {
    if (left-- > 0) throw AWAY;
    return ENDED;
  };
  return { live: () => undefined, find, asksOf: () => undefined, isClosed: false } as unknown as AgentRuns;
}

const turnOn = (runs: AgentRuns): AgentTurn =>
  new AgentTurn(runs, { principal: 'ada', identity: LOCAL_IDENTITY } as never, 'run_1');

describe('a turn whose run another process reads', () => {
  it('is followed to its end where the state is away for a moment', async () => {
    const next = turnOn(runsAway(5)).next();
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await next).toMatchObject({ type: 'ended', result: { text: 'done' } });
  });

  it('fails in the end where the state stays away', async () => {
    const next = expect(turnOn(runsAway(Number.POSITIVE_INFINITY)).next()).rejects.toBe(AWAY);
    await vi.advanceTimersByTimeAsync(60_000);
    await next;
  });

  it('ends for a reader that leaves while the state is away', async () => {
    const turn = turnOn(runsAway(Number.POSITIVE_INFINITY));
    const next = turn.next();
    await vi.advanceTimersByTimeAsync(1_500);
    turn.leave();
    expect(await next).toMatchObject({ type: 'failed', error: { code: 'SWB_CANCELLED' } });
  });
});
