/**
 * The suite's client scenarios about authorization: directly with the SDK's client, and with a gateway in its place that calls
 * for two principals.
 * @module
 */
import { join } from 'node:path';
import type { Results } from '../harness/checks.ts';
import { compare, tally } from '../harness/compare.ts';
import { readRequirements } from '../harness/requirements.ts';
import { runSuite, SuiteTrouble } from '../harness/suite.ts';
import type { Revision } from '../pairings.ts';
import type { Row } from '../report.ts';
import { knownLoss, notInSdk } from './scenarios.ts';

export const AUTH_LEGS: readonly { id: string; revision: Revision }[] = (['2025-11-25', '2026-07-28'] as const).map(
  (revision) => ({ id: `auth-${revision.slice(0, 4)}`, revision }),
);

/** A scenario takes 2 to 8 s. */
const CAP_MS = 60_000;

export async function runAuthLeg({ id, revision }: { id: string; revision: Revision }, only?: string): Promise<Row> {
  const required = await readRequirements(revision, 'client');
  const chosen = (names: ReadonlySet<string>): string[] =>
    [...names].filter((name) => name.startsWith('auth/') && (only === undefined || name === only));
  const [scored, more] = [chosen(required.scored), chosen(required.notScored)];
  const run = async (script: string, skip: (name: string) => boolean): Promise<Results> => {
    const command = `"${process.execPath}" "${join(import.meta.dirname, script)}"`;
    const found: Record<string, Results[string]> = {};
    for (const scenario of [...scored, ...more]) {
      if (skip(scenario)) continue;
      const suite = { leg: 'client', revision, scenario, subject: ['--command', command], capMs: CAP_MS } as const;
      try {
        Object.assign(found, await runSuite({ ...suite, force: more.includes(scenario) }));
      } catch (error) {
        // A client that ends in an error has no results; that is one.
        if (!(error instanceof SuiteTrouble)) throw error;
      }
    }
    return found;
  };
  const before = await run('sdk-client.ts', (name) => notInSdk.has(name));
  const after = await run('client.ts', () => false);
  return {
    id,
    client: 'two principals, one of each era',
    upstream: `the suite's mock and issuer, ${revision}`,
    direct: tally(before, scored),
    through: tally(after, scored),
    directMore: tally(before, more),
    throughMore: tally(after, more),
    losses: compare(before, after, knownLoss),
  };
}
