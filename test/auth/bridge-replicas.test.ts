/** The bridge below a path, on two replicas of which each request reaches the other one; and with scopes that clients step up to. */
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../src/state/testing/redis-server.ts';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { modern } from '../attacks/talk.ts';
import { ADMIN_TOKEN, type BridgeGateway, bridgeGateway, CURSOR, post, proofKey } from './bridge-gateway.ts';
import { Browser } from './browser.ts';

const PATH = '/gw';
const REDIRECT = CURSOR.redirect_uris[2] as string;

let redis: RedisServer;
let upstream: RecordingUpstream;
let replicas: BridgeGateway[] = [];
let proxy: Server;
let origin: string;

/** Takes the path away, as proxies do; the well-known addresses that clients make of the whole path stay as they are. */
function startProxy(): Promise<Server> {
  let turn = 0;
  const server = createServer((req, res) => {
    const { method, headers, url = '' } = req;
    const { host } = new URL((replicas[turn++ % replicas.length] as BridgeGateway).origin);
    const [hostname, port] = host.split(':');
    const path = url.startsWith(`${PATH}/`) ? url.slice(PATH.length) : url;
    const passed = request({ hostname, port, method, path, headers: { ...headers, host } }, (reply) => {
      res.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(res);
    });
    passed.on('error', () => res.destroy());
    req.pipe(passed);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

beforeAll(async () => {
  [redis, upstream, proxy] = await Promise.all([
    startRedis(),
    startRecording({ tools: ['read', 'write'] }),
    startProxy(),
  ]);
  origin = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const scopes = { 'mcp:read': { tools: ['v__read'] }, 'mcp:write': { tools: ['v__*'], implies: ['mcp:read'] } };
  const start = () =>
    bridgeGateway(
      { login: 'admin-token', scopes },
      { publicUrl: origin + PATH, state: redis.url, servers: { v: { url: upstream.url, kind: 'mcp' } } },
    );
  replicas = [await start(), await start()];
  await Promise.all(replicas.map(({ gateway }) => gateway.settled?.()));
});
afterAll(async () => {
  proxy?.closeAllConnections();
  proxy?.close();
  for (const replica of replicas) await replica.close();
  await Promise.all([redis?.close(), upstream?.close()]);
});

const challengePart = (headers: Headers, name: string): string =>
  new RegExp(`${name}="([^"]*)"`).exec(headers.get('www-authenticate') ?? '')?.[1] ?? '';
const json = async (url: string): Promise<Record<string, unknown>> => (await fetch(url)).json() as never;

/** What a client finds out by itself from the address it was given. */
async function discover(): Promise<{ endpoint: string; as: Record<string, string> }> {
  const endpoint = `${origin}${PATH}/mcp`;
  const { headers } = await modern(endpoint, undefined, 'tools/list');
  const resource = await json(challengePart(headers, 'resource_metadata'));
  expect(resource).toMatchObject({
    resource: endpoint,
    authorization_servers: [origin + PATH],
    scopes_supported: ['mcp'],
  });
  expect(await json(`${origin}/.well-known/oauth-protected-resource${PATH}/mcp`)).toEqual(resource);
  return { endpoint, as: (await json(`${origin}/.well-known/oauth-authorization-server${PATH}`)) as never };
}

describe('a client of the bridge below a path and on two replicas', () => {
  it('logs in, is told which scope a call needs, logs in for that, and refreshes', async () => {
    const { endpoint, as } = await discover();
    expect(as.issuer).toBe(origin + PATH);
    for (const name of ['authorization_endpoint', 'token_endpoint', 'registration_endpoint', 'jwks_uri']) {
      expect(as[name]).toMatch(`${origin}${PATH}/`);
    }
    const { body: client } = await post(String(as.registration_endpoint), CURSOR);

    async function logIn(scope: string | undefined): Promise<{ page: string; tokens: Record<string, unknown> }> {
      const { verifier, challenge } = proofKey();
      const url = new URL(String(as.authorization_endpoint));
      const asked = {
        ...{ response_type: 'code', client_id: String(client.client_id), redirect_uri: REDIRECT, state: 's' },
        ...{ code_challenge: challenge, code_challenge_method: 'S256', resource: endpoint },
        ...(scope === undefined ? {} : { scope }),
      };
      for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
      const browser = new Browser();
      const page = await browser.follow(url, [origin]);
      expect(page.url.pathname).toMatch(/^\/gw\/authorize\/request\//);
      const sent = await browser.submit(page, { answer: 'allow', token: ADMIN_TOKEN });
      const end = await browser.follow(sent.next as URL, [origin]);
      const back = end.next as URL;
      expect(back.searchParams.get('iss')).toBe(origin + PATH);
      const fields = {
        ...{ grant_type: 'authorization_code', code: String(back.searchParams.get('code')), redirect_uri: REDIRECT },
        ...{ client_id: String(client.client_id), code_verifier: verifier, resource: endpoint },
      };
      const { body } = await post(String(as.token_endpoint), new URLSearchParams(fields));
      return { page: page.text, tokens: body };
    }
    const call = (token: unknown, name: string) =>
      modern(endpoint, { headers: { authorization: `Bearer ${String(token)}` } }, 'tools/call', {
        name,
        arguments: {},
      });

    const first = await logIn(undefined);
    expect(first.page).toContain('See which tools');
    expect(first.tokens.scope).toBe('mcp');
    const refused = await call(first.tokens.access_token, 'v__write');
    expect([refused.status, challengePart(refused.headers, 'scope')]).toEqual([403, 'mcp mcp:write']);
    expect((await call(first.tokens.access_token, 'v__read')).status).toBe(403);

    const second = await logIn(challengePart(refused.headers, 'scope'));
    expect(second.page).toContain('mcp:write');
    for (const name of ['v__write', 'v__write', 'v__read']) {
      expect((await call(second.tokens.access_token, name)).status).toBe(200);
    }
    expect(upstream.calls('write')).toHaveLength(2);

    const refresh = (token: unknown) =>
      post(
        String(as.token_endpoint),
        new URLSearchParams({
          ...{ grant_type: 'refresh_token', refresh_token: String(token), client_id: String(client.client_id) },
        }),
      );
    const next = await refresh(second.tokens.refresh_token);
    expect(next.body.scope).toBe('mcp mcp:write');
    expect((await call(next.body.access_token, 'v__write')).status).toBe(200);
    const [again, then] = [await refresh(second.tokens.refresh_token), await refresh(next.body.refresh_token)];
    expect([again.body.error, then.body.error]).toEqual(['invalid_grant', 'invalid_grant']);
  });

  it('reads in the metadata which scopes there are', async () => {
    const metadata = await json(`${origin}/.well-known/oauth-authorization-server${PATH}`);
    expect(metadata.scopes_supported).toEqual(expect.arrayContaining(['mcp', 'mcp:read', 'mcp:write']));
  });
});
