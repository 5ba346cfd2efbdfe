import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue, type Waiting } from './fair-queue.ts';

interface Labelled extends Waiting {
  label: string;
}

/** Enqueues one call per name of a caller, labelled with the name and how many of that caller's calls came before. */
function fill(queue: FairQueue, callers: readonly string[]): Map<string, Waiting> {
  const calls = new Map<string, Waiting>();
  const counts = new Map<string, number>();
  for (const callerKey of callers) {
    const n = (counts.get(callerKey) ?? 0) + 1;
    counts.set(callerKey, n);
    const call: Labelled = { callerKey, label: `${callerKey}${n}`, previous: undefined, next: undefined };
    calls.set(call.label, call);
    queue.enqueue(call);
  }
  return calls;
}

function drain(queue: FairQueue): string[] {
  const order: string[] = [];
  for (let next = queue.dequeue(); next; next = queue.dequeue()) order.push((next as Labelled).label);
  return order;
}

describe('the fair queue', () => {
  it('lets a caller with one call go before another one’s backlog', () => {
    const queue = new FairQueue();
    fill(queue, ['a', 'a', 'a', 'a', 'b']);
    expect(drain(queue)).toEqual(['a1', 'b1', 'a2', 'a3', 'a4']);
  });

  it('never serves one caller twice while another waits, and keeps each caller’s order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 60 }), (calls) => {
        const queue = new FairQueue();
        fill(queue, calls);
        expect(queue.size).toBe(calls.length);
        const left = new Map<string, number>();
        for (const caller of calls) left.set(caller, (left.get(caller) ?? 0) + 1);
        const served = new Map<string, number>();
        const order = drain(queue);
        expect(order).toHaveLength(calls.length);
        for (const label of order) {
          const caller = label[0] as string;
          const n = (served.get(caller) ?? 0) + 1;
          expect(label).toBe(`${caller}${n}`);
          served.set(caller, n);
          left.set(caller, (left.get(caller) as number) - 1);
          for (const [other, waiting] of left) {
            if (waiting > 0) expect((served.get(other) ?? 0) + 1).toBeGreaterThanOrEqual(n);
          }
        }
      }),
    );
  });

  it('takes out a call that waits no longer, once, and its caller loses no later turn', () => {
    const queue = new FairQueue();
    const calls = fill(queue, ['a', 'b', 'b']);
    const first = calls.get('a1') as Waiting;
    expect(queue.remove(first)).toBe(true);
    expect(queue.remove(first)).toBe(false);
    expect(queue.size).toBe(2);
    fill(queue, ['a']);
    expect(drain(queue)).toEqual(['b1', 'a1', 'b2']);
  });

  it('keeps the turns of waiting callers when thousands of other callers have come and gone', () => {
    const queue = new FairQueue();
    fill(queue, ['a', 'a']);
    for (let i = 0; i < 5_000; i++) {
      const call = fill(queue, [`x${i}-`]).get(`x${i}-1`) as Waiting;
      expect(queue.remove(call)).toBe(true);
    }
    fill(queue, ['b']);
    expect(drain(queue)).toEqual(['a1', 'b1', 'a2']);
  });
});
