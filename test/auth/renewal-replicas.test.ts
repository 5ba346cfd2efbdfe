/** Two replicas that share a state renew a login once, at a real authorization server that takes a second use for a theft. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../../src/observe/log.ts';
import { openRedisState } from '../../src/state/redis/redis-state.ts';
import { openSqliteState } from '../../src/state/sqlite/sqlite-state.ts';
import type { State } from '../../src/state/state.ts';
import { type RedisServer, startRedis } from '../../src/state/testing/redis-server.ts';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { type ProtectedServer, startProtected } from '../fixtures/protected-server.ts';
import { type Replica, replicaOn } from './replica.ts';

const log = createLog('silent');

let oidc: Oidc;
let upstream: RecordingUpstream;
let server: ProtectedServer;
let redis: RedisServer;
let folder: string;
beforeAll(async () => {
  [oidc, upstream, redis] = await Promise.all([startOidc({ scopes: ['read'] }), startRecording({}), startRedis()]);
  server = await startProtected({ oidc, upstream: upstream.url });
  folder = await mkdtemp(join(tmpdir(), 'switchboard-renewal-'));
});
afterAll(async () => {
  await Promise.all([oidc, upstream, server, redis].map((each) => each?.close()));
  await rm(folder, { recursive: true, force: true });
});

let count = 0;
const STORES: [string, () => Promise<[State, State]>][] = [
  [
    'SQLite',
    async () => {
      const at = join(folder, `state-${++count}`);
      return [openSqliteState(at, { log }), openSqliteState(at, { log })];
    },
  ],
  [
    'Redis',
    async () => {
      const options = { target: redis.url, prefix: `t${++count}:`, waitMs: 30_000, clock: () => Date.now(), log };
      return [await openRedisState(options), await openRedisState(options)];
    },
  ],
];

describe.each(STORES)('a login that two replicas on %s have', (_, open) => {
  let states: State[];
  let one: Replica;
  let other: Replica;

  beforeEach(async () => {
    states = await open();
    const [first, second] = states as [State, State];
    [one, other] = [await replicaOn(first, server.url), await replicaOn(second, server.url)];
    await one.logIn('alice', oidc);
  });
  afterEach(async () => {
    for (const replica of [one, other]) replica.logins.close();
    for (const state of states) await state.close();
  });

  const tokenRequests = (): number => oidc.requests.get('/token') ?? 0;
  const both = <T>(work: (replica: Replica) => Promise<T>): Promise<T[]> =>
    Promise.all([one, other, one, other].map(work));

  it('and that has ended is renewed once before it is shown', async () => {
    await one.change('alice', (login) => ({ ...login, expiresAt: Date.now() - 1 }));
    const before = tokenRequests();
    const shown = await both((replica) => replica.headersOf('alice'));
    expect(new Set(shown.map(({ Authorization }) => Authorization)).size).toBe(1);
    expect(tokenRequests()).toBe(before + 1);
  });

  it('and whose token the server refuses to both is renewed once', async () => {
    const shown = await Promise.all([one.headersOf('alice'), other.headersOf('alice')]);
    expect(shown[0]).toEqual(shown[1]);
    for (let round = 0; round < 3; round++) {
      const before = tokenRequests();
      const old = await Promise.all([one.headersOf('alice'), other.headersOf('alice')]);
      const decided = await Promise.all([
        one.refused('alice', old[0]),
        other.refused('alice', old[1]),
        one.refused('alice', old[0]),
      ]);
      expect(decided).toEqual(['retry', 'retry', 'retry']);
      const now = await both((replica) => replica.headersOf('alice'));
      expect(new Set(now.map(({ Authorization }) => Authorization)).size).toBe(1);
      expect(now[0]).not.toEqual(old[0]);
      expect(tokenRequests()).toBe(before + 1);
    }
  });

  it('is over in both when its issuer says so, and neither asks it again', async () => {
    const shown = await Promise.all([one.headersOf('alice'), other.headersOf('alice')]);
    await one.change('alice', (login) => ({ ...login, refreshToken: 'not-one-of-the-issuer' }));
    const before = tokenRequests();
    const decided = await Promise.allSettled([one.refused('alice', shown[0]), other.refused('alice', shown[1])]);
    expect(decided.map((each) => (each as PromiseRejectedResult).reason?.data.reason)).toEqual(['expired', 'expired']);
    expect(tokenRequests()).toBe(before + 1);
    expect(await other.logins.status('alice')).toEqual([]);
  });

  it('stays when its issuer fails, and is renewed afterwards', async () => {
    const shown = await Promise.all([one.headersOf('alice'), other.headersOf('alice')]);
    const kept = await one.vault.login('alice', 'notes');
    oidc.down = true;
    const failed = await Promise.allSettled([one.refused('alice', shown[0]), other.refused('alice', shown[1])]);
    oidc.down = false;
    expect(failed.map((each) => (each as PromiseRejectedResult).reason?.code)).toEqual([
      'SWB_UPSTREAM_UNAVAILABLE',
      'SWB_UPSTREAM_UNAVAILABLE',
    ]);
    expect(await other.vault.login('alice', 'notes')).toEqual(kept);
    expect(await other.refused('alice', shown[1])).toBe('retry');
    expect(await one.refused('alice', shown[0])).toBe('retry');
    expect(await one.headersOf('alice')).toEqual(await other.headersOf('alice'));
  });
});
