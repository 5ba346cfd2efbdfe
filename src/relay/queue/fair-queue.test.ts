import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from './fair-queue.ts';

const run = (): Promise<void> => Promise.resolve();

function drain(queue: FairQueue, labels: Map<unknown, string>): string[] {
  const order: string[] = [];
  for (let next = queue.dequeue(); next; next = queue.dequeue()) order.push(labels.get(next) as string);
  return order;
}

function fill(queue: FairQueue, calls: readonly string[]): Map<unknown, string> {
  const labels = new Map<unknown, string>();
  const counts = new Map<string, number>();
  for (const caller of calls) {
    const n = (counts.get(caller) ?? 0) + 1;
    counts.set(caller, n);
    const job = (): Promise<void> => run();
    labels.set(job, `${caller}${n}`);
    queue.enqueue(job, { caller, id: `${caller}${n}` });
  }
  return labels;
}

describe('the fair queue', () => {
  it('lets a caller with one call go before another one’s backlog', () => {
    const queue = new FairQueue();
    const labels = fill(queue, ['a', 'a', 'a', 'a', 'b']);
    expect(drain(queue, labels)).toEqual(['a1', 'b1', 'a2', 'a3', 'a4']);
  });

  it('never serves one caller twice while another waits, and keeps each caller’s order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 60 }), (calls) => {
        const queue = new FairQueue();
        const labels = fill(queue, calls);
        expect(queue.size).toBe(calls.length);
        const left = new Map<string, number>();
        for (const caller of calls) left.set(caller, (left.get(caller) ?? 0) + 1);
        const served = new Map<string, number>();
        const order = drain(queue, labels);
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

  it('takes out a call by id and forgets a caller whose last call left', () => {
    const queue = new FairQueue();
    const labels = fill(queue, ['a', 'b', 'b']);
    queue.remove('a1');
    queue.remove('nobody');
    expect(queue.size).toBe(2);
    expect(drain(queue, labels)).toEqual(['b1', 'b2']);
  });
});
