/** Round the counters: however a grant calls, it has what its limits give it, and nothing is counted twice. */
import { createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FIXTURES_ALLOWED, type OwnGateway, type Servers, startReadyGateway } from '../e2e/gateway.ts';
import { envelope, modernRequest, send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { grant } from '../policy/grants.ts';
import { type Params, type RecordingUpstream, RpcFailure, startRecording } from './recording-upstream.ts';
import { denialOf, isRefused, legacy, modern } from './talk.ts';

const limited = (tools: Record<string, number>, scope = 'grant') => ({
  version: '1',
  default: 'deny',
  tools: Object.fromEntries(
    Object.entries(tools).map(([tool, max]) => [tool, { limits: [{ counter: tool, window: 'day', max, scope }] }]),
  ),
});

const ASKS = { elicitation: { form: {}, url: {} } };
const CONTENT = { content: [{ type: 'text', text: 'done' }] };

let v: RecordingUpstream;
let m: RecordingUpstream;
const gateways: OwnGateway[] = [];
/** Calls of the tool `hang` that wait, and what ends them. */
const hanging: (() => void)[] = [];

const startV = (): Promise<RecordingUpstream> =>
  startRecording({
    tools: ['echo', 'hang', 'page'],
    handlers: {
      'tools/call': async ({ name }: Params) => {
        if (name === 'hang') await new Promise<void>((resolve) => hanging.push(resolve));
        if (name === 'page') {
          const elicitations = [{ mode: 'url', url: 'https://example.com/', message: 'Open it.', elicitationId: '1' }];
          throw new RpcFailure(-32042, 'Open a page first.', { elicitations });
        }
        return CONTENT;
      },
    },
  });

beforeAll(async () => {
  v = await startV();
  m = await startRecording({
    era: 'modern',
    tools: ['ask', 'other'],
    handlers: {
      'tools/call': ({ requestState, arguments: args }: Params) => {
        if (requestState !== undefined) return CONTENT;
        return {
          resultType: 'input_required',
          requestState: (args as Params).state ?? 'always the same',
          inputRequests: {
            q: {
              method: 'elicitation/create',
              params: { message: '?', requestedSchema: { type: 'object', properties: {} } },
            },
          },
        };
      },
    },
  });
});
afterEach(async () => {
  for (const end of hanging.splice(0)) end();
  for (const gateway of gateways.splice(0)) await gateway.close();
  v.heard.length = 0;
  m.heard.length = 0;
});
afterAll(() => Promise.all([v?.close(), m?.close()]));

async function start(gateway: Record<string, unknown>, servers: Servers = {}): Promise<OwnGateway> {
  const all = { v: { url: v.url, kind: 'mcp' }, m: { url: m.url, kind: 'mcp' }, ...servers };
  const started = await startReadyGateway({ servers: all, gateway });
  gateways.push(started);
  return started;
}

it('a burst over every endpoint, era and session of one grant gets exactly the limit', async () => {
  const [one, other] = [grant({ policy: limited({ v__echo: 7 }) }), grant({ policy: limited({ v__echo: 7 }) })];
  const gateway = await start({ grants: { one: one.entry, other: other.entry } });
  const own = gateway.at('/servers/v/mcp');
  const sessions = await Promise.all(Array.from({ length: 8 }, (_, i) => legacy(i % 2 === 0 ? gateway.url : own, one)));
  const replies = await Promise.all([
    ...sessions.flatMap((session, i) =>
      Array.from({ length: 5 }, () =>
        session.request('tools/call', { name: i % 2 === 0 ? 'v__echo' : 'echo', arguments: {} }),
      ),
    ),
    ...Array.from({ length: 20 }, (_, i) =>
      i % 2 === 0
        ? modern(gateway.url, one, 'tools/call', { name: 'v__echo', arguments: {} })
        : modern(own, one, 'tools/call', { name: 'echo', arguments: {} }),
    ),
  ]);
  expect(replies.filter((reply) => !isRefused(reply))).toHaveLength(7);
  expect(v.calls('echo')).toHaveLength(7);
  for (const reply of replies.filter(isRefused)) {
    expect(denialOf(reply)).toMatchObject({ code: 'SWB_RATE_LIMITED' });
    expect(denialOf(reply)?.retryAfterMs).toBeGreaterThan(0);
  }
  // New sessions do not begin anew.
  const again = await legacy(gateway.url, one);
  expect(denialOf(await again.request('tools/call', { name: 'v__echo', arguments: {} }))).toBeDefined();
  expect(isRefused(await modern(gateway.url, other, 'tools/call', { name: 'v__echo', arguments: {} }))).toBe(false);
});

it('a limit of a grant is one, whatever a modern client calls its sessions of servers', async () => {
  const key = grant({ policy: limited({ v__echo: 2 }) });
  const gateway = await start({ grants: { key: key.entry } });
  const replies = [];
  for (let i = 0; i < 5; i++) {
    const _meta = { ...envelope(), 'switchboard/session': `s${i}` };
    const params = { name: 'v__echo', arguments: {}, _meta };
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'v__echo' };
    replies.push(
      await send(gateway.url, {
        headers: { ...headers, ...key.headers },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
      }),
    );
  }
  expect(replies.filter((reply) => !isRefused(reply))).toHaveLength(2);
});

