/**
 * Runs the fuzzers for longer than `npm test` does and records what they find: `npm run fuzz -- --minutes 10 [--only sse]
 * [--seed 1]`. A shrunk counter-example is printed with its seed and written to the corpus, and the run ends with 1.
 * @module
 */
import { parseArgs } from 'node:util';
import { readCorpus, record } from './corpus.ts';
import { runFuzzer } from './fuzzer.ts';
import { FUZZERS } from './fuzzers/index.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    only: { type: 'string' },
    seed: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
const seed = values.seed === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(values.seed);
const chosen = FUZZERS.filter(({ name }) => values.only === undefined || values.only.split(',').includes(name));
const usage = `Usage: npm run fuzz -- [--minutes 1] [--seed <integer>] [--only ${FUZZERS.map(({ name }) => name).join(',')}]
Each fuzzer runs for so many minutes, one after the other.`;
if (values.help) {
  console.log(usage);
  process.exit(0);
}
if (!(minutes > 0) || !Number.isInteger(seed) || chosen.length === 0) {
  console.error(usage);
  process.exit(2);
}

let found = 0;
for (const fuzzer of chosen) {
  const corpus = readCorpus(fuzzer.name);
  console.log(`${fuzzer.name}: ${minutes} min, seed ${seed}, ${corpus.length} recorded inputs`);
  let recorded = 0;
  const { runs, pool, finding } = await runFuzzer(fuzzer, {
    seed,
    ms: minutes * 60_000,
    corpus,
    onNew: (behaviour, input) => {
      if (record(fuzzer.name, behaviour, input)) recorded++;
    },
  });
  await fuzzer.close?.();
  console.log(`${fuzzer.name}: ${runs} inputs, ${pool.size} behaviours, ${recorded} recorded`);
  if (!finding) continue;
  found++;
  const { input, error, round } = finding;
  const file = record(fuzzer.name, JSON.stringify(input), input, true);
  console.log(`${fuzzer.name}: FOUND in round ${round} of seed ${seed}:\n${JSON.stringify(input)}`);
  console.log(error instanceof Error ? error.stack : error);
  if (file) console.log(`Written to ${file}`);
}
process.exit(found === 0 ? 0 : 1);
