/**
 * The suite's client scenarios against the gateway's own upstream side.
 * @module
 */
import { join } from 'node:path';
import { CLIENT_SCENARIOS } from '../client/scenarios.ts';
import type { Revision } from '../pairings.ts';
import type { Results } from './checks.ts';
import type { Loss } from './compare.ts';
import { runSuite } from './suite.ts';

const CLIENT = join(import.meta.dirname, '../client.ts');

/** One scenario takes 1 to 3 s. */
const CAP_MS = 40_000;

export interface ClientLeg {
  id: string;
  /** What the mock server speaks. */
  revision: Revision;
  /** Whose era the end client is of. */
  end: 'legacy' | 'modern';
}

export const CLIENT_LEGS: readonly ClientLeg[] = (['2025-11-25', '2026-07-28'] as const).flatMap((revision) =>
  (['legacy', 'modern'] as const).map((end) => ({ id: `client-${revision.slice(0, 4)}-${end}-end`, revision, end })),
);

/** The scenarios run one after another: one of them measures how long the gateway waits. */
export async function runClientLeg({ revision, end }: ClientLeg, only?: string): Promise<Results> {
  const command = `"${process.execPath}" "${CLIENT}" --end ${end}`;
  const found: Record<string, Results[string]> = {};
  for (const scenario of CLIENT_SCENARIOS[revision]) {
    if (only !== undefined && scenario !== only) continue;
    const subject = ['--command', command] as const;
    Object.assign(found, await runSuite({ leg: 'client', revision, scenario, subject, capMs: CAP_MS }));
  }
  return found;
}

/** There is no direct run to compare with: everything the suite checks must succeed. */
export function shortcomings(results: Results, scenarios: readonly string[]): Loss[] {
  const losses: Loss[] = [];
  for (const scenario of scenarios) {
    const checks = Object.entries(results[scenario] ?? { '(scenario)': { status: 'FAILURE', reason: 'it crashed' } });
    for (const [check, { status, reason }] of checks) {
      if (status === 'SUCCESS' || status === 'INFO') continue;
      losses.push({ scenario, check, direct: 'SUCCESS', through: status, reason, known: undefined });
    }
  }
  return losses;
}
