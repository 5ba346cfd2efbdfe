import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CALENDAR, type CounterRow, SLIDING, type Window } from './windows.ts';

const WINDOW = 60_000;
const START = Date.UTC(2026, 10, 20, 12);

interface Step {
  by: 'ours' | 'other';
  afterMs: number;
  amount: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  by: fc.constantFrom('ours' as const, 'other' as const),
  afterMs: fc.integer({ min: 0, max: 3_000 }),
  amount: fc.integer({ min: 1, max: 5 }),
});

/** Runs the steps in two rows that begin as copies, merges them, and gives what counted of all steps at the end. */
function merge(window: Window, common: Step[], apart: Step[]): { merged: CounterRow; total: number } {
  let now = START;
  const base = window.create(WINDOW, now);
  const all: { at: number; amount: number }[] = [];
  const run = (row: CounterRow, { afterMs, amount }: Step): void => {
    now += afterMs;
    window.advance(row, WINDOW, now);
    window.add(row, WINDOW, amount, now);
    all.push({ at: now, amount });
  };
  for (const each of common) run(base, each);
  const [ours, other] = [[...base], [...base]];
  for (const each of apart) run(each.by === 'ours' ? ours : other, each);
  const merged = window.merged(other, ours, base, WINDOW);
  window.advance(merged, WINDOW, now);
  const start = window === CALENDAR ? Math.floor(now / WINDOW) * WINDOW : now - WINDOW + 1;
  const total = all.reduce((sum, { at, amount }) => (at >= start ? sum + amount : sum), 0);
  return { merged, total };
}

describe('a row that two processes counted in apart', () => {
  it.each([
    ['calendar', CALENDAR],
    // A slot counts until its last call has left the window: never shorter than its calls.
    ['sliding', SLIDING],
  ])('has what both counted, in a %s window, and is a row', (_name, window) => {
    const steps = fc.array(step, { maxLength: 60 });
    fc.assert(
      fc.property(steps, steps, (common, apart) => {
        const { merged, total } = merge(window, common, apart);
        if (merged.length > 0) expect(window.isRow(merged)).toBe(true);
        if (window === CALENDAR) expect(window.total(merged)).toBe(total);
        else expect(window.total(merged)).toBeGreaterThanOrEqual(total);
      }),
    );
  });

  it('loses what the one gave back, and begins anew where the other has none', () => {
    for (const window of [CALENDAR, SLIDING]) {
      const base = window.create(WINDOW, START);
      const ticket = window.add(base, WINDOW, 3, START);
      const ours = [...base];
      window.giveBack(ours, ticket, 3);
      const other = [...base];
      window.add(other, WINDOW, 1, START + 5_000);
      expect(window.total(window.merged(other, ours, base, WINDOW))).toBe(1);
      window.add(ours, WINDOW, 2, START + 10_000);
      expect(window.total(window.merged(undefined, ours, undefined, WINDOW))).toBe(2);
    }
  });
});
