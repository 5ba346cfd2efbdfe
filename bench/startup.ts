/**
 * Start-up with fifty upstreams of which one accepts connections and never answers: from starting the process until the
 * endpoint answers, and until everything the other forty-nine offer is listed.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
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
  const fleet = new Child({ script: new URL('fleet.ts', import.meta.url), core: layout.loadCore, channel: true });
  const answered: number[] = [];
  const listed: number[] = [];
  try {
    const members = Array.from({ length: STARTUP_UPSTREAMS }, (_, i): FleetMember => {
      if (i === SILENT_AT) return 'silent';
      return { eras: [i % 2 === 0 ? 'legacy' : 'modern'], tools: STARTUP_TOOLS };
    });
    const request: FleetRequest = { members };
    const { ports } = await fleet.ask<FleetReply>(request);
    const upstreams = Object.fromEntries(ports.map((port, i) => [`up${String(i).padStart(2, '0')}`, port]));
    for (let start = 0; start < starts; start++) {
      progress(`start-up ${start + 1}/${starts}: ${STARTUP_UPSTREAMS} upstreams, one of them silent`);
      const times = await startOnce(layout, upstreams);
      answered.push(times.answered);
      listed.push(times.listed);
    }
  } finally {
    await fleet.stop();
  }
  return { starts, answered: spread(answered) as Spread, listed: spread(listed) as Spread };
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
