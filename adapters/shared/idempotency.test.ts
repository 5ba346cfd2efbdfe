import { expect, it } from 'vitest';
import type { AgentCallResult } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { MemoryValue } from '../../src/core/server-memory.ts';
import { fakeCall } from '../testing/call.ts';
import { fakeMemory } from '../testing/context.ts';
import { IdempotentRuns } from './idempotency.ts';

const params = (more = {}) => ({
  agent: 'a',
  messages: [{ role: 'user', content: 'hi' }],
  idempotencyKey: 'k',
  ...more,
});

function counting(outcome: () => Promise<AgentCallResult> | AgentCallResult) {
  const seen: Call[] = [];
  const run = async (call: Call): Promise<AgentCallResult> => {
    seen.push(call);
    call.left?.();
    return outcome();
  };
  return { run, seen };
}
const done: AgentCallResult = { status: 'completed', text: 'done' };

it('a repeated key is one run, while it runs and afterwards, in this process and in the next', async () => {
  const kept = new Map<string, MemoryValue>();
  const gate = Promise.withResolvers<AgentCallResult>();
  const { run, seen } = counting(() => gate.promise);
  const runs = new IdempotentRuns(fakeMemory(kept));
  const first = runs.call(params(), fakeCall(), run);
  const second = runs.call(params({ stream: true }), fakeCall(), run);
  gate.resolve(done);
  expect(await Promise.all([first, second])).toEqual([done, done]);
  expect(await runs.call(params(), fakeCall(), run)).toEqual(done);
  expect(await new IdempotentRuns(fakeMemory(kept)).call(params(), fakeCall(), run)).toEqual(done);
  expect(seen).toHaveLength(1);
});

it('a key belongs to its principal and agent, and to one call', async () => {
  const { run, seen } = counting(() => done);
  const runs = new IdempotentRuns(fakeMemory());
  await runs.call(params(), fakeCall(), run);
  await runs.call(params(), fakeCall({ caller: { principal: 'other' } }), run);
  await runs.call(params({ agent: 'b' }), fakeCall(), run);
  expect(seen).toHaveLength(3);
  await expect(runs.call(params({ messages: [] }), fakeCall(), run)).rejects.toThrow(/used for another call/);
  await expect(runs.call(params({ idempotencyKey: '' }), fakeCall(), run)).rejects.toThrow(/1 to 256 characters/);
});

it('a failure is kept once the run may exist; a call that never left may be made again', async () => {
  const kept = new Map<string, MemoryValue>();
  const failing = counting(() => {
    throw new SwitchboardError('SWB_AGENT_FAILED', 'It broke.');
  });
  const runs = new IdempotentRuns(fakeMemory(kept));
  await expect(runs.call(params(), fakeCall(), failing.run)).rejects.toThrow('It broke.');
  await expect(runs.call(params(), fakeCall(), failing.run)).rejects.toMatchObject({
    code: 'SWB_AGENT_FAILED',
    message: 'It broke.',
  });
  expect(failing.seen).toHaveLength(1);

  const away = async (): Promise<AgentCallResult> => {
    throw new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'It is away.');
  };
  const { run, seen } = counting(() => done);
  await expect(runs.call(params({ agent: 'c' }), fakeCall(), away)).rejects.toThrow('It is away.');
  expect(await runs.call(params({ agent: 'c' }), fakeCall(), run)).toEqual(done);
  expect(seen).toHaveLength(1);
});

it('a run of a process that is gone is not started again', async () => {
  const kept = new Map<string, MemoryValue>();
  const { run, seen } = counting(() => new Promise(() => {}));
  void new IdempotentRuns(fakeMemory(kept)).call(params(), fakeCall(), run);
  await expect.poll(() => seen.length).toBe(1);
  const again = new IdempotentRuns(fakeMemory(kept)).call(params(), fakeCall(), run);
  await expect(again).rejects.toThrow(/its outcome is not known/);
  expect(seen).toHaveLength(1);
});

it('a call that waits for the outcome of another ends when it is cancelled', async () => {
  const { run } = counting(() => new Promise(() => {}));
  const runs = new IdempotentRuns(fakeMemory());
  void runs.call(params(), fakeCall(), run);
  const waiting = fakeCall();
  const outcome = runs.call(params(), waiting, run);
  waiting.abort();
  await expect(outcome).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
});
