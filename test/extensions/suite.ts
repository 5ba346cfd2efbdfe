/**
 * Runs scenarios of the official suite that belong to an extension: they are on no revision's list, so each is asked for
 * by name.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Results, readResults } from '../conformance/harness/checks.ts';
import { startNode } from '../conformance/harness/processes.ts';
import { SUITE_FOLDER } from '../conformance/harness/suite.ts';

const CAP_MS = 60_000;

export async function runScenarios(url: string | URL, scenarios: readonly string[]): Promise<Results> {
  const folder = await mkdtemp(join(tmpdir(), 'switchboard-suite-'));
  try {
    const left = [...scenarios];
    // Most of a run is the suite starting: two at a time, as many as CI has cores.
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) await runScenario(url, next, folder);
    };
    await Promise.all([work(), work()]);
    return await readResults(folder, 'server');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runScenario(url: string | URL, scenario: string, folder: string): Promise<void> {
  const child = startNode(join(SUITE_FOLDER, 'dist/index.js'), [
    'server',
    ...['--url', String(url).replace('127.0.0.1', 'localhost')],
    ...['--scenario', scenario, '--spec-version', '2026-07-28', '--force'],
    ...['-o', folder, '--timeout', '10000'],
  ]);
  const cap = setTimeout(() => void child.stop(), CAP_MS);
  await child.ended;
  clearTimeout(cap);
}