it('a call that is cancelled after it was sent stays counted', async () => {
  const key = grant({ policy: limited({ v__hang: 3 }) });
  const gateway = await start({ grants: { key: key.entry } });
  for (let i = 1; i <= 3; i++) {
    const stop = new AbortController();
    const { headers, body = '' } = modernRequest('tools/call', { name: 'v__hang', arguments: {} });
    const reply = fetch(gateway.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headers, ...key.headers },
      body: body as string,
      signal: stop.signal,
    });
    await until(() => v.calls('hang').length === i, 'the call to be with the server');
    stop.abort();
    await expect(reply).rejects.toThrow();
  }
  const last = await modern(gateway.url, key, 'tools/call', { name: 'v__hang', arguments: {} });
  expect(denialOf(last)).toMatchObject({ code: 'SWB_RATE_LIMITED' });
});

it('connectServer is used once the gateway connects, though the client goes away', async () => {
  let connections = 0;
  const sockets: Socket[] = [];
  const mute = createServer((socket) => {
    connections++;
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const { port } = mute.address() as { port: number };
  const key = grant({ policy: limited({ connectServer: 2 }) });
  const gateway = await start({ grants: { key: key.entry }, ...FIXTURES_ALLOWED });
  try {
    for (let i = 1; i <= 2; i++) {
      const stop = new AbortController();
      const request = modernRequest('tools/call', {
        name: 'connectServer',
        arguments: { url: `http://127.0.0.1:${port}/${i}` },
      });
      const before = connections;
      const reply = fetch(gateway.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...request.headers,
          ...key.headers,
        },
        body: request.body as string,
        signal: stop.signal,
      });
      await until(() => connections > before, 'the gateway to connect');
      stop.abort();
      await expect(reply).rejects.toThrow();
    }
    const last = await modern(gateway.url, key, 'tools/call', {
      name: 'connectServer',
      arguments: { url: `http://127.0.0.1:${port}/x` },
    });
    expect(denialOf(last)).toMatchObject({ code: 'SWB_RATE_LIMITED' });
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
  }
});

it('a call that never left is not counted', async () => {
  const key = grant({ policy: limited({ v__echo: 1 }) });
  const gateway = await start({ grants: { key: key.entry } });
  await v.close();
  try {
    const failed = await modern(gateway.url, key, 'tools/call', { name: 'v__echo', arguments: {} });
    expect(failed.message.error).toBeDefined();
    const again = await modern(gateway.url, key, 'tools/call', { name: 'v__echo', arguments: {} });
    expect(denialOf(again)).toBeUndefined();
  } finally {
    v = await startV();
  }
});

