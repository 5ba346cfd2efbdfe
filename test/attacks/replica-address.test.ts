/**
 * A writer of the shared state can name an address of its own as a replica's, and receives what is passed on to it: nothing there
 * makes it an operator.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordingLog } from '../../adapters/testing/context.ts';
import { TOKEN_OPERATOR } from '../../src/auth/operators/operator.ts';
import { PassedOn } from '../../src/endpoint/admin/passed-on.ts';
import { Passage } from '../../src/endpoint/http/replicas/passage.ts';
import { openRedisState } from '../../src/state/redis/redis-state.ts';
import { Replicas } from '../../src/state/replicas.ts';
import type { State } from '../../src/state/state.ts';
import { type RedisServer, startRedis } from '../../src/state/testing/redis-server.ts';
import { type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';

const TOKEN = 'an-admin-token-for-tests-0123456789';
const log = recordingLog();

interface Seen {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

let redis: RedisServer;
let gateway: OwnGateway;
let state: State;
let replicas: Replicas;
let passage: Passage;
/** What reached the attacker's address. */
const harvest: Seen[] = [];

beforeAll(async () => {
  redis = await startRedis();
  gateway = await startGateway({ gateway: { adminToken: TOKEN, state: redis.url } });
  // What the attacker has is in Redis: its key for connections between replicas, too.
  state = await openRedisState({ target: redis.url, log });
  passage = new Passage(await state.secret('replicas'));
  const address = await passage.listen({ host: '127.0.0.1', port: 0 }, async (req, res) => {
    let body = '';
    for await (const chunk of req) body += chunk;
    harvest.push({
      method: req.method ?? '',
      url: req.url ?? '',
      headers: req.headers as Record<string, string>,
      body,
    });
    res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  replicas = new Replicas({ state, log });
  await replicas.start(address);
});
afterAll(async () => {
  await replicas?.close();
  passage?.close();
  await state?.close();
  await gateway?.close();
  await redis?.close();
});

/** An operator's page asks about a call that the attacker's "replica" has made. */
async function lure(method: 'GET' | 'POST'): Promise<Seen> {
  const call = `/admin/api/calls/${state.replica}.1`;
  const sent =
    method === 'GET'
      ? fetch(gateway.at(call), { headers: { authorization: `Bearer ${TOKEN}` } })
      : fetch(gateway.at(`${call}/repeat`), {
          method,
          headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
          body: '{"of":"the operator"}',
        });
  await sent;
  return harvest.pop() as Seen;
}

/** Sends a request to the gateway where replicas do. */
async function atReplicas(sent: Pick<Seen, 'method' | 'url' | 'headers'> & { body?: string }): Promise<number> {
  const address = await until(
    () => replicas.addressOf(replicas.others[0] ?? ''),
    () => 'the gateway to be known',
  );
  const { 'content-length': _, host: __, connection: ___, ...headers } = sent.headers;
  return new Promise((resolve, reject) => {
    passage.send(
      address,
      {
        method: sent.method as 'GET',
        path: sent.url,
        headers: { 'content-type': 'application/json', ...headers },
        body: sent.body ?? null,
      },
      {
        onRequestStart() {},
        onResponseStart: (_controller, status) => resolve(status),
        onResponseData() {},
        onResponseEnd() {},
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
}

describe('an address that the attacker has written into the state', () => {
  let seen: Seen;

  beforeAll(async () => {
    seen = await until(
      () => lure('GET'),
      () => 'a request to be passed on to the attacker',
    );
  });

  it('gets requests of operators without the admin token', async () => {
    const posted = await lure('POST');
    expect(posted).toMatchObject({ method: 'POST', body: '{"of":"the operator"}' });
    for (const { headers } of [seen, posted]) {
      expect(headers).not.toHaveProperty('authorization');
      expect(JSON.stringify(headers)).not.toContain(TOKEN);
    }
  });

  it('gets nothing that opens the administration of the gateway, as it came, at another address or later', async () => {
    const posted = await lure('POST');
    const opened = [
      await atReplicas(seen),
      await atReplicas({ ...seen, url: '/admin/api/grants' }),
      await atReplicas(posted),
      await atReplicas({ ...posted, url: '/admin/api/grants', body: '{"name":"mine"}' }),
      await atReplicas({ ...seen, headers: { authorization: seen.headers['x-switchboard-proof'] ?? '' } }),
    ];
    expect(opened).toEqual([403, 403, 403, 403, 403]);
    expect(gateway.log()).toContain('A request of an operator that another replica passed on was refused.');
  });

  it('would get it with the token alone', async () => {
    const [to = ''] = replicas.others;
    const own = new PassedOn({ token: TOKEN, replica: state.replica, log });
    const [method, path] = ['GET', '/admin/api/servers'];
    const headers = own.headersFor({ to, method, path, body: Buffer.alloc(0), operator: TOKEN_OPERATOR });
    expect(await atReplicas({ method, url: path, headers })).toBe(200);
    expect(await atReplicas({ method, url: path, headers })).toBe(403);
  });
});
