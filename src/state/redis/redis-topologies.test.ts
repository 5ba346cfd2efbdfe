import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { State } from '../state.ts';
import { type RedisServer, startRedis } from '../testing/redis-server.ts';
import { DAY, recorder, taken, use } from '../testing/uses.ts';
import { openRedisState } from './redis-state.ts';
import type { RedisTarget } from './target.ts';

/**
 * A Sentinel whose timer was late by two seconds does nothing for thirty (TILT), and then begins. Its pings are a second apart. Where it
 * found no replica that has just answered, it tries again after two of its own timeouts.
 */
const FAILOVER_MS = 100_000;

const opened: State[] = [];
const servers: RedisServer[] = [];
const files: string[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((state) => state.close()));
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await Promise.all(files.splice(0).map((file) => rm(file, { force: true })));
});

async function redis(...args: string[]): Promise<RedisServer> {
  const server = await startRedis(args);
  servers.push(server);
  return server;
}

const at = ({ port }: RedisServer): string => `127.0.0.1:${port}`;

const cli = async ({ port }: RedisServer, ...args: string[]): Promise<string> =>
  (await promisify(execFile)('redis-cli', ['-p', `${port}`, ...args])).stdout;

async function open(target: RedisTarget): Promise<State> {
  const state = await openRedisState({ target, waitMs: 2_000, log: recorder() });
  opened.push(state);
  return state;
}

/** Every part of the state does something. */
async function uses(one: State, other: State): Promise<void> {
  const heard: unknown[] = [];
  const stop = other.bus.subscribe('t', (message) => void heard.push(message));
  await vi.waitFor(
    () => {
      one.bus.publish('t', 'hello');
      expect(heard).toContain('hello');
    },
    { timeout: 10_000, interval: 50 },
  );
  stop();
  for (const namespace of ['a', 'b', 'c', 'd']) {
    await one.kv.set(namespace, 'k', namespace, 60_000);
    expect(await other.kv.take(namespace, 'k')).toBe(namespace);
  }
  // Not within a minute of the server's clock, which may end in between.
  const both = [use({ key: 'x', max: 2, windowMs: DAY }), use({ key: 'y', max: 100, sliding: true, sessionOf: 'p' })];
  for (const { counters } of [one, other]) taken(await counters.reserve(both));
  expect((await one.counters.reserve(both)).granted).toBe(false);
  for (const topic of ['e', 'f', 'g']) {
    const id = await one.events.append(topic, 1);
    await other.events.append(topic, 2);
    expect((await one.events.read(topic, id)).events).toHaveLength(1);
  }
  expect(await one.secret('s')).toEqual(await other.secret('s'));
}

describe('a cluster of Redis', () => {
  it('holds every namespace, counter and topic in one slot each, and carries messages', async () => {
    const nodes = await Promise.all([1, 2, 3].map(() => redis('--cluster-enabled', 'yes')));
    const [first] = nodes as [RedisServer];
    const ends = [0, 5_461, 10_923, 16_384];
    await Promise.all(
      nodes.map((node, i) => cli(node, 'cluster', 'addslotsrange', `${ends[i]}`, `${(ends[i + 1] as number) - 1}`)),
    );
    for (const node of nodes.slice(1)) await cli(first, 'cluster', 'meet', '127.0.0.1', `${node.port}`);
    await vi.waitFor(
      async () => {
        for (const node of nodes)
          expect(await cli(node, 'cluster', 'info')).toMatch(/cluster_state:ok[\s\S]*cluster_known_nodes:3/);
      },
      { timeout: 20_000, interval: 50 },
    );
    const [one, other] = [await open({ cluster: [at(first)] }), await open({ cluster: nodes.map(at) })];
    await uses(one, other);
  });
});

describe('a Redis behind Sentinel', () => {
  it('is found there, and found again when another server has taken its place', async () => {
    const master = await redis();
    const replica = await redis('--replicaof', '127.0.0.1', `${master.port}`, '--repl-diskless-sync-delay', '0');
    await vi.waitFor(async () => expect(await cli(replica, 'info', 'replication')).toContain('master_link_status:up'), {
      timeout: 20_000,
      interval: 50,
    });
    const file = join(tmpdir(), `swb-sentinel-${master.port}.conf`);
    files.push(file);
    await writeFile(
      file,
      `sentinel monitor mine 127.0.0.1 ${master.port} 1\nsentinel down-after-milliseconds mine 2000\nsentinel failover-timeout mine 3000\n`,
    );
    const sentinel = await startRedis(['--sentinel'], [file]);
    servers.push(sentinel);
    await vi.waitFor(
      async () => expect(await cli(sentinel, 'sentinel', 'replicas', 'mine')).toContain(`${replica.port}`),
      { timeout: 20_000, interval: 50 },
    );
    const target = { sentinels: [at(sentinel)], name: 'mine' };
    const [one, other] = [await open(target), await open(target)];
    await uses(one, other);
    await master.kill();
    for (const { counters } of [one, other]) {
      await vi.waitFor(async () => taken(await counters.reserve([use({ key: 'after' })])), {
        timeout: FAILOVER_MS,
        interval: 50,
      });
    }
    expect(await cli(replica, 'info', 'replication')).toContain('role:master');
  }, 180_000);
});