describe('rounds of a call', () => {
  const call = (gateway: OwnGateway, key: Parameters<typeof modern>[1], params: Params, name = 'm__ask') =>
    modern(gateway.url, key, 'tools/call', { name, arguments: {}, ...params }, { capabilities: ASKS });
  const answers = { q: { action: 'accept', content: {} } };

  it('are one call, and a state taken twice, made up, or of something else is another one', async () => {
    const [one, other] = [
      grant({ policy: limited({ m__ask: 3, m__other: 1 }) }),
      grant({ policy: limited({ m__ask: 1, m__other: 1 }) }),
    ];
    const gateway = await start({ grants: { one: one.entry, other: other.entry } });
    const first = await call(gateway, one, {});
    const requestState = first.message.result?.requestState;
    expect(requestState).toMatch(/^swbm1\./);
    const retry = { requestState, inputResponses: answers };
    expect((await call(gateway, one, retry)).message.result).toMatchObject(CONTENT);
    expect(m.calls('ask').at(-1)).toMatchObject({ requestState: 'always the same' });
    // Used: this counts, and uses up the limit of three.
    for (let i = 0; i < 2; i++) expect(isRefused(await call(gateway, one, retry))).toBe(false);
    for (const attempt of [retry, { inputResponses: {} }])
      expect(denialOf(await call(gateway, one, attempt))).toMatchObject({ code: 'SWB_RATE_LIMITED' });
    expect(m.calls('ask')).toHaveLength(4);
    // A state for other arguments, of another tool or grant, or made up, reaches nothing and counts for no grant.
    const foreign = async (...args: Parameters<typeof call>): Promise<void> =>
      expect((await call(...args)).message.error).toMatchObject({ code: -32602 });
    await foreign(gateway, one, { ...retry, arguments: { a: 1 } });
    for (const state of ['made up', 'always the same']) await foreign(gateway, other, { requestState: state });
    await foreign(gateway, other, retry);
    await foreign(gateway, one, retry, 'm__other');
    expect(m.calls('ask')).toHaveLength(4);
    expect(isRefused(await call(gateway, other, {}))).toBe(false);
    expect(isRefused(await call(gateway, one, {}, 'm__other'))).toBe(false);
  });

  it('taken at the same time are one', async () => {
    const key = grant({ policy: limited({ m__ask: 1 }) });
    const gateway = await start({ grants: { key: key.entry } });
    const { message } = await call(gateway, key, {});
    const retry = { requestState: message.result?.requestState, inputResponses: answers };
    const replies = await Promise.all(Array.from({ length: 20 }, () => call(gateway, key, retry)));
    expect(replies.filter((reply) => !isRefused(reply))).toHaveLength(1);
    expect(m.calls('ask')).toHaveLength(2);
  });

  it('about a page to be opened are one call, once', async () => {
    const key = grant({ policy: limited({ v__page: 1 }) });
    const gateway = await start({ grants: { key: key.entry } });
    const first = await call(gateway, key, {}, 'v__page');
    const requestState = first.message.result?.requestState as string;
    expect(requestState).toMatch(/^swbu1\./);
    const inputResponses = { 'elicitation-create-1': { action: 'accept' } };
    const foreign = await call(gateway, key, { requestState: `${requestState}x`, inputResponses }, 'v__page');
    expect(isRefused(foreign)).toBe(true);
    await call(gateway, key, { requestState, inputResponses }, 'v__page');
    expect(v.calls('page')).toHaveLength(2);
    const replay = await call(gateway, key, { requestState, inputResponses }, 'v__page');
    expect(denialOf(replay)).toMatchObject({ code: 'SWB_RATE_LIMITED' });
    expect(v.calls('page')).toHaveLength(2);
  });
});
