import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ADMIN_TOKEN,
  allowWithToken,
  askedPage,
  type BridgeGateway,
  bridgeGateway,
  CURSOR,
  post,
  proofKey,
  register,
  token,
  tokensFor,
} from './bridge-gateway.ts';
import { Browser } from './browser.ts';

const CALLBACK = 'http://localhost:33418/callback';
const SECRET = 'the-secret-of-a-client-0123456789';
const certificate = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../fixtures/certificates/${name}`, import.meta.url)), 'utf8');

let trusted: string[];
let documents: Server;
let base: string;
const served = new Map<string, { status?: number; body: string; headers?: Record<string, string> }>();
const asked: string[] = [];
let bridge: BridgeGateway;

beforeAll(async () => {
  trusted = getCACertificates('default');
  setDefaultCACertificates([...trusted, certificate('ca.pem')]);
  documents = createServer({ key: certificate('server.key'), cert: certificate('server.pem') }, (req, res) => {
    asked.push(req.url ?? '');
    const { status = 200, body = '', headers = {} } = served.get(req.url ?? '') ?? { status: 404 };
    res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  });
  await new Promise<void>((resolve) => documents.listen(0, '127.0.0.1', resolve));
  base = `https://localhost:${(documents.address() as AddressInfo).port}`;
  bridge = await bridgeGateway(
    {
      login: 'admin-token',
      clients: [{ id: 'known', name: 'Known client', secret: SECRET, redirectUris: [CALLBACK] }],
    },
    { connect: { allowPrivate: ['localhost'] } },
  );
});
afterAll(async () => {
  await bridge.close();
  documents.closeAllConnections();
  documents.close();
  setDefaultCACertificates(trusted);
});

/** Serves a metadata document and gives its client id. */
function document(path: string, more: object = {}): string {
  const client_id = base + path;
  const metadata = {
    client_id,
    client_name: 'Client with a document',
    redirect_uris: ['http://localhost/callback', 'https://app.example/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    ...more,
  };
  served.set(path, { body: JSON.stringify(metadata) });
  return client_id;
}

/** What an SDK needs of a program that logs people in; the person is {@link Browser}. */
function loginOf(redirectUrl: string, more: { clientMetadataUrl?: string; client?: object } = {}) {
  const kept: { client?: object | undefined; tokens?: object; verifier?: string; url?: URL } = { client: more.client };
  return {
    kept,
    redirectUrl,
    ...(more.clientMetadataUrl && { clientMetadataUrl: more.clientMetadataUrl }),
    clientMetadata: { client_name: 'SDK', redirect_uris: [redirectUrl], token_endpoint_auth_method: 'none' },
    state: () => 'state-of-the-sdk',
    clientInformation: () => kept.client as never,
    saveClientInformation: (client: object) => void Object.assign(kept, { client }),
    tokens: () => kept.tokens as never,
    saveTokens: (tokens: object) => void Object.assign(kept, { tokens }),
    redirectToAuthorization: (url: URL) => void Object.assign(kept, { url }),
    saveCodeVerifier: (verifier: string) => void Object.assign(kept, { verifier }),
    codeVerifier: () => kept.verifier as string,
  };
}

/** The person allows what the SDK asked for. Gives the query of the redirect. */
async function allow(url: URL): Promise<URLSearchParams> {
  const browser = new Browser();
  const page = await browser.follow(url, [bridge.origin]);
  const sent = await browser.submit(page, { answer: 'allow', token: ADMIN_TOKEN });
  const end = await browser.follow(sent.next as URL, [bridge.origin]);
  return (end.next as URL).searchParams;
}

describe('a client that', () => {
  it.each(['registers itself', 'has a metadata document', 'is known beforehand'])(
    '%s logs in with the SDK of 2026-07-28, calls, and refreshes',
    async (how) => {
      const clientMetadataUrl =
        how === 'has a metadata document' ? document('/v2.json', { redirect_uris: [CALLBACK] }) : undefined;
      const client = how === 'is known beforehand' ? { client_id: 'known', client_secret: SECRET } : undefined;
      const login = loginOf(CALLBACK, { ...(clientMetadataUrl && { clientMetadataUrl }), ...(client && { client }) });
      const endpoint = new URL(bridge.endpoint);
      const first = new StreamableHTTPClientTransport(endpoint, { authProvider: login as never });
      await expect(new Client({ name: 'test', version: '1' }).connect(first)).rejects.toThrow();
      expect(login.kept.url?.searchParams.get('resource')).toBe(bridge.endpoint);
      await first.finishAuth(await allow(login.kept.url as URL));
      const session = new Client({ name: 'test', version: '1' });
      await session.connect(new StreamableHTTPClientTransport(endpoint, { authProvider: login as never }));
      expect((await session.listTools()).tools.map(({ name }) => name)).toContain('listServers');
      await session.close();
      // An access token that is not valid any more is replaced without the person.
      login.kept.tokens = { ...login.kept.tokens, access_token: 'stale' };
      login.kept.url = undefined as never;
      const again = new Client({ name: 'test', version: '1' });
      await again.connect(new StreamableHTTPClientTransport(endpoint, { authProvider: login as never }));
      expect(login.kept.url).toBeUndefined();
      await again.close();
    },
  );

  it('registers itself logs in with the SDK of 2025-11-25 and calls', async () => {
    const login = loginOf(CALLBACK);
    const endpoint = new URL(bridge.endpoint);
    const first = new TransportV1(endpoint, { authProvider: login as never });
    await expect(new ClientV1({ name: 'test', version: '1' }).connect(first as never)).rejects.toThrow();
    await first.finishAuth(String((await allow(login.kept.url as URL)).get('code')));
    const session = new ClientV1({ name: 'test', version: '1' });
    await session.connect(new TransportV1(endpoint, { authProvider: login as never }) as never);
    const result = await session.callTool({ name: 'listServers', arguments: {} });
    expect(result.isError).toBeFalsy();
    await session.close();
  });
});

describe('an access token of the bridge', () => {
  const ping = (accessToken: unknown, at = bridge.endpoint) =>
    post(
      at,
      {
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
      },
      { authorization: `Bearer ${accessToken}`, accept: 'application/json, text/event-stream' },
    );

  it('opens the endpoint it is for, and no other', async () => {
    const { body } = await tokensFor(bridge, await register(bridge), CURSOR.redirect_uris[2]);
    expect((await ping(body.access_token)).status).toBe(200);
    expect((await ping(body.access_token, `${bridge.origin}/servers/switchboard/mcp`)).status).toBe(401);
  });

  it('is not made of anything else that the bridge gives out', async () => {
    const { body, code } = await tokensFor(bridge, await register(bridge), CURSOR.redirect_uris[2]);
    const [head, claims] = String(body.access_token).split('.');
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url');
    for (const wrong of [code, body.refresh_token, `${head}.${claims}.AAAA`, `${none}.${claims}.`]) {
      expect((await ping(wrong)).status).toBe(401);
    }
  });

  it('is asked for, with the way to the bridge', async () => {
    const reply = await post(bridge.endpoint, { jsonrpc: '2.0', id: 1, method: 'ping' });
    expect(reply.status).toBe(401);
    const where = /resource_metadata="([^"]+)"/.exec(reply.headers.get('www-authenticate') ?? '')?.[1];
    const metadata = (await (await fetch(String(where))).json()) as Record<string, unknown>;
    expect(metadata).toMatchObject({ resource: bridge.endpoint, authorization_servers: [bridge.origin] });
  });
});

