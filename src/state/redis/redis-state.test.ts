import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { replicaCases, stateCases } from '../cases.ts';
import type { State } from '../state.ts';
import { startBreaking } from '../testing/breaking-proxy.ts';
import { type RedisServer, startRedis } from '../testing/redis-server.ts';
import { DAY, passing, recorder, taken, use } from '../testing/uses.ts';
import { openRedisState, type RedisStateOptions } from './redis-state.ts';

let redis: RedisServer;
const opened: State[] = [];
let prefixes = 0;

beforeAll(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((state) => state.close()));
});
afterAll(() => redis?.close());

async function open(options: Partial<RedisStateOptions> = {}): Promise<State> {
  const state = await openRedisState({
    target: redis.url,
    prefix: `t${++prefixes}:`,
    // A busy machine may take long; what happens without an answer has tests of its own.
    waitMs: 100_000,
    openMs: 100_000,
    // The cases move the clock of this process.
    clock: () => Date.now(),
    log: recorder(),
    ...options,
  });
  opened.push(state);
  return state;
}

const openTwo = async (options: Partial<RedisStateOptions> = {}): Promise<[State, State]> => {
  const both = { prefix: `t${++prefixes}:`, ...options };
  return [await open(both), await open(both)];
};

describe('state in Redis', () => {
  stateCases(open);
  replicaCases(openTwo);
});

const unavailable = { code: 'SWB_STATE', retryAfterMs: 1_000 };

