/** Scopes of access tokens: what they allow, and the one 403 that names what is missing, in both eras. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADAPTERS } from '../../adapters/index.ts';
import {
  call,
  type Exchanged,
  modern,
  openSession,
  openStream,
  post,
  postModern,
  rpc,
  until,
} from '../../src/endpoint/testing/http.ts';
import { loadConfig } from '../../src/load-config.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { grant } from '../policy/grants.ts';
import { bearer, callTool, challengeOf, type LoginGateway, startLoginGateway } from './tokens.ts';

const people = grant({ policy: { version: '1', default: 'allow', tools: { v__secret: { action: 'deny' } } } });

let login: LoginGateway;
let mcp: URL;

beforeAll(async () => {
  login = await startLoginGateway({
    issuer: {
      grant: 'people',
      requiredScopes: ['mcp'],
      scopes: {
        'mcp:read': { tools: ['v__read', 'v__secret'] },
        'mcp:write': { tools: ['v__*'] },
        'mcp:admin': { implies: ['mcp:write', 'mcp:read'] },
      },
    },
    gateway: () => ({ grants: { people: people.entry }, audit: { file: 'state/audit.jsonl' } }),
  });
  mcp = login.gateway.at('/mcp');
});
afterAll(() => login?.close());

const tokenOf = (scope: string): Promise<string> => login.oidc.machineToken(mcp.href, scope);

const refusal = (reply: Exchanged): [number, string | undefined, string | undefined] => [
  reply.status,
  challengeOf(reply).error,
  challengeOf(reply).scope,
];

const WRITE = [403, 'insufficient_scope', 'mcp mcp:write'];

describe('a token without the scope of a tool', () => {
  it('gets a 403 that names all scopes of the call, and where to log in', async () => {
    const reply = await callTool(mcp, 'v__write', await tokenOf('mcp mcp:read'));
    expect(refusal(reply)).toEqual(WRITE);
    expect(challengeOf(reply).resource_metadata).toMatch(/oauth-protected-resource\/mcp$/);
    expect(await reply.json()).toMatchObject({
      error: { data: { code: 'SWB_INSUFFICIENT_SCOPE', scope: 'mcp mcp:write' } },
    });
  });

  it.each([['application/json, text/event-stream'], ['text/event-stream'], ['text/event-stream, application/json']])(
    'gets it in a legacy session too, before any byte of a stream (Accept: %s)',
    async (accept) => {
      const session = await openSession(mcp, '2025-11-25', bearer(await tokenOf('mcp mcp:read')));
      const reply = await post(mcp, call(1, 'v__write'), { ...session, accept });
      expect(refusal(reply)).toEqual(WRITE);
      expect((await post(mcp, call(2, 'v__read'), { ...session, accept })).status).toBe(200);
      // With a token that has it the same session goes on.
      const more = { ...session, ...bearer(await tokenOf('mcp mcp:read mcp:write')) };
      expect((await post(mcp, call(3, 'v__write'), more)).status).toBe(200);
    },
  );

  it('gets it in the stream of the old transport, which is all there is', async () => {
    const headers = bearer(await login.oidc.machineToken(login.gateway.at('/sse').href, 'mcp mcp:read'));
    const stream = await openStream(login.gateway.at('/sse'), headers);
    await until(() => stream.events.length > 0, 'the address is announced');
    const messages = new URL(String(stream.events[0]?.data), login.gateway.at('/sse'));
    const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 't', version: '1' } };
    await post(messages, rpc(0, 'initialize', params), headers);
    await post(messages, call(1, 'v__write'), headers);
    await until(() => stream.events.length > 2, 'both are answered');
    const last = JSON.parse(String(stream.events[2]?.data)) as { error: { data: JsonObject } };
    expect(last.error.data).toMatchObject({ code: 'SWB_INSUFFICIENT_SCOPE', scope: 'mcp mcp:write' });
    stream.abort();
  });

  it('is listed the tool, so that its client can ask for more', async () => {
    const reply = await postModern(mcp, modern(1, 'tools/list'), bearer(await tokenOf('mcp')));
    const names = ((await reply.json()) as { result: { tools: { name: string }[] } }).result.tools.map(
      ({ name }) => name,
    );
    expect(names).toEqual(expect.arrayContaining(['v__read', 'v__write']));
    // No scope of any token allows the builtin tools here.
    expect(names).not.toContain('listServers');
  });

  it('is told of no scope where policy denies the tool anyway', async () => {
    const reply = await callTool(mcp, 'v__secret', await tokenOf('mcp'));
    expect(reply.status).toBe(200);
    expect(await reply.json()).toMatchObject({ result: { isError: true } });
  });

  it('is denied what no scope allows', async () => {
    const reply = await callTool(mcp, 'listServers', await tokenOf('mcp mcp:admin'));
    expect(await reply.json()).toMatchObject({
      result: { isError: true, _meta: { 'switchboard/denial': { rule: '(no scope)' } } },
    });
  });

  it('reaches no server', async () => {
    const before = login.upstream.calls('write').length;
    await callTool(mcp, 'v__write', await tokenOf('mcp mcp:read'));
    expect(login.upstream.calls('write')).toHaveLength(before);
  });
});

describe('scopes', () => {
  it('that are broad include the narrow ones they imply', async () => {
    const admin = await tokenOf('mcp mcp:admin');
    expect((await callTool(mcp, 'v__write', admin)).status).toBe(200);
    expect((await callTool(mcp, 'v__read', admin)).status).toBe(200);
  });

  it('that every request needs are asked for in the 401 and in a 403', async () => {
    expect(challengeOf(await callTool(mcp, 'v__read')).scope).toBe('mcp');
    expect(refusal(await callTool(mcp, 'v__read', await tokenOf('mcp:read')))).toEqual([
      403,
      'insufficient_scope',
      'mcp',
    ]);
  });

  it('of the metadata are the least that a client needs', async () => {
    const found = await fetch(login.gateway.at('/.well-known/oauth-protected-resource/mcp'));
    expect(await found.json()).toMatchObject({ scopes_supported: ['mcp'] });
  });

  it('that are edited take effect after a restart, and the log names the key', async () => {
    const config = await loadConfig({ file: login.gateway.file, env: {}, adapters: ADAPTERS });
    const issuers = config.gateway.auth?.issuers.map((issuer) => ({ ...issuer, requiredScopes: [] })) ?? [];
    const gateway = { ...config.gateway, auth: { ...config.gateway.auth, issuers } };
    await login.gateway.gateway.reload({ ...config, gateway });
    expect(login.gateway.log()).toContain('"keys":["gateway.auth.issuers"]');
    expect((await callTool(mcp, 'v__read', await tokenOf('mcp:read'))).status).toBe(403);
  });

  it('do not concern keys of grants', async () => {
    expect((await callTool(mcp, 'v__write', people.key)).status).toBe(200);
  });
});
