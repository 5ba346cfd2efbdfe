/**
 * `npm run conformance`: the official suite directly and through the gateway, in all pairings of eras, and its client
 * scenarios against the gateway's upstream side. Compares check by check and ends with 1 when anything is lost that
 * `known-losses.ts` does not name, with 2 when the harness itself is in trouble.
 * @module
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AUTH_LEGS, runAuthLeg } from './auth/leg.ts';
import { CLIENT_SCENARIOS } from './client/scenarios.ts';
import type { Results } from './harness/checks.ts';
import { CLIENT_LEGS, type ClientLeg, runClientLeg, shortcomings } from './harness/client-leg.ts';
import { compare, tally } from './harness/compare.ts';
import { readRequirements } from './harness/requirements.ts';
import { runDirect, runThrough } from './harness/run-pairing.ts';
import { knownIn } from './known-losses.ts';
import { PAIRINGS, type Pairing } from './pairings.ts';
import { lossList, lostIn, type Row, table, writeReport } from './report.ts';

const DOCS = join(import.meta.dirname, '../../docs/conformance.md');

/** The whole run takes about two minutes on two cores. */
const CAP_MS = 25 * 60_000;

const ids = [...PAIRINGS, ...CLIENT_LEGS, ...AUTH_LEGS].map(({ id }) => id);

const HELP = `Usage: npm run conformance -- [options]

  --only PAIRING    pairings whose name contains this, e.g. 2026-modern, merged, client
  --scenario NAME   one scenario of the suite
  --json FILE       writes everything that was found
  --write-docs      puts the table into docs/conformance.md

Pairings: ${ids.join(', ')}`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    scenario: { type: 'string' },
    json: { type: 'string' },
    'write-docs': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

/** A whole name means that one alone, anything else all names that contain it. */
const isWanted = ({ id }: { id: string }): boolean =>
  values.only === undefined || (ids.includes(values.only) ? id === values.only : id.includes(values.only));

const directRuns = new Map<string, Promise<Results>>();

/** Each server is asked directly once per revision, whatever is compared with it. */
function direct({ baseline, revision }: Pairing): Promise<Results> {
  const key = `${baseline} ${revision}`;
  const known = directRuns.get(key);
  if (known) return known;
  const run = runDirect(baseline, revision, values.scenario);
  directRuns.set(key, run);
  return run;
}

/** The direct results without what the server behind the gateway does not offer. */
const comparable = (results: Results, { beyond }: Pairing): Results =>
  beyond ? Object.fromEntries(Object.entries(results).filter(([name]) => !beyond.test(name))) : results;

const chosen = (scenarios: ReadonlySet<string>): string[] =>
  [...scenarios].filter((name) => values.scenario === undefined || name === values.scenario);

async function runPairing(pairing: Pairing): Promise<Row> {
  const { revision } = pairing;
  const required = await readRequirements(revision, 'server');
  const scored = chosen(required.scored);
  const more = chosen(required.notScored).filter((name) => !pairing.beyond?.test(name));
  const before = comparable(await direct(pairing), pairing);
  const { results: after, log } = await runThrough(pairing, values.scenario);
  const losses = compare(before, after, knownIn(pairing));
  if (losses.some(({ known }) => known === undefined)) console.error(log);
  return {
    id: pairing.id,
    client: revision,
    upstream: `${pairing.upstream}${pairing.view === 'merged' ? ', with another' : ''}`,
    direct: tally(before, scored),
    through: tally(after, scored),
    directMore: tally(before, more),
    throughMore: tally(after, more),
    losses,
  };
}

async function runLeg(leg: ClientLeg): Promise<Row> {
  const required = await readRequirements(leg.revision, 'client');
  const scenarios = CLIENT_SCENARIOS[leg.revision].filter(
    (name) => values.scenario === undefined || name === values.scenario,
  );
  const results = await runClientLeg(leg, values.scenario);
  return {
    id: leg.id,
    client: `${leg.end} end client`,
    upstream: `the suite's mock, ${leg.revision}`,
    direct: undefined,
    through: tally(
      results,
      scenarios.filter((name) => required.scored.has(name)),
    ),
    directMore: undefined,
    throughMore: tally(
      results,
      scenarios.filter((name) => !required.scored.has(name)),
    ),
    losses: shortcomings(results, scenarios),
  };
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const pairings = PAIRINGS.filter(isWanted);
  const legs = CLIENT_LEGS.filter(isWanted);
  const authLegs = AUTH_LEGS.filter(isWanted);
  if (pairings.length + legs.length + authLegs.length === 0)
    throw new Error(`no pairing is called '${values.only}'\n\n${HELP}`);
  const rows: Row[] = [];
  const add = async (id: string, run: Promise<Row>): Promise<void> => {
    const started = performance.now();
    const row = await run;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${id}: ${row.through.passed}/${row.through.of} required, ${lostIn(row).length} lost (${seconds} s)`);
    rows.push(row);
  };
  for (const pairing of pairings) await add(pairing.id, runPairing(pairing));
  for (const leg of legs) await add(leg.id, runLeg(leg));
  const others = rows.splice(0);
  for (const leg of authLegs) await add(leg.id, runAuthLeg(leg, values.scenario));

  const reportOf = (of: readonly Row[]): string => `${table(of)}\n\n${lossList(of)}`.trim();
  const reports = { conformance: others, 'conformance-auth': [...rows] };
  rows.unshift(...others);
  console.log(`\n${reportOf(rows)}\n`);
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(rows, null, 2));
  for (const [place, of] of Object.entries(reports)) {
    if (values['write-docs'] && of.length > 0) await writeReport(DOCS, reportOf(of), place);
  }
  const lost = rows.reduce((sum, row) => sum + lostIn(row).length, 0);
  const sum = (of: (row: Row) => number): number => rows.reduce((total, row) => total + of(row), 0);
  console.log(
    `scenarios passed=${sum(({ through }) => through.passed)} of=${sum(({ through }) => through.of)} checks lost=${lost}`,
  );
  return lost === 0 ? 0 : 1;
}

setTimeout(() => {
  console.error(`The run did not end within ${CAP_MS / 60_000} minutes.`);
  process.exit(2);
}, CAP_MS).unref();

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(error.message);
    process.exit(2);
  },
);
