/** A call that never left takes nothing from a limit; one that did, does, whatever came of it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Member } from '../../src/federation/types.ts';
import { type ClientKind, Clients, type TestClient, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { denialOf } from './gateway.ts';

const once = (counter: string) => ({ limits: [{ counter, window: 'day', max: 1 }] });
const policy = {
  version: '1',
  default: 'allow',
  tools: Object.fromEntries(['echo', 'fail', 'boom', 'touch', 'add', 'big'].map((tool) => [tool, once(tool)])),
  prompts: { broken: once('broken') },
};
const KINDS: readonly ClientKind[] = ['v1', 'v2-modern'];

let upstreams: Record<string, HttpFixture>;
let gateway: OwnGateway;
const clients = new Clients();

/** For each kind of client a server of each era with counts of its own. */
const serversOf = (kind: ClientKind) => [`legacy-${kind}`, `modern-${kind}`];

beforeAll(async () => {
  upstreams = {};
  for (const kind of KINDS) {
    upstreams[`legacy-${kind}`] = await startV1Http();
    upstreams[`modern-${kind}`] = await startV2Http('modern');
  }
  gateway = await startReadyGateway({
    servers: Object.fromEntries(
      Object.entries(upstreams).map(([name, { url }]) => [name, { url, policy, concurrency: 1, maxQueue: 1 }]),
    ),
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all(Object.values(upstreams).map((upstream) => upstream.close()));
});

/** Resolves when so many calls wait for the server. */
const waits = (server: string, count: number): Promise<true> => {
  const { relay, federation } = gateway.gateway;
  return until(() => relay.load(federation.member(server) as Member)?.waiting === count, `${count} calls to wait`);
};

const limited = async (client: TestClient, name: string, args = {}): Promise<boolean> =>
  denialOf(await client.call(name, args))?.code === 'SWB_RATE_LIMITED';

describe.each(KINDS.flatMap((kind) => serversOf(kind).map((server) => [kind, server] as const)))(
  'for a %s client, a call of server %s',
  (kind, server) => {
    const connect = () => clients.connect(kind, { http: gateway.url });

    it('that failed there counts, as an error of the tool or of the protocol', async () => {
      const client = await connect();
      expect((await client.call(`${server}__fail`)).isError).toBe(true);
      expect(await limited(client, `${server}__fail`)).toBe(true);
      await client.call(`${server}__boom`).catch(() => undefined);
      expect(await limited(client, `${server}__boom`)).toBe(true);
      const broken = () => client.request('prompts/get', { name: `${server}__broken` });
      await expect(broken()).rejects.not.toMatchObject({ data: { code: 'SWB_RATE_LIMITED' } });
      await expect(broken()).rejects.toMatchObject({ data: { code: 'SWB_RATE_LIMITED' } });
    });

    it('that did not fit its schema does not count', async () => {
      const client = await connect();
      expect(denialOf(await client.call(`${server}__add`, { a: 'one' }))?.code).toBe('SWB_ARGUMENTS_INVALID');
      expect(await limited(client, `${server}__add`, { a: 1, b: 2 })).toBe(false);
      expect(await limited(client, `${server}__add`, { a: 1, b: 2 })).toBe(true);
    });

    it('that found the queue full, or was cancelled in it, does not count', async () => {
      const [client, other] = [await connect(), await connect()];
      const { ledger } = upstreams[server] as HttpFixture;
      const started = ledger.count('slow:started');
      const running = new AbortController();
      const slow = client.call(`${server}__slow`, {}, { signal: running.signal }).catch(() => undefined);
      await until(() => ledger.count('slow:started') > started, 'the call to run');
      const waiting = new AbortController();
      const queued = other.call(`${server}__echo`, { text: 'x' }, { signal: waiting.signal }).catch(() => 'cancelled');
      await waits(server, 1);
      // The queue has one place.
      await expect(client.call(`${server}__touch`)).rejects.toThrow(/is busy/);
      waiting.abort();
      expect(await queued).toBe('cancelled');
      // The two are cancelled on connections of their own.
      await waits(server, 0);
      running.abort();
      await slow;
      await until(() => ledger.count('slow:cancelled') > 0, 'the call to end');
      expect(textOf(await client.call(`${server}__echo`, { text: 'now' }))).toBe('now');
      expect(await limited(client, `${server}__echo`, { text: 'x' })).toBe(true);
      expect(textOf(await client.call(`${server}__touch`))).toMatch(/^\d+$/);
      expect(await limited(client, `${server}__touch`)).toBe(true);
    });

    it('to a server that refuses connections does not count', async () => {
      const client = await connect();
      await upstreams[server]?.close();
      for (let i = 0; i < 3; i++) {
        const failed = await client.call(`${server}__big`, { bytes: 1 }).then(denialOf, (error) => error.data);
        expect(failed.code).not.toBe('SWB_RATE_LIMITED');
        expect(failed.code).toMatch(/^SWB_UPSTREAM/);
      }
    });
  },
);
