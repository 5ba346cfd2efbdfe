/**
 * Runs the official suite, `@modelcontextprotocol/conformance`, as a child and reads what it found.
 * @module
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Leg, type Results, readResults } from './checks.ts';
import { startNode } from './processes.ts';

const ENTRY = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'));
export const SUITE_FOLDER = dirname(dirname(ENTRY));

export interface SuiteRun {
  leg: Leg;
  revision: string;
  /** One scenario; all the revision requires or lists when left out. */
  scenario?: string | undefined;
  /** `--url URL` of the server under test, or `--command CMD` of the client under test. */
  subject: readonly [string, string];
  /** Runs a scenario that does not belong to the revision. */
  force?: boolean;
  /** The whole run; longer is a hang. */
  capMs: number;
}

/** Of one request of the suite's. A gateway that hangs would otherwise cost half a minute per scenario. */
const REQUEST_TIMEOUT_MS = 10_000;

export class SuiteTrouble extends Error {}

/** Rejects with {@link SuiteTrouble} when the suite itself did not get through. */
export async function runSuite({ leg, revision, scenario, subject, force = false, capMs }: SuiteRun): Promise<Results> {
  const folder = await mkdtemp(join(tmpdir(), 'switchboard-conformance-'));
  const selection =
    scenario === undefined
      ? ['--requirements', revision]
      : ['--scenario', scenario, '--spec-version', revision, ...(force ? ['--force'] : [])];
  const child = startNode(ENTRY, [
    leg,
    ...subject,
    ...selection,
    '-o',
    folder,
    '--timeout',
    String(REQUEST_TIMEOUT_MS),
  ]);
  let late = false;
  const cap = setTimeout(() => {
    late = true;
    void child.stop();
  }, capMs);
  try {
    const code = await child.ended;
    if (late) throw new SuiteTrouble(`the suite did not finish within ${capMs / 1000} s\n${tail(child.output())}`);
    const results = { ...(await readResults(folder, leg)), ...(await readGroup(folder, 'auth', leg)) };
    if (Object.keys(results).length === 0) {
      throw new SuiteTrouble(`the suite ended with ${code} and no results\n${tail(child.output())}`);
    }
    return results;
  } finally {
    clearTimeout(cap);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Scenarios whose names have a slash stand in a folder of their group. */
async function readGroup(folder: string, group: string, leg: Leg): Promise<Results> {
  if (!existsSync(join(folder, group))) return {};
  const results = await readResults(join(folder, group), leg);
  return Object.fromEntries(Object.entries(results).map(([name, checks]) => [`${group}/${name}`, checks]));
}

const tail = (text: string): string => text.split('\n').slice(-15).join('\n');
