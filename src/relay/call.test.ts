import { afterEach, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { RelayCall } from './call.ts';
import { UpstreamQueue } from './queue/upstream-queue.ts';
import { fakeCaller, fakeChannel } from './testing/fakes.ts';

const question = { method: 'elicitation/create' as const, params: { message: 'Sure?' } };
const yes: JsonObject = { action: 'accept' };

/** A call that runs in a queue of one place, and whose questions are answered by hand. */
async function running(limits = {}) {
  const queue = new UpstreamQueue('one', { concurrency: 1, maxQueue: 10, queueTimeoutMs: 10_000, ...limits });
  const newCall = () =>
    new RelayCall(fakeCaller('legacy', { capabilities: { elicitation: {} } }), fakeChannel(), undefined);
  const call = newCall();
  const asked: ((answer: JsonObject) => void)[] = [];
  call.asker = () => new Promise((resolve) => asked.push(resolve));
  call.queue = queue;
  call.slot = await queue.acquire(call);
  return { queue, call, asked, other: newCall() };
}

describe('the place of a call that asks', () => {
  it('is free while it asks, and taken once it goes on', async () => {
    const { queue, call, asked } = await running();
    const answer = call.ask(question);
    await expect.poll(() => queue.running).toBe(0);
    asked[0]?.(yes);
    expect(await answer).toEqual(yes);
    expect(queue.running).toBe(1);
    call.leave();
    await expect.poll(() => queue.running).toBe(0);
  });

  it('is never taken twice, when it asks again while it waits for its place', async () => {
    const { queue, call, asked, other } = await running();
    const first = call.ask(question);
    const held = await queue.acquire(other);
    asked[0]?.(yes);
    await expect.poll(() => queue.waiting).toBe(1);
    const second = call.ask(question);
    held.release();
    expect(await first).toEqual(yes);
    asked[1]?.(yes);
    expect(await second).toEqual(yes);
    expect(queue.running).toBe(1);
    call.leave();
    await expect.poll(() => [queue.running, queue.waiting]).toEqual([0, 0]);
  });

  it('is not needed for the response when there is none: the call runs already', async () => {
    const { queue, call, asked, other } = await running({ maxQueue: 0 });
    const answer = call.ask(question);
    await expect.poll(() => queue.running).toBe(0);
    const held = await queue.acquire(other);
    asked[0]?.(yes);
    expect(await answer).toEqual(yes);
    held.release();
    call.leave();
    await expect.poll(() => queue.running).toBe(0);
  });

  it('is not taken by a call that has ended meanwhile', async () => {
    const { queue, call, asked, other } = await running();
    const answer = call.ask(question);
    const held = await queue.acquire(other);
    asked[0]?.(yes);
    await expect.poll(() => queue.waiting).toBe(1);
    call.leave();
    held.release();
    expect(await answer).toEqual(yes);
    await expect.poll(() => queue.running).toBe(0);
  });
});

describe('the time limits of calls that are due together', () => {
  it('end each call, with every listener of it, although a listener throws', async () => {
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const reasons: string[] = [];
    const calls = Array.from({ length: 3 }, () => {
      const call = new RelayCall(fakeCaller('modern'), fakeChannel(), undefined);
      call.onAbort(() => {
        throw new Error('a bad listener');
      });
      call.onAbort(({ message }) => void reasons.push(message));
      call.startClock({ name: 'one', timeoutMs: 5, maxTimeoutMs: 5 });
      return call;
    });
    await expect.poll(() => calls.every(({ aborted }) => aborted)).toBe(true);
    expect(reasons).toEqual(Array(3).fill(expect.stringContaining("Server 'one' did not answer")));
    expect(warnings).toHaveBeenCalledTimes(3);
    warnings.mockRestore();
  });
});

describe('the time limit of a call', () => {
  afterEach(() => void vi.useRealTimers());

  const limits = { timeoutMs: 1_000, maxTimeoutMs: 1_500, name: 'one' };

  it('starts again with each sign of life, up to the ceiling, and tells the client nothing', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const channel = fakeChannel();
    const call = new RelayCall(fakeCaller('legacy'), channel, 1);
    expect(call.silenceMs).toBeUndefined();
    call.startClock(limits);
    expect(call.silenceMs).toBe(1_000);
    const first = call.dueAt as number;
    vi.advanceTimersByTime(5);
    call.alive();
    expect(call.dueAt).toBeCloseTo(first + 5, 3);
    vi.advanceTimersByTime(600);
    call.alive();
    expect(call.dueAt).toBeCloseTo(first + 500, 3);
    expect(channel.sent).toEqual([]);
    call.settle();
    call.alive();
    expect(call.dueAt).toBeUndefined();
  });
});
