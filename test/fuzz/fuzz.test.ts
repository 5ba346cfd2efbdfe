/** Every fuzzer for half a second, with all its recorded inputs. `npm run fuzz` runs them for longer. */
import { afterAll, describe, expect, it } from 'vitest';
import { readCorpus } from './corpus.ts';
import { type Finding, runFuzzer } from './fuzzer.ts';
import { FUZZERS } from './fuzzers/index.ts';

const MS = 500;
/** Every run goes the same way. `npm run fuzz` goes new ones. */
const SEED = 1;

afterAll(async () => {
  for (const fuzzer of FUZZERS) await fuzzer.close?.();
});

describe.each(FUZZERS.map((fuzzer) => [fuzzer.name, fuzzer] as const))('the fuzzer %s', (name, fuzzer) => {
  it('finds nothing wrong, in recorded inputs and in new ones', async () => {
    const corpus = readCorpus(name);
    const { pool, finding } = await runFuzzer(fuzzer, { seed: SEED, ms: MS, corpus });
    expect(finding && shown(finding)).toBeUndefined();
    // It is no good when all inputs end alike.
    expect(pool.size).toBeGreaterThanOrEqual(fuzzer.behaviours);
  });
});

/** As a person can run it again: `npm run fuzz -- --only <name> --seed <seed>`, or with the input in the corpus. */
const shown = ({ input, error, seed, round }: Finding): string =>
  `seed ${seed}, round ${round}, input ${JSON.stringify(input)}\n${error instanceof Error ? error.stack : error}`;
