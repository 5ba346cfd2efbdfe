import { describe, expect, it } from 'vitest';
import { SwitchboardError } from '../../core/errors.ts';
import { RelayCall } from '../call.ts';
import { fakeCaller } from '../testing/fakes.ts';
import { type Slot, UpstreamQueue } from './upstream-queue.ts';

const callOf = (key: string, principal = 'local'): RelayCall =>
  new RelayCall(fakeCaller('modern', { key, principal }), { notify: () => {} }, undefined);

const queueOf = (limits: { concurrency?: number; maxQueue?: number; queueTimeoutMs?: number } = {}): UpstreamQueue =>
  new UpstreamQueue('files', { concurrency: 1, maxQueue: 2, queueTimeoutMs: 30_000, ...limits });

describe('the queue of an upstream', () => {
  it('grants a free place without a promise', () => {
    const queue = queueOf({ concurrency: 2 });
    const slots = [queue.acquire(callOf('a')), queue.acquire(callOf('a'))];
    for (const slot of slots) expect(slot).not.toBeInstanceOf(Promise);
    expect(queue).toMatchObject({ running: 2, waiting: 0 });
  });

  it('hands a released place to the next waiting call, and counts it once however often it is released', async () => {
    const queue = queueOf();
    const first = queue.acquire(callOf('a')) as Slot;
    const second = queue.acquire(callOf('b'));
    expect(queue).toMatchObject({ running: 1, waiting: 1 });
    first.release();
    first.release();
    (await second).release();
    expect(queue).toMatchObject({ running: 0, waiting: 0 });
  });

  it('refuses a call at once when as many wait as may, with a retry hint', () => {
    const queue = queueOf({ maxQueue: 0 });
    queue.acquire(callOf('a'));
    expect(() => queue.acquire(callOf('b'))).toThrow(
      expect.objectContaining({ code: 'SWB_QUEUE_FULL', retryAfterMs: expect.any(Number) }),
    );
  });

  it('refuses the newest call of the principal with most in a full queue, never the one of a principal without any', async () => {
    const queue = queueOf();
    const held = queue.acquire(callOf('a', 'greedy')) as Slot;
    const first = queue.acquire(callOf('a1', 'greedy'));
    const second = queue.acquire(callOf('a2', 'greedy'));
    const modest = queue.acquire(callOf('b', 'modest'));
    await expect(second).rejects.toMatchObject({ code: 'SWB_QUEUE_FULL', retryAfterMs: expect.any(Number) });
    expect(() => queue.acquire(callOf('a3', 'greedy'))).toThrow(expect.objectContaining({ code: 'SWB_QUEUE_FULL' }));
    expect(queue).toMatchObject({ running: 1, waiting: 2 });
    held.release();
    (await first).release();
    (await modest).release();
    expect(queue).toMatchObject({ running: 0, waiting: 0 });
  });

  it('keeps places free for others while one principal has half of them in long calls, and gives all to one alone', async () => {
    const queue = queueOf({ concurrency: 4, maxQueue: 100 });
    const alone = Array.from({ length: 4 }, () => queue.acquire(callOf('a', 'greedy')) as Slot);
    for (const slot of alone) expect(slot).not.toBeInstanceOf(Promise);
    for (const slot of alone) slot.release();
    (queue.acquire(callOf('b', 'modest')) as Slot).release();

    const long = [queue.acquire(callOf('a', 'greedy')) as Slot, queue.acquire(callOf('a', 'greedy')) as Slot];
    const waiting = Array.from({ length: 10 }, () => queue.acquire(callOf('a', 'greedy')));
    expect(queue).toMatchObject({ running: 2, waiting: 10 });
    const others = ['modest', 'third'].map((principal) => queue.acquire(callOf(principal, principal)) as Slot);
    for (const slot of others) expect(slot).not.toBeInstanceOf(Promise);
    const fourth = queue.acquire(callOf('d', 'fourth'));
    expect(fourth).toBeInstanceOf(Promise);
    // A place that an other one gives back is the next other one's, and not the greedy one's.
    others[0]?.release();
    (await fourth).release();
    expect(queue).toMatchObject({ running: 3, waiting: 10 });
    for (const slot of long) slot.release();
    for (const slot of waiting) (await slot).release();
    others[1]?.release();
    expect(queue).toMatchObject({ running: 0, waiting: 0 });
  });

  it('refuses a call that waited too long, which takes no place afterwards', async () => {
    const queue = queueOf({ queueTimeoutMs: 5 });
    const held = queue.acquire(callOf('a')) as Slot;
    await expect(queue.acquire(callOf('b'))).rejects.toMatchObject({ code: 'SWB_QUEUE_TIMEOUT' });
    held.release();
    expect(queue).toMatchObject({ running: 0, waiting: 0 });
  });

  it('lets a waiting call leave when it is aborted, with the reason of the abort', async () => {
    const queue = queueOf();
    const held = queue.acquire(callOf('a')) as Slot;
    const leaving = callOf('b');
    const aborted = queue.acquire(leaving);
    const staying = queue.acquire(callOf('c'));
    const reason = new SwitchboardError('SWB_CANCELLED', 'The client cancelled the call.');
    leaving.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    held.release();
    (await staying).release();
    expect(queue).toMatchObject({ running: 0, waiting: 0 });
  });

  it('refuses a call that was aborted before it came', async () => {
    const queue = queueOf();
    queue.acquire(callOf('a'));
    const late = callOf('b');
    const reason = new SwitchboardError('SWB_CANCELLED', 'The client cancelled the call.');
    late.abort(reason);
    await expect(queue.acquire(late)).rejects.toBe(reason);
    expect(queue.waiting).toBe(0);
  });
});
