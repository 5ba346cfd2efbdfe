/** A missing scope is the same 403 at every endpoint, for every kind of request, in both eras, before a stream begins. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { legacy, modern } from '../attacks/talk.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type RawReply, send } from '../e2e/raw.ts';
import { type A2aFixture, startA2a } from '../fixtures/a2a.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { type ModernTasksHttp, startModernTasks } from '../fixtures/tasks/http-modern.ts';

let oidc: Oidc;
let upstream: RecordingUpstream;
let tasks: ModernTasksHttp;
let agent: A2aFixture;
let gateway: OwnGateway;
/** With and without the scope that everything here needs. */
let wide: { headers: Record<string, string> };
let narrow: { headers: Record<string, string> };

beforeAll(async () => {
  [oidc, upstream, tasks, agent] = await Promise.all([
    startOidc(),
    startRecording({ tools: ['write'], prompts: ['letter'], resources: ['notes://one'] }),
    startModernTasks(),
    startA2a('1.0 JSONRPC'),
  ]);
  const all = { tools: ['*'], prompts: ['*'], resources: ['*'], agents: ['*'] };
  gateway = await startReadyGateway({
    servers: {
      v: { url: upstream.url, kind: 'mcp' },
      t: { url: tasks.url, kind: 'mcp' },
      a: { url: agent.url, kind: 'a2a' },
    },
    gateway: {
      auth: {
        issuers: [
          {
            ...{ issuer: oidc.issuer, grant: 'local', requiredScopes: ['mcp'] },
            scopes: { 'mcp:read': { tools: ['none'] }, 'mcp:write': { ...all, implies: ['mcp:read'] } },
          },
        ],
      },
    },
  });
  const tokenOf = async (scope: string) => ({
    headers: { authorization: `Bearer ${await oidc.machineToken(gateway.at('/').href, scope)}` },
  });
  [wide, narrow] = [await tokenOf('mcp mcp:write'), await tokenOf('mcp mcp:read')];
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([oidc?.close(), upstream?.close(), tasks?.close(), agent?.stop()]);
});

/** Status and challenge; and that the body is no stream. */
function refusal({ status, headers }: RawReply): unknown[] {
  const challenge = headers.get('www-authenticate') ?? '';
  const part = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1];
  return [status, part('error'), part('scope'), part('resource_metadata'), headers.get('content-type')?.split(';')[0]];
}

const missing = (path: string): unknown[] => [
  403,
  'insufficient_scope',
  'mcp mcp:write',
  gateway.at(`/.well-known/oauth-protected-resource${path}`).href,
  'application/json',
];

const MERGED = '/mcp';
const OWN = '/servers/v/mcp';
const REQUESTS: [path: string, method: string, params: Record<string, unknown>][] = [
  [MERGED, 'tools/call', { name: 'v__write', arguments: {} }],
  [MERGED, 'prompts/get', { name: 'v__letter' }],
  [MERGED, 'resources/read', { uri: 'notes://one' }],
  [
    MERGED,
    'completion/complete',
    { ref: { type: 'ref/prompt', name: 'v__letter' }, argument: { name: 'a', value: '' } },
  ],
  [OWN, 'tools/call', { name: 'write', arguments: {} }],
  [OWN, 'prompts/get', { name: 'letter' }],
  [OWN, 'resources/read', { uri: 'notes://one' }],
  [
    OWN,
    'completion/complete',
    { ref: { type: 'ref/resource', uri: 'notes://one' }, argument: { name: 'a', value: '' } },
  ],
];

describe('a token without the scope of a request', () => {
  it.each(REQUESTS)('gets the 403 at %s for %s, from a modern client', async (path, method, params) => {
    expect(refusal(await modern(gateway.at(path), narrow, method, params))).toEqual(missing(path));
    expect((await modern(gateway.at(path), wide, method, params)).status).toBe(200);
  });

  it.each(REQUESTS)(
    'gets it at %s for %s in a legacy session that would rather have streams',
    async (path, method, params) => {
      const accept = 'text/event-stream, application/json';
      const session = await legacy(gateway.at(path), narrow, { accept });
      expect(refusal(await session.request(method, params))).toEqual(missing(path));
      const more = await legacy(gateway.at(path), wide, { accept });
      const reply = await more.request(method, params);
      expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
      expect(reply.message.error).toBeUndefined();
    },
  );

  it('gets it for a subscription, and hears nothing', async () => {
    const session = await legacy(gateway.at(OWN), narrow);
    expect(refusal(await session.request('resources/subscribe', { uri: 'notes://one' }))).toEqual(missing(OWN));
    expect(upstream.of('resources/subscribe')).toEqual([]);
  });

  it.each(['message/send', 'message/stream'])('gets it for %s to an agent by A2A', async (method) => {
    const [route] = gateway.gateway.federation.member('a')?.catalog('agents').entries ?? [];
    const path = `/a2a/a/${route?.key}`;
    const params = {
      message: { kind: 'message', messageId: '1', role: 'user', parts: [{ kind: 'text', text: 'hi' }] },
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    expect(refusal(await send(gateway.at(path), { ...narrow, body }))).toEqual(missing(path));
    expect((await send(gateway.at(path), { ...wide, body })).status).toBe(200);
  });

  it.each([true, false])('gets it for a response (stream: %s) of an agent', async (stream) => {
    const [route] = gateway.gateway.federation.member('a')?.catalog('agents').entries ?? [];
    const body = JSON.stringify({ model: `a/${route?.key}`, input: 'hi', stream });
    expect(refusal(await send(gateway.at('/v1/responses'), { ...narrow, body }))).toEqual(missing('/v1'));
    expect((await send(gateway.at('/v1/responses'), { ...wide, body })).status).toBe(200);
  });

  it('gets it for a task that a call with another token became', async () => {
    const capabilities = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
    const ask = (token: typeof wide, method: string, params: Record<string, unknown>, name?: string) =>
      modern(gateway.url, token, method, params, { capabilities, ...(name ? { headers: { 'mcp-name': name } } : {}) });
    const made = await ask(wide, 'tools/call', { name: 't__slow_compute', arguments: { seconds: 0 } });
    const taskId = String(made.message.result?.taskId);
    expect(made.message.result?.resultType).toBe('task');
    for (const method of ['tasks/get', 'tasks/cancel']) {
      expect(refusal(await ask(narrow, method, { taskId }, taskId))).toEqual(missing(MERGED));
    }
    expect((await ask(wide, 'tasks/get', { taskId }, taskId)).message.result?.taskId).toBe(taskId);
  });
});

describe('a server', () => {
  it('is sent nothing of what was refused for its scope', () => {
    // Each was sent once, with the other token.
    const calls = upstream.heard.map(({ method }) => method).filter((method) => SENT.has(method));
    expect(calls.sort()).toEqual([...SENT].flatMap((method) => [method, method, method, method]).sort());
  });
});

const SENT = new Set(['tools/call', 'prompts/get', 'resources/read', 'completion/complete']);
