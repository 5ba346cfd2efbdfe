/** A gateway whose state is in Redis: what a call costs there, and what becomes of it while Redis is away. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../src/state/testing/redis-server.ts';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { modernRequest, type RawReply, send } from './raw.ts';
import { until } from './until.ts';

const limit = { counter: 'calls', window: 'day', max: 1_000 };
const policy = {
  version: '1',
  default: 'allow',
  tools: {
    echo: { limits: [limit, { ...limit, window: 'hour' }] },
    whoami: { limits: [{ ...limit, counter: 'slow', on_state_failure: 'allow' }] },
    add: { limits: [{ ...limit, counter: 'few', max: 3 }] },
    slow: { approve: true, approver: 'operator' },
  },
};

const ADMIN_TOKEN = 'admin-token-of-one-on-redis';

let redis: RedisServer;
let asking: Redis;
let limited: HttpFixture;
let free: HttpFixture;
let gateway: OwnGateway;

beforeAll(async () => {
  redis = await startRedis(['--requirepass', 'sesame-open-1']);
  asking = new Redis(redis.port, { password: 'sesame-open-1' });
  asking.on('error', () => {});
  [limited, free] = await Promise.all([startV1Http(), startV1Http()]);
  gateway = await startReadyGateway({
    servers: { limited: { url: limited.url, kind: 'mcp', policy }, free: { url: free.url, kind: 'mcp' } },
    gateway: {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own spelling
      state: 'redis://:${REDIS_PASSWORD}@127.0.0.1:${REDIS_PORT}/0',
      // Long enough for any answer on a busy machine, short enough to be waited for.
      redis: { waitMs: 3_000 },
      adminToken: ADMIN_TOKEN,
    },
    env: { REDIS_PASSWORD: 'sesame-open-1', REDIS_PORT: `${redis.port}` },
  });
});
afterAll(async () => {
  asking?.disconnect();
  await gateway?.close();
  await Promise.all([redis?.close(), limited?.close(), free?.close()]);
});

const call = (name: string, args: object): Promise<RawReply> =>
  send(gateway.url, modernRequest('tools/call', { name, arguments: args }));
/** Why a call did not run; undefined: it did. */
function codeOf({ message: { result, error } }: RawReply): unknown {
  const about = (result?._meta as Record<string, { code?: string }> | undefined) ?? {};
  return about['switchboard/denial']?.code ?? about['switchboard/error']?.code ?? error?.data?.code;
}

/** Approves the one call that waits. */
async function approve(): Promise<void> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' };
  const listed = await fetch(gateway.at('/admin/approvals?state=pending'), { headers });
  const { approvals } = (await listed.json()) as { approvals: { id: string }[] };
  const path = `/admin/approvals/${approvals[0]?.id}/approve`;
  expect((await fetch(gateway.at(path), { method: 'POST', headers, body: '{}' })).status).toBe(200);
}

const echo = (server: string): Promise<RawReply> => call(`${server}__echo`, { text: 'x' });

/** What the gateway sends to Redis meanwhile, without what says that it is alive. */
async function commandsOf(work: () => Promise<void>): Promise<string[][]> {
  const watching = await asking.monitor();
  const seen: string[][] = [];
  watching.on('monitor', (_time: string, args: string[], source: string) => {
    // Commands of scripts are no round trips.
    if (source !== 'lua' && !args.some((arg) => arg.includes('{kv:replicas}'))) seen.push(args);
  });
  try {
    await work();
    await asking.echo('over');
    await until(() => seen.some(([, text]) => text === 'over'), 'the last command to be seen');
    return seen.filter(([name = '']) => !/^(?:echo|info|monitor)$/i.test(name));
  } finally {
    watching.disconnect();
  }
}

describe('a stateless call of a gateway on Redis', () => {
  it('never touches Redis without limits', async () => {
    expect((await echo('free')).message.result?.isError).toBeFalsy();
    const sent = await commandsOf(async () => {
      for (let i = 0; i < 20; i++) expect((await echo('free')).message.result?.isError).toBeFalsy();
    });
    expect(sent).toEqual([]);
  });

  it('makes exactly one round trip with limits, however many', async () => {
    expect((await echo('limited')).message.result?.isError).toBeFalsy();
    const sent = await commandsOf(async () => {
      for (let i = 0; i < 20; i++) expect((await echo('limited')).message.result?.isError).toBeFalsy();
    });
    expect(sent.map(([name]) => name)).toEqual(Array.from({ length: 20 }, () => 'evalsha'));
  });
});

describe('a gateway whose Redis is away', () => {
  it('denies in a bounded time while it hangs, and then counts exactly and spends an approval once at most', async () => {
    const add = async (): Promise<unknown> => codeOf(await call('limited__add', { a: 1, b: 2 }));
    const slow = async (): Promise<unknown> => codeOf(await call('limited__slow', { ms: 0 }));
    expect(await add()).toBeUndefined();
    expect(await slow()).toBe('SWB_APPROVAL_PENDING');
    await approve();
    redis.child.kill('SIGSTOP');
    try {
      // At the same time: each may wait for the answer as long as that is waited for.
      const [free, uncounted, ...refused] = await Promise.all([
        echo('free'),
        call('limited__whoami', {}),
        ...[add(), add(), add(), slow()],
      ]);
      expect(refused).toEqual(Array(4).fill('SWB_STATE'));
      for (const { message } of [free, uncounted]) expect(message.result?.isError).toBeFalsy();
      expect(limited.ledger.count('slow:started')).toBe(0);
    } finally {
      redis.child.kill('SIGCONT');
    }
    await until(
      async () => (await echo('limited')).message.result?.isError !== true,
      () => 'limits to be counted again',
    );
    // One of three was taken before. What was still granted after its caller had gone is given back.
    const codes = [];
    for (let i = 0; i < 4; i++) codes.push(await add());
    expect(codes).toEqual([undefined, undefined, 'SWB_RATE_LIMITED', 'SWB_RATE_LIMITED']);
    for (let i = 0; i < 4; i++) await slow();
    expect(limited.ledger.count('slow:started')).toBeLessThanOrEqual(1);
  });

  it('denies what it cannot count, lets through what may go uncounted, and counts again by itself', async () => {
    await redis.kill();
    const denied = await echo('limited');
    expect(denied.message.result).toMatchObject({
      isError: true,
      _meta: { 'switchboard/denial': { code: 'SWB_STATE', rule: '/tools/echo/limits/calls' } },
    });
    expect((await echo('free')).message.result?.isError).toBeFalsy();
    const passed = await call('limited__whoami', {});
    expect(passed.message.result).toMatchObject({ content: [{ type: 'text' }] });
    expect(passed.message.result?.isError).toBeFalsy();
    await redis.restart();
    await until(async () => !(await echo('limited')).message.result?.isError, 'limits to be counted again');
    expect(gateway.log()).toContain('Redis is away');
    expect(gateway.log()).not.toContain('sesame-open-1');
  });
});
