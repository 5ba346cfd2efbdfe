import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue, type Waiting } from './fair-queue.ts';

interface Labelled extends Waiting {
  label: string;
}

/**
 * Enqueues one call per name of a caller, labelled with the name and how many of that caller's calls came before. The
 * principal is the name's part before a slash; each caller without one is a principal of its own.
 */
function fill(queue: FairQueue, callers: readonly string[]): Map<string, Waiting> {
  const calls = new Map<string, Waiting>();
  const counts = new Map<string, number>();
  for (const callerKey of callers) {
    const n = (counts.get(callerKey) ?? 0) + 1;
    counts.set(callerKey, n);
    const [principal = ''] = callerKey.split('/');
    const call: Labelled = { principal, callerKey, label: `${callerKey}${n}`, previous: undefined, next: undefined };
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

const PRINCIPALS = ['a', 'b', 'c'];
const CALLERS = PRINCIPALS.flatMap((principal) => [1, 2, 3].map((n) => `${principal}/${n}`));

/** How many of these calls wait per principal, or per caller. */
function countBy(calls: Iterable<Waiting>, key: 'principal' | 'callerKey'): Map<string, number> {
  const counts = new Map<string, number>();
  for (const call of calls) counts.set(call[key], (counts.get(call[key]) ?? 0) + 1);
  return counts;
}

describe('the fair queue among principals', () => {
  it('delays a principal’s first call by one turn of another one with hundreds of sessions', () => {
    const queue = new FairQueue();
    fill(queue, [...Array.from({ length: 250 }, (_, i) => `greedy/${i}-`), 'modest/1-']);
    expect(drain(queue).indexOf('modest/1-1')).toBe(1);
  });

  it('serves in turns of principals, then of a principal’s sessions, whatever comes, goes and leaves', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('enqueue' as const), caller: fc.constantFrom(...CALLERS) }),
      fc.record({ do: fc.constant('dequeue' as const) }),
      fc.record({ do: fc.constant('remove' as const), at: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new FairQueue();
        const waiting: Waiting[] = [];
        /** For each that waits: how often each other one was served meanwhile. */
        const served = new Map<string, Map<string, number>>();
        for (const now of steps) {
          if (now.do === 'enqueue') waiting.push(...fill(queue, [now.caller]).values());
          else if (now.do === 'remove') {
            const [call] = waiting.splice(now.at % Math.max(1, waiting.length), 1);
            if (call) expect(queue.remove(call)).toBe(true);
          } else {
            const before = [countBy(waiting, 'principal'), countBy(waiting, 'callerKey')] as const;
            const call = queue.dequeue();
            expect(call === undefined).toBe(waiting.length === 0);
            if (!call) continue;
            // The oldest one of its caller.
            expect(call).toBe(waiting.find(({ callerKey }) => callerKey === call.callerKey));
            waiting.splice(waiting.indexOf(call), 1);
            served.delete(call.principal);
            served.delete(call.callerKey);
            const bump = (name: string, by: string): void => {
              const turns = served.get(name) ?? new Map<string, number>();
              served.set(name, turns.set(by, (turns.get(by) ?? 0) + 1));
              expect(turns.get(by)).toBe(1);
            };
            for (const name of before[0].keys()) if (name !== call.principal) bump(name, call.principal);
            for (const name of before[1].keys()) {
              if (name !== call.callerKey && name.startsWith(`${call.principal}/`)) bump(name, call.callerKey);
            }
          }
          // Who has left the queue begins anew.
          const present = new Set([...waiting].flatMap(({ principal, callerKey }) => [principal, callerKey]));
          for (const name of served.keys()) if (!present.has(name)) served.delete(name);
          expect(queue.size).toBe(waiting.length);
        }
      }),
    );
  });

  it('gives places of a full queue to principals with fewer, then to sessions with fewer, and nobody loses a fair share', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...CALLERS), { maxLength: 120 }),
        fc.integer({ min: 0, max: 12 }),
        (calls, max) => {
          const queue = new FairQueue();
          const waiting = new Set<Waiting>();
          const asked = new Map<string, number>();
          for (const callerKey of calls) {
            const [principal = ''] = callerKey.split('/');
            asked.set(principal, (asked.get(principal) ?? 0) + 1);
            if (queue.size >= max) {
              const held = countBy(waiting, 'principal');
              const displaced = queue.displacedBy({ principal, callerKey });
              if (!displaced) {
                const most = Math.max(0, ...held.values());
                expect(most).toBeLessThanOrEqual((held.get(principal) ?? 0) + 1);
                continue;
              }
              if (displaced.principal !== principal) {
                expect(held.get(displaced.principal)).toBe(Math.max(...held.values()));
                expect(held.get(displaced.principal)).toBeGreaterThan((held.get(principal) ?? 0) + 1);
              }
              // The newest one of its caller.
              expect(displaced).toBe([...waiting].findLast((call) => call.callerKey === displaced.callerKey));
              expect(queue.remove(displaced)).toBe(true);
              waiting.delete(displaced);
            }
            for (const call of fill(queue, [callerKey]).values()) waiting.add(call);
            expect(queue.size).toBeLessThanOrEqual(max);
          }
          const held = countBy(waiting, 'principal');
          const share = Math.floor(max / PRINCIPALS.length);
          for (const [principal, wanted] of asked) {
            expect(held.get(principal) ?? 0).toBeGreaterThanOrEqual(Math.min(wanted, share));
          }
          expect(queue.size).toBe(Math.min(calls.length, max));
        },
      ),
    );
  });
});
