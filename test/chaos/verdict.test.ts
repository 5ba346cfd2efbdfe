/** The verdict of a chaos run on memory. */
import { describe, expect, it } from 'vitest';
import { Ledger } from './ledger-server.ts';
import { MB, type MemorySample } from './memory.ts';
import { findings } from './verdict.ts';

const LEDGER = new Ledger();

const samples = (count: number, kept: (at: number) => number): MemorySample[] =>
  Array.from({ length: count }, (_, at) => ({ kept: kept(at) * MB, resident: 200 * MB }));

const verdict = (taken: MemorySample[], due: number, failed: number): [holds: boolean, detail: string] => {
  const found = findings([], LEDGER, { samples: taken, due, failed }, []).find(({ what }) => what.includes('keeps'));
  return [found?.holds ?? false, found?.detail ?? ''];
};

describe('the verdict on memory', () => {
  it.each([
    ['flat', samples(40, () => 50), 40, 0, true, /40 samples$/],
    ['flat, with samples that failed', samples(40, () => 50), 60, 20, true, /40 samples, 20 failed$/],
    ['growing', samples(40, (at) => 50 + at), 40, 0, false, /in the last/],
    ['of a short run', samples(3, () => 50), 3, 0, true, /^too short a run to tell: 3 samples$/],
    ['of a short run with a sample that failed', samples(3, () => 50), 4, 1, true, /^too short/],
    ['of a run that was never measured', [], 120, 120, false, /^not measured: 0 samples, 120 failed$/],
    ['of a run whose only sample did not end', [], 120, 0, false, /^not measured: 0 samples$/],
    ['of a run that was hardly measured', samples(15, () => 50), 120, 105, false, /^not measured: 15 samples, 105/],
  ])('%s', (_what, taken, due, failed, holds, detail) => {
    expect(verdict(taken, due, failed)).toEqual([holds, expect.stringMatching(detail)]);
  });
});
