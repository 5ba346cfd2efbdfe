/**
 * What the suite reports: a folder per scenario with `checks.json`, a list in which one check id may stand several times.
 * @module
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export type Status = 'FAILURE' | 'WARNING' | 'SUCCESS' | 'SKIPPED' | 'INFO';

export interface Check {
  status: Status;
  /** What the suite says of a check that did not succeed. */
  reason: string | undefined;
}

/** One scenario: its checks by id. */
export type Scenario = Readonly<Record<string, Check>>;

/** A run: its scenarios by name. One that crashed is missing. */
export type Results = Readonly<Record<string, Scenario>>;

interface Reported {
  id: string;
  status: Status;
  errorMessage?: string;
}

/** The worst counts: a check that failed once is not healed by passing elsewhere. */
const RANK: Readonly<Record<Status, number>> = { FAILURE: 4, WARNING: 3, SUCCESS: 2, SKIPPED: 1, INFO: 0 };

/** Each id once, with its worst status. */
export function byId(reported: readonly Reported[]): Scenario {
  const found: Record<string, Check> = {};
  for (const { id, status, errorMessage } of reported) {
    const known = found[id];
    if (!known || RANK[status] > RANK[known.status]) found[id] = { status, reason: errorMessage };
  }
  return found;
}

/** Stricter than the suite, which also calls a scenario green that was only warned about. */
export function passes(scenario: Scenario | undefined): boolean {
  const statuses = Object.values(scenario ?? {}).map(({ status }) => status);
  return !statuses.includes('FAILURE') && statuses.includes('SUCCESS');
}

export const successes = (scenario: Scenario): number =>
  Object.values(scenario).filter(({ status }) => status === 'SUCCESS').length;

export type Leg = 'server' | 'client';

const STAMP = /-\d{4}-\d\d-\d\dT[\d-]+Z$/;

/** The suite names its folders `server-<scenario>-<time>` for servers and `<scenario>-<time>` for clients. */
const scenarioOf = (folder: string, leg: Leg): string =>
  folder.replace(STAMP, '').slice(leg === 'server' ? 'server-'.length : 0);

/** Reads the suite's output folder. */
export async function readResults(folder: string, leg: Leg): Promise<Results> {
  const results: Record<string, Scenario> = {};
  for (const { name } of await readdir(folder, { withFileTypes: true })) {
    const file = join(folder, name, 'checks.json');
    // A scenario that crashed wrote nothing: being absent is its result.
    if (existsSync(file)) results[scenarioOf(name, leg)] = byId(JSON.parse(await readFile(file, 'utf8')) as Reported[]);
  }
  return results;
}
