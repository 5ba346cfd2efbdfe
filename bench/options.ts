/**
 * The command line of the bench.
 * @module
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const DEFAULT_ENTRY = fileURLToPath(new URL('../bin/switchboard.js', import.meta.url));

export interface Options {
  quick: boolean;
  /** Undefined: as many as the effort says. */
  rounds: number | undefined;
  /** Part of the name of what is run: a block such as `small/modern/C16`, `sustained`, `startup`, `sessions`, `mqtt`, `agents`, `observed`, `redis`, `replicas` or `policy/decision`. */
  only: string | undefined;
  /** File for everything that was measured. */
  json: string | undefined;
  /** Script of the gateway's command. */
  entry: string;
  profile: boolean;
  enforce: boolean;
  writeDocs: boolean;
}

export const HELP = `Measures direct, limit (b), limit (c) and the gateway, in turns. See docs/performance.md.

  node bench/run.ts [options]

  --quick         only what has a budget, fewer calls and rounds (about 4 min)
  --rounds N      rounds over all configurations (default 3, quick 2)
  --only NAME     what has NAME in its name: small, large/modern, list/legacy/C16, startup, sessions, sustained,
                  policy/first-look, policy/decision, mqtt, agents, observed, redis, replicas
  --entry FILE    the gateway's command (default bin/switchboard.js, which runs the sources; dist/src/cli/main.js is the built one)
  --json FILE     write every sample to FILE
  --enforce       exit with 1 when a budget is missed or could not be measured
  --write-docs    put the results into docs/performance.md
  --profile       no table: profile the gateway's CPU under the loads that have budgets
`;

/** Undefined when help was asked for. Throws with a sentence for what cannot be understood. */
export function parseOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'string' },
      entry: { type: 'string', default: DEFAULT_ENTRY },
      profile: { type: 'boolean', default: false },
      enforce: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    quick: values.quick,
    rounds: values.rounds === undefined ? undefined : roundCount(values.rounds),
    only: values.only,
    json: values.json,
    entry: resolve(values.entry),
    profile: values.profile,
    enforce: values.enforce,
    writeDocs: values['write-docs'],
  };
}

function roundCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 100) throw new Error(`--rounds takes 1 to 100, not '${text}'`);
  return count;
}
