/**
 * State in Redis: what Redis sees of a call without a limit (nothing) and with one (one round trip), counted by a real
 * server, and what both cost beside the same gateway with its state in a folder.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from '../src/state/testing/redis-server.ts';
import { BUDGET_CALLERS } from './blocks.ts';
import { Child } from './child.ts';
import { type Compared, type ComparedRow, compare, type Pace } from './compare.ts';
import type { FleetReply, FleetRequest } from './fleet.ts';
import { Gateway } from './gateway.ts';
import { limitedCalls } from './governed.ts';
import { LoadClient } from './load-client.ts';
import type { Layout } from './machine.ts';

const UPSTREAM = 'up';
/** Two beats of every replica. */
const IDLE_MS = 4_000;

/** Each in a gateway of its own: with a limit on the tool or without, its state in a folder or in Redis. */
export const STATE_TARGETS = ['folder', 'redis', 'folder, limit', 'redis, limit'] as const;
export type StateTarget = (typeof STATE_TARGETS)[number];

export interface RedisRow {
  target: StateTarget;
  row: ComparedRow;
  /** Of Redis, per call of one caller. Undefined where there is none. */
  seen: SeenByRedis | undefined;
}

export interface SeenByRedis {
  /** Commands, those that a script makes included. */
  commands: number;
  /** Reads of its sockets: with one caller each is a round trip. */
  reads: number;
}

export interface RedisEffort extends Pace {
  /** Of one caller, while Redis is watched. */
  countedCalls: number;
}

export async function measureRedis(
  layout: Layout,
  effort: RedisEffort,
  progress: (text: string) => void,
  names: readonly StateTarget[] = STATE_TARGETS,
): Promise<RedisRow[]> {
  const fleet = new Child({ script: new URL('fleet.ts', import.meta.url), core: layout.loadCore, channel: true });
  const load = new LoadClient(layout.loadCore);
  const gateways: Gateway[] = [];
  let redis: RedisServer | undefined;
  try {
    redis = await startPinnedRedis(layout.loadCore);
    const request: FleetRequest = { members: [{ eras: ['modern'], tools: 2 }] };
    const [upstream = 0] = (await fleet.ask<FleetReply>(request)).ports;
    const targets: Compared[] = [];
    for (const [i, target] of names.entries()) {
      progress(`redis: ${target}`);
      const gateway = await Gateway.start(
        {
          upstreams: { [UPSTREAM]: upstream },
          concurrency: 64,
          gateway: {
            ...(target.startsWith('redis') ? { state: redis.url, redis: { prefix: `of${i}:` } } : {}),
            ...(target.endsWith('limit') ? limitedCalls(`${UPSTREAM}__echo`) : {}),
          },
          layout,
        },
        2,
      );
      gateways.push(gateway);
      targets.push(targetOf(target, gateway));
    }
    const rows = await compare(load, targets, effort, progress);
    const seen = new Map<string, SeenByRedis>();
    for (const { name, job } of targets.filter(({ name }) => name.startsWith('redis'))) {
      progress(`redis: what it sees of ${name}`);
      await load.prepare({ ...job, callers: 1, warmupCalls: effort.rewarm });
      seen.set(name, await watched(redis.url, () => load.measureCalls(effort.countedCalls), effort.countedCalls));
      await load.finish();
    }
    return rows.map((row) => ({ target: row.name as StateTarget, row, seen: seen.get(row.name) }));
  } finally {
    await Promise.all([...gateways.map((one) => one.stop()), fleet.stop(), load.stop()]);
    await redis?.close();
  }
}

function targetOf(name: StateTarget, { port, child }: Gateway): Compared {
  const job = {
    port,
    path: '/mcp',
    era: 'modern' as const,
    operation: 'small' as const,
    tool: `${UPSTREAM}__echo`,
    tools: 1,
    callers: BUDGET_CALLERS,
  };
  return {
    name,
    beside: name.startsWith('redis') ? name.replace('redis', 'folder') : undefined,
    job,
    pids: [child.pid],
  };
}

/** On the core of the load: it is not under test. */
async function startPinnedRedis(core: number | undefined): Promise<RedisServer> {
  const redis = await startRedis();
  if (core !== undefined) spawnSync('taskset', ['-acp', String(core), String(redis.child.pid)], { stdio: 'ignore' });
  return redis;
}

/**
 * What Redis counts while `work` runs, per call. Without what it counts while there are no calls: replicas say every two seconds that
 * they are alive.
 */
async function watched(url: string, work: () => Promise<unknown>, calls: number): Promise<SeenByRedis> {
  const client = new Redis(url);
  const counted = async (wait: () => Promise<unknown>): Promise<SeenByRedis & { ms: number }> => {
    await client.config('RESETSTAT');
    const since = performance.now();
    await wait();
    const ms = performance.now() - since;
    const [commands, stats] = [await client.info('commandstats'), await client.info('stats')];
    // Without those of this client: the reset, and the two readings.
    return { commands: commandsIn(commands) - 1, reads: readsIn(stats) - 2, ms };
  };
  try {
    const idle = await counted(() => delay(IDLE_MS));
    const busy = await counted(work);
    const perCall = (of: 'commands' | 'reads'): number => (busy[of] - (idle[of] / idle.ms) * busy.ms) / calls;
    return { commands: perCall('commands'), reads: perCall('reads') };
  } finally {
    client.disconnect();
  }
}

/** All commands, of the section `commandstats`. */
export function commandsIn(info: string): number {
  let sum = 0;
  for (const [, count] of info.matchAll(/^cmdstat_\S+?:calls=(\d+)/gm)) sum += Number(count);
  return sum;
}

/** Of the section `stats`. */
export const readsIn = (info: string): number => Number(/^total_reads_processed:(\d+)/m.exec(info)?.[1] ?? Number.NaN);