describe('a metadata document of a client', () => {
  const page = (clientId: string, redirectUri = 'http://localhost:51234/callback') =>
    askedPage(bridge, { clientId, redirectUri, challenge: proofKey().challenge });

  it('names the client and its host on the consent page, at any loopback port', async () => {
    const shown = await page(document('/named.json'));
    expect(shown.status).toBe(200);
    expect(shown.text).toContain('Client with a document');
    expect(shown.text).toContain(new URL(base).host);
    expect((await page(document('/named.json'), 'https://app.example/other')).status).toBe(400);
  });

  it('is fetched once for many requests', async () => {
    const clientId = document('/once.json');
    await page(clientId);
    await page(clientId);
    expect(asked.filter((url) => url === '/once.json')).toHaveLength(1);
  });

  it.each<[string, string, { status?: number; body: string; headers?: Record<string, string> }]>([
    ['that redirects', '/redirect.json', { status: 302, body: '', headers: { location: '/named.json' } }],
    ['that is missing', '/missing.json', { status: 404, body: '' }],
    ['that is no JSON', '/text.json', { body: 'hello' }],
    ['that is too large', '/large.json', { body: JSON.stringify({ client_id: 'x', filler: 'x'.repeat(300_000) }) }],
    [
      'of another client',
      '/other.json',
      {
        body: JSON.stringify({
          client_id: 'https://app.example/client.json',
          redirect_uris: ['http://localhost/callback'],
        }),
      },
    ],
  ])('%s is no client', async (_which, path, reply) => {
    served.set(path, reply);
    const shown = await page(base + path);
    expect(shown.status).toBeGreaterThanOrEqual(400);
    expect(shown.next).toBeUndefined();
    expect(shown.text).not.toContain('127.0.0.1:');
  });

  it('is not fetched from an address that the operator did not allow', async () => {
    const guarded = await bridgeGateway({ login: 'admin-token' });
    try {
      const before = asked.length;
      const clientId = document('/private.json');
      const shown = await askedPage(guarded, {
        clientId,
        redirectUri: 'http://localhost:1/callback',
        challenge: proofKey().challenge,
      });
      expect(shown.status).toBe(400);
      expect(asked).toHaveLength(before);
    } finally {
      await guarded.close();
    }
  });

  it('cannot ask for a grant type of machines, nor for a secret', async () => {
    const clientId = document('/greedy.json', { grant_types: ['client_credentials', 'authorization_code'] });
    const { status } = await token(bridge, { grant_type: 'client_credentials', client_id: clientId });
    expect(status).toBe(400);
    const secret = document('/secret.json', { token_endpoint_auth_method: 'client_secret_post', client_secret: 'x' });
    expect((await page(secret)).status).toBe(400);
  });
});

describe('a client that is known beforehand', () => {
  it('needs its secret', async () => {
    const { verifier, challenge } = proofKey();
    const end = await allowWithToken(bridge, { clientId: 'known', redirectUri: CALLBACK, challenge });
    const fields = {
      grant_type: 'authorization_code',
      code: String(end.searchParams.get('code')),
      redirect_uri: CALLBACK,
      client_id: 'known',
      code_verifier: verifier,
    };
    expect((await token(bridge, fields)).status).toBe(401);
    expect((await token(bridge, { ...fields, client_secret: 'a-wrong-secret-0123456789' })).status).toBe(401);
    // Sent in the body or in the header, as the client likes.
    expect((await token(bridge, { ...fields, client_secret: SECRET })).status).toBe(200);
  });
});
