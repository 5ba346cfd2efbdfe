/**
 * What an idle legacy session costs: growth of the gateway's resident memory over many sessions that stay open, with
 * garbage collection forced through the inspector before both readings. Growth of live objects is read alongside: it is
 * exact, but leaves out what the allocator keeps.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Child } from './child.ts';
import type { FleetReply, FleetRequest } from './fleet.ts';
import { Gateway } from './gateway.ts';
import { Inspector } from './inspector.ts';
import type { LoadReply, LoadRequest, SessionLife } from './load-types.ts';
import { type Layout, residentBytes } from './machine.ts';

export interface SessionRow {
  life: SessionLife;
  sessions: number;
  /** Resident bytes per session after forced collection; what the budget is about. */
  resident: number;
  /** Resident bytes per session with the garbage that opening them left. */
  residentUncollected: number;
  /** Bytes of live objects per session. */
  live: number;
}

export const SESSION_LIVES: readonly SessionLife[] = ['listed', 'called', 'streaming'];
/** Opened and ended before the first reading, so that code, pools and a grown young generation are not counted. */
const WARMUP_SESSIONS = 500;
const SETTLE_MS = 250;

/** `count` sessions of each life after `warmup` others, each in a fresh gateway. */
export async function measureSessions(
  layout: Layout,
  lives: readonly SessionLife[],
  count: number,
  progress: (text: string) => void,
  warmup: number = WARMUP_SESSIONS,
): Promise<SessionRow[]> {
  const fleet = new Child({ script: new URL('fleet.ts', import.meta.url), core: layout.loadCore, channel: true });
  const load = new Child({ script: new URL('load.ts', import.meta.url), core: layout.loadCore, channel: true });
  const rows: SessionRow[] = [];
  try {
    const request: FleetRequest = { members: [{ eras: ['legacy'], tools: 20 }] };
    const upstream = (await fleet.ask<FleetReply>(request)).ports[0] as number;
    for (const life of lives) {
      progress(`sessions: ${count} ${life}`);
      rows.push(await measureLife(layout, upstream, load, life, { count, warmup }));
    }
    return rows;
  } finally {
    await Promise.all([fleet.stop(), load.stop()]);
  }
}

async function measureLife(
  layout: Layout,
  upstream: number,
  load: Child,
  life: SessionLife,
  { count, warmup }: { count: number; warmup: number },
): Promise<SessionRow> {
  const room = count + warmup;
  const limits = { maxSessions: room, maxStreams: room, maxCallerSessions: room };
  const gateway = await Gateway.start({ upstreams: { up: upstream }, gateway: { limits }, layout, inspect: true }, 20);
  try {
    const inspector = await Inspector.attach(gateway.child);
    const open = { port: gateway.port, path: '/mcp', life, tool: 'up__echo' };
    await ask(load, { kind: 'open-sessions', sessions: { ...open, count: warmup } });
    await ask(load, { kind: 'close-sessions' });
    const before = await read(gateway, inspector);
    await ask(load, { kind: 'open-sessions', sessions: { ...open, count } });
    const after = await read(gateway, inspector);
    await ask(load, { kind: 'close-sessions' });
    inspector.close();
    return {
      life,
      sessions: count,
      resident: (after.resident - before.resident) / count,
      residentUncollected: (after.uncollected - before.resident) / count,
      live: (after.live - before.live) / count,
    };
  } finally {
    await gateway.stop();
  }
}

interface Reading {
  uncollected: number;
  resident: number;
  live: number;
}

async function read(gateway: Gateway, inspector: Inspector): Promise<Reading> {
  const { pid } = gateway.child;
  await settled(pid);
  const uncollected = resident(pid);
  await inspector.collectGarbage();
  await inspector.collectGarbage();
  const live = await inspector.liveBytes();
  await settled(pid);
  return { uncollected, resident: resident(pid), live };
}

function resident(pid: number): number {
  const bytes = residentBytes(pid);
  if (bytes === undefined) throw new Error('resident memory cannot be read here');
  return bytes;
}

/** Waits until resident memory moves by less than half a percent: closing sockets and freeing pages take a moment. */
async function settled(pid: number): Promise<void> {
  for (let last = resident(pid), tries = 0; tries < 20; tries++) {
    await delay(SETTLE_MS);
    const now = resident(pid);
    if (Math.abs(now - last) < last * 0.005) return;
    last = now;
  }
}

async function ask(load: Child, request: LoadRequest): Promise<void> {
  const reply = await load.ask<LoadReply>(request);
  if (!reply.ok) throw new Error(reply.error);
}
