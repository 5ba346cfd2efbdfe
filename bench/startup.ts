/**
 * Start-up with fifty upstreams of which one accepts connections and never answers: from starting the process until the
 * endpoint answers, and until everything the other forty-nine offer is listed. The package as it is built is measured in turns
 * with the command of the run, which are the sources by default.
 * @module
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from '../build.ts';
import { Child } from './child.ts';
import type { FleetMember, FleetReply, FleetRequest } from './fleet.ts';
import { Gateway } from './gateway.ts';
import type { Layout } from './machine.ts';
import { type Spread, spread } from './statistics.ts';
import { ToolsPoll } from './tools-poll.ts';

export const STARTUP_UPSTREAMS = 50;
export const STARTUP_TOOLS = 20;
const DEADLINE_MS = 180_000;
/** Position of the silent one: neither first nor last. */
const SILENT_AT = 24;

export interface StartupRow {
  starts: number;
  /** The command of the package. */
  built: StartupTimes;
  /** The command of the run. */
  entry: StartupTimes;
}

export interface StartupTimes {
  /** Milliseconds from starting the process until `/healthz` answers. A first list waits for servers on purpose. */
  answered: Spread;
  /** Milliseconds from starting the process to a list with the tools of all that answer. */
  listed: Spread;
}

export async function measureStartup(
  layout: Layout,
  starts: number,
  progress: (text: string) => void,
): Promise<StartupRow> {
  const folder = await buildPackage();
  const fleet = new Child({ script: new URL('fleet.ts', import.meta.url), core: layout.loadCore, channel: true });
  const measured = {
    built: { entry: join(folder, 'bin/switchboard.js'), answered: [] as number[], listed: [] as number[] },
    entry: { entry: layout.gatewayEntry, answered: [] as number[], listed: [] as number[] },
  };
  try {
    const members = Array.from({ length: STARTUP_UPSTREAMS }, (_, i): FleetMember => {
      if (i === SILENT_AT) return 'silent';
      return { eras: [i % 2 === 0 ? 'legacy' : 'modern'], tools: STARTUP_TOOLS };
    });
    const request: FleetRequest = { members };
    const { ports } = await fleet.ask<FleetReply>(request);
    const upstreams = Object.fromEntries(ports.map((port, i) => [`up${String(i).padStart(2, '0')}`, port]));
    // The first start of each fills Node's compile cache and does not count.
    for (let start = 0; start <= starts; start++) {
      progress(`start-up ${start}/${starts}: ${STARTUP_UPSTREAMS} upstreams, one of them silent`);
      const order = start % 2 === 0 ? (['built', 'entry'] as const) : (['entry', 'built'] as const);
      for (const which of order) {
        const { entry, answered, listed } = measured[which];
        const times = await startOnce({ ...layout, gatewayEntry: entry }, upstreams);
        if (start === 0) continue;
        answered.push(times.answered);
        listed.push(times.listed);
      }
    }
  } finally {
    await fleet.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  const timesOf = ({ answered, listed }: Record<keyof StartupTimes, number[]>): StartupTimes => ({
    answered: spread(answered) as Spread,
    listed: spread(listed) as Spread,
  });
  return { starts, built: timesOf(measured.built), entry: timesOf(measured.entry) };
}

/** Builds the package, without its types, in a new folder in which it finds the packages of this clone. */
async function buildPackage(): Promise<string> {
  const root = join(import.meta.dirname, '..');
  const beside = join(root, 'node_modules/.cache');
  mkdirSync(beside, { recursive: true });
  const folder = mkdtempSync(join(beside, 'agent-switchboard-bench-'));
  try {
    for (const name of ['package.json', 'bin']) cpSync(join(root, name), join(folder, name), { recursive: true });
    await build(join(folder, 'dist'));
    return folder;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

async function startOnce(
  layout: Layout,
  upstreams: Record<string, number>,
): Promise<{ answered: number; listed: number }> {
  const expected = (STARTUP_UPSTREAMS - 1) * STARTUP_TOOLS;
  const gateway = await Gateway.launch({ upstreams, layout });
  const poll = new ToolsPoll(gateway.port);
  const answering = answers(gateway);
  try {
    const all = (names: string[]): boolean => names.filter((name) => /^up\d\d__/.test(name)).length === expected;
    const at = await poll.until(all, DEADLINE_MS, () => gateway.child.exited);
    return { answered: (await answering) - gateway.startedAt, listed: at - gateway.startedAt };
  } catch (error) {
    throw new Error(`${(error as Error).message}${gateway.child.stderr ? `; it said: ${gateway.child.stderr}` : ''}`);
  } finally {
    poll.close();
    await gateway.stop();
  }
}

/** Resolves with the time (`performance.now()`) of the first answer; Infinity when the process ended without one. */
async function answers(gateway: Gateway): Promise<number> {
  while (!gateway.child.exited) {
    const answered = await fetch(`http://127.0.0.1:${gateway.port}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (answered) return performance.now();
    await delay(10);
  }
  return Number.POSITIVE_INFINITY;
}
