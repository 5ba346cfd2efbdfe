/**
 * Direct against through the gateway, check by check. The suite's exit code cannot do this: it does not mind a success
 * that becomes a warning, is skipped, or is not there any more.
 * @module
 */
import { type Check, passes, type Results, type Status, successes } from './checks.ts';

export interface Loss {
  scenario: string;
  check: string;
  direct: Status | 'absent';
  through: Status | 'absent';
  /** The suite's words. */
  reason: string | undefined;
  /** Why it is allowed, when it is. */
  known: string | undefined;
}

/** Why this loss is allowed in this pairing, or undefined. */
export type KnownReason = (scenario: string, check: string) => string | undefined;

const isBad = (check: Check | undefined): boolean => check?.status === 'FAILURE' || check?.status === 'WARNING';

/**
 * What is lost: a check that succeeds directly and does anything else through the gateway, and one that fails or warns
 * only through the gateway.
 */
export function compare(direct: Results, through: Results, known: KnownReason = () => undefined): Loss[] {
  const losses: Loss[] = [];
  for (const [scenario, checks] of Object.entries(direct)) {
    const seen = through[scenario] ?? {};
    for (const id of new Set([...Object.keys(checks), ...Object.keys(seen)])) {
      const before = checks[id];
      const after = seen[id];
      const lost = before?.status === 'SUCCESS' ? after?.status !== 'SUCCESS' : isBad(after) && !isBad(before);
      if (!lost) continue;
      losses.push({
        scenario,
        check: id,
        direct: before?.status ?? 'absent',
        through: after?.status ?? 'absent',
        reason: after ? after.reason : through[scenario] ? undefined : 'the scenario crashed',
        known: known(scenario, id),
      });
    }
  }
  return losses;
}

export interface Tally {
  passed: number;
  of: number;
  /** Checks that succeeded, in all of these scenarios. */
  checks: number;
}

/** Counts the scenarios of a list; one that is missing from the results did not pass. */
export function tally(results: Results, scenarios: Iterable<string>): Tally {
  const counted: Tally = { passed: 0, of: 0, checks: 0 };
  for (const name of scenarios) {
    const scenario = results[name];
    counted.of++;
    if (passes(scenario)) counted.passed++;
    if (scenario) counted.checks += successes(scenario);
  }
  return counted;
}