/** A client of the tests' own at a server. */
async function asking<T>(server: RedisServer, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(server.url);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

describe('counters in Redis', () => {
  it('never exceed max under 10,000 reservations at the same time on three replicas', async () => {
    const prefix = `t${++prefixes}:`;
    const replicas = await Promise.all([1, 2, 3].map(() => open({ prefix, waitMs: 100_000 })));
    const [calls, amount] = [use({ max: 250 }), use({ key: 'amount', max: 400, sliding: true, amount: 2 })];
    const results = await Promise.all(
      Array.from({ length: 10_000 }, (_, i) => {
        const { counters } = replicas[i % 3] as State;
        return counters.reserve(i % 2 === 0 ? [calls] : [calls, amount], 1_700_000_000_000);
      }),
    );
    const granted = results.filter((result) => result.granted);
    expect(granted).toHaveLength(250);
    for (const reservation of granted) reservation.rollback();
    await vi.waitFor(async () => {
      const { counts } = await (replicas[0] as State).counters.read([calls, amount], 1_700_000_000_000);
      expect(counts.map(({ used }) => used)).toEqual([0, 0]);
    });
  });

  it('take one round trip for a reservation, and none to commit it', async () => {
    const { counters } = await open();
    taken(await counters.reserve([use({ max: 1_000 })]));
    const commands = (): Promise<number> =>
      asking(redis, async (client) => {
        const calls = (await client.info('commandstats')).matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm);
        // A script's own commands are counted too.
        const sent = [...calls].filter(([, name = '']) => ['evalsha', 'eval', 'script|load'].includes(name));
        return sent.reduce((sum, [, , count]) => sum + Number(count), 0);
      });
    const before = await commands();
    for (let i = 0; i < 50; i++)
      taken(await counters.reserve([use({ max: 1_000 }), use({ key: 'b', max: 1_000 })])).commit();
    expect((await commands()) - before).toBe(50);
  });

  it('go by the clock of the server, whatever that of a replica says', async () => {
    const prefix = `t${++prefixes}:`;
    const [one, other] = [
      await open({ prefix, clock: undefined as never }),
      await open({ prefix, clock: undefined as never }),
    ];
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    try {
      const day = use({ windowMs: DAY });
      expect((await passing(one.counters, day)) + (await passing(other.counters, day))).toBe(3);
      const [seconds] = await asking(redis, (client) => client.time());
      const { counts } = await one.counters.read([day]);
      expect((counts[0]?.endsAt ?? 0) - Number(seconds) * 1_000).toBeLessThanOrEqual(DAY);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a Redis that is away', () => {
  it('when a gateway starts is an error without its password', async () => {
    const opening = open({ target: 'redis://user:hunter2hunter2@127.0.0.1:1/0', openMs: 2_000 });
    await expect(opening).rejects.toMatchObject({
      code: 'SWB_STATE',
      message: 'Redis at 127.0.0.1:1 cannot be used (ECONNREFUSED).',
    });
  });

  it('refuses a password without saying it', async () => {
    const locked = await startRedis(['--requirepass', 'sesame-open']);
    try {
      const target = `redis://:wrong-password@127.0.0.1:${locked.port}`;
      const error = await open({ target, openMs: 2_000 }).catch((failed: Error) => failed);
      expect(String(error)).toMatch(/WRONGPASS/);
      expect(String(error)).not.toContain('wrong-password');
      const state = await open({ target: `redis://:sesame-open@127.0.0.1:${locked.port}` });
      await state.kv.set('n', 'k', 1);
      await state.close();
    } finally {
      await locked.close();
    }
  });

  it('and does not answer costs a bounded wait once; what it still grants is given back', async () => {
    const own = await startRedis();
    try {
      const log = recorder();
      const state = await open({ target: own.url, waitMs: 2_000, log });
      // A minute of the server's clock may end in between.
      const one = use({ max: 5, windowMs: DAY });
      taken(await state.counters.reserve([one])).commit();
      own.child.kill('SIGSTOP');
      await expect(state.counters.reserve([one])).rejects.toMatchObject(unavailable);
      // Nothing is sent any more.
      await expect(state.counters.reserve([one])).rejects.toMatchObject(unavailable);
      await expect(state.kv.set('n', 'k', 'late')).rejects.toMatchObject(unavailable);
      expect(log.warnings).toEqual(['Redis is away: what needs it is refused until it is back.']);
      own.child.kill('SIGCONT');
      await vi.waitFor(async () => {
        expect((await state.counters.read([one])).counts[0]?.used).toBe(1);
      });
      expect(await state.kv.get('n', 'k')).toBeUndefined();
      taken(await state.counters.reserve([one]));
    } finally {
      await own.close();
    }
  });

  it('and comes back for a moment again and again ends nothing: messages arrive as soon as a connection stays', async () => {
    const own = await startRedis();
    const breaking = await startBreaking(own.port);
    try {
      const prefix = `t${++prefixes}:`;
      const one = await open({ target: own.url, prefix });
      const other = await open({ target: `redis://127.0.0.1:${breaking.port}`, prefix, waitMs: 500 });
      let gaps = 0;
      other.bus.onGap(() => void gaps++);
      const heard: unknown[] = [];
      other.bus.subscribe('t', (message) => void heard.push(message));
      // Each of the next connections breaks as it subscribes, before the answer.
      breaking.breakOn('subscribe', 3);
      await vi.waitFor(() => expect(breaking.left).toBe(0), 20_000);
      await vi.waitFor(() => expect(gaps).toBe(1), 20_000);
      one.bus.publish('t', 'heard');
      await vi.waitFor(() => expect(heard).toEqual(['heard']), 10_000);
    } finally {
      await Promise.all(opened.splice(0).map((state) => state.close()));
      await breaking.close();
      await own.close();
    }
  });

  it('and comes back is used again by itself, messages included, and says that some may be missing', async () => {
    const own = await startRedis();
    try {
      const prefix = `t${++prefixes}:`;
      const [one, other] = [
        await open({ target: own.url, prefix, waitMs: 200 }),
        await open({ target: own.url, prefix, waitMs: 200 }),
      ];
      let gaps = 0;
      other.bus.onGap(() => void gaps++);
      const heard: unknown[] = [];
      other.bus.subscribe('t', (message) => void heard.push(message));
      await own.kill();
      await expect(one.counters.reserve([use()])).rejects.toMatchObject(unavailable);
      await expect(one.events.append('t', 1)).rejects.toMatchObject(unavailable);
      one.bus.publish('t', 'lost');
      await own.restart();
      await vi.waitFor(() => expect(gaps).toBe(1), 10_000);
      await vi.waitFor(async () => taken(await one.counters.reserve([use()])), 10_000);
      one.bus.publish('t', 'heard');
      await vi.waitFor(() => expect(heard).toEqual(['heard']), 10_000);
    } finally {
      await own.close();
    }
  });
});
