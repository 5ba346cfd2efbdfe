/** Operators of two replicas below a path: each request of a browser reaches the other one. */
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../src/state/testing/redis-server.ts';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { modern } from '../attacks/talk.ts';
import { type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { auditLines } from '../policy/gateway.ts';
import { CLIENT, clientAt, Person, withClaims } from './operator.ts';

const PATH = '/gw';
const TOKEN = 'a-gateway-token-of-tests';
const PEOPLE = { ada: { groups: ['platform'], preferred_username: 'ada' } };

let redis: RedisServer;
let upstream: RecordingUpstream;
let company: Oidc;
let proxy: Server;
let base: string;
let replicas: OwnGateway[] = [];
let turn = 0;

/** Takes the path away and leaves the host, as proxies do. */
function startProxy(): Promise<Server> {
  const server = createServer((req, res) => {
    const { method, headers, url = '' } = req;
    const { hostname, port } = new URL((replicas[turn++ % replicas.length] as OwnGateway).url);
    const path = url.startsWith(`${PATH}/`) ? url.slice(PATH.length) : url;
    const passed = request({ hostname, port, method, path, headers }, (reply) => {
      res.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(res);
    });
    passed.on('error', () => res.destroy());
    res.on('close', () => passed.destroy());
    req.pipe(passed);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

beforeAll(async () => {
  [redis, upstream, proxy] = await Promise.all([startRedis(), startRecording({ tools: ['pay'] }), startProxy()]);
  base = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${PATH}`;
  company = await startOidc({ clients: [clientAt(base)], more: withClaims(PEOPLE) });
  const bridge = { login: { issuer: company.issuer, ...CLIENT } };
  const start = () =>
    startGateway({
      servers: { v: { url: upstream.url, kind: 'mcp' } },
      gateway: {
        publicUrl: base,
        state: redis.url,
        stateDir: false,
        audit: { file: 'state/audit.jsonl' },
        // Without an admin token: people alone open the pages. The provider is the bridge's.
        admin: { login: { admins: [{ claim: 'groups', value: 'platform' }] } },
        auth: { bridge },
        token: TOKEN,
      },
    });
  replicas = [await start(), await start()];
  await Promise.all(replicas.map((replica) => replica.reaches('v', 'ready')));
});
afterAll(async () => {
  proxy?.closeAllConnections();
  proxy?.close();
  for (const replica of replicas) await replica.close();
  await Promise.all([redis?.close(), upstream?.close(), company?.close()]);
});

/** Requests of all sides at one replica; the next goes to the other one. */
const at = (replica: number): void => {
  turn = replica;
};

describe('a login of an operator on two replicas', () => {
  it('begins at one, ends at the other, opens a session for both, and ends for both', async () => {
    const ada = new Person(base, company);
    at(0);
    const back = await ada.arrive('ada');
    expect([back.status, back.next?.href.replace(/=.*/, '')]).toEqual([303, `${base}/admin/#login`]);
    expect((await ada.enter(back)).json.name).toBe('ada');
    for (const replica of [0, 1]) {
      at(replica);
      expect((await ada.ask('api/session')).json).toEqual({ open: true, name: 'ada', mayChange: true });
    }
    at(1);
    await ada.ask('api/logout', {});
    for (const replica of [0, 1]) {
      at(replica);
      expect((await ada.ask('api/session')).status).toBe(401);
    }
  });

  it('has their name where another replica does what they ask for', async () => {
    const ada = new Person(base, company);
    await ada.logIn('ada');
    at(0);
    const stream = await fetch(`${base}/admin/api/events?only=calls`, {
      headers: { cookie: ada.browser.cookies(base), 'x-switchboard-key': ada.key ?? '' },
    });
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    let told = '';
    const reading = (async () => {
      for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) told += read.value;
    })();
    at(0);
    await ada.ask('api/recording', { minutes: 1 });
    const key = { headers: { authorization: `Bearer ${TOKEN}` } };
    const replica = (replicas[1] as OwnGateway).url;
    // Until the other replica knows that its calls are wanted here.
    const id = await until(async () => {
      await modern(replica, key, 'tools/call', { name: 'v__pay', arguments: { a: 1 } });
      return /"id":"([\w-]+\.\d+)"/.exec(told)?.[1];
    }, 'a call of the other replica to be shown');
    await reader?.cancel();
    await reading;
    const before = upstream.calls('pay').length;
    at(0);
    const repeated = await ada.ask(`api/calls/${id}/repeat`, {});
    expect([repeated.status, repeated.json]).toMatchObject([200, { result: {} }]);
    expect(upstream.calls('pay')).toHaveLength(before + 1);
    const lines = (replica: number) =>
      auditLines(replicas[replica] as OwnGateway) as unknown as Record<string, unknown>[];
    await expect
      .poll(() => lines(1).filter(({ action }) => action === 'calls/:call/repeat'))
      .toMatchObject([{ operator: `${company.issuer}#ada`, person: 'ada', target: id, outcome: 'ok' }]);
    expect(lines(0).filter(({ action }) => action === 'calls/:call/repeat')).toEqual([]);
  });
});
