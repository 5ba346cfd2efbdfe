/** Servers that repeat the credentials they are shown in errors, log messages and on stderr: no client, list or log has them. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { headerAuthenticator } from '../../src/auth/testing/header-authenticator.ts';
import { type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type RecordingUpstream, RpcFailure, startRecording } from './recording-upstream.ts';
import { legacy, modern } from './talk.ts';

const TOKEN = 'sk-live-0123456789';
const ENV = 'env-secret-0123456789';
const QUERY = 'query-secret-0123456789';

let http: RecordingUpstream;
let tasks: RecordingUpstream;
let agents: Server;
let gateway: OwnGateway;

beforeAll(async () => {
  const fail = (): never => {
    throw new RpcFailure(-32_000, `Bearer ${TOKEN} and ${QUERY} are not valid`, { sent: { authorization: TOKEN } });
  };
  http = await startRecording({
    tools: ['fail', 'ok', 'tell'],
    prompts: ['p'],
    resources: ['demo://r'],
    handlers: {
      'tools/call': ({ name }) => {
        if (name === 'fail') fail();
        const text = name === 'ok' ? TOKEN : `refused with "${TOKEN}"`;
        return { content: [{ type: 'text', text }], ...(name === 'ok' ? {} : { isError: true }) };
      },
      'prompts/get': fail,
      'resources/read': fail,
      'completion/complete': fail,
    },
  });
  tasks = await startRecording({
    era: 'modern',
    handlers: {
      'server/discover': () => ({
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } },
      }),
      'tasks/get': () => ({
        taskId: 't',
        status: 'failed',
        statusMessage: `no: ${TOKEN}`,
        error: { code: -32_000, message: `no: ${TOKEN}` },
        createdAt: '2026-01-01T00:00:00Z',
        lastUpdatedAt: '2026-01-01T00:00:00Z',
        ttlMs: null,
      }),
    },
  });
  // Mastra and LangGraph servers: every request fails with a body that repeats its header.
  agents = createServer((request, response) => {
    response.writeHead(500, { 'content-type': 'application/json' });
    const said = `no: ${request.headers.authorization}`;
    response.end(JSON.stringify({ error: said, message: said, detail: said }));
  });
  await new Promise<void>((resolve) => agents.listen(0, '127.0.0.1', resolve));
  const { port } = agents.address() as AddressInfo;
  const script = new URL('../fixtures/mcp/stdio-leak.ts', import.meta.url).pathname;
  const headers = { Authorization: `Bearer ${TOKEN}` };
  const url = `http://127.0.0.1:${port}`;
  gateway = await startGateway({
    servers: {
      http: { url: `${http.url}?api_key=${QUERY}`, kind: 'mcp', headers },
      tasks: { url: tasks.url, kind: 'mcp', headers },
      stdio: { command: process.execPath, args: [script], env: { SECRET_KEY: ENV } },
      mastra: { url, kind: 'mastra', headers },
      langgraph: { url, kind: 'langgraph', headers },
    },
  });
  for (const name of ['http', 'tasks', 'stdio']) await gateway.reaches(name, 'ready');
});
afterAll(async () => {
  await gateway?.close();
  await http?.close();
  await tasks?.close();
  agents?.closeAllConnections();
  await new Promise((resolve) => agents?.close(resolve));
});

it('errors of servers hold no configured credential, at either endpoint, in either era', async () => {
  for (const [url, of] of [
    [gateway.url, (server: string, name: string) => `${server}__${name}`],
    [gateway.at('/servers/http/mcp'), (_: string, name: string) => name],
    [gateway.at('/servers/stdio/mcp'), (_: string, name: string) => name],
  ] as const) {
    const session = await legacy(url, undefined);
    const isMerged = url === gateway.url;
    const servers = isMerged ? ['http', 'stdio'] : [/servers\/(\w+)/.exec(String(url))?.[1] as string];
    for (const server of servers) {
      const requests: [string, Record<string, unknown>][] = [
        ['tools/call', { name: of(server, 'fail'), arguments: {} }],
      ];
      if (server === 'http') {
        const argument = { name: 'a', value: '' };
        const uri = isMerged ? 'http+demo://r' : 'demo://r';
        requests.push(['prompts/get', { name: of(server, 'p') }], ['resources/read', { uri }]);
        requests.push(['completion/complete', { ref: { type: 'ref/prompt', name: of(server, 'p') }, argument }]);
      }
      for (const [method, params] of requests) {
        for (const reply of [await session.request(method, params), await modern(url, undefined, method, params)]) {
          expect(reply.message.error?.message, `${method}: ${reply.text}`).toContain('[redacted]');
          for (const secret of [TOKEN, ENV, QUERY]) expect(reply.text).not.toContain(secret);
        }
      }
    }
  }
});

it('results of tools that fail hold none, at either endpoint, in either era, and are whole otherwise', async () => {
  for (const [server, name] of [
    ['stdio', 'tell'],
    ['http', 'tell'],
  ]) {
    for (const [url, tool] of [
      [gateway.url, `${server}__${name}`],
      [gateway.at(`/servers/${server}/mcp`), name],
    ] as const) {
      const session = await legacy(url, undefined);
      const params = { name: tool, arguments: {} };
      for (const reply of [
        await session.request('tools/call', params),
        await modern(url, undefined, 'tools/call', params),
      ]) {
        expect(reply.message.result).toMatchObject({
          isError: true,
          content: [{ type: 'text', text: 'refused with "[redacted]"' }],
        });
        for (const secret of [TOKEN, ENV, QUERY]) expect(reply.text).not.toContain(secret);
      }
    }
  }
});

it('log messages hold none, in a call and outside of one', async () => {
  for (const [url, name] of [
    [gateway.url, 'stdio__log'],
    [gateway.at('/servers/stdio/mcp'), 'log'],
  ] as const) {
    const session = await legacy(url, undefined);
    await session.request('logging/setLevel', { level: 'debug' });
    const { text } = await session.request('tools/call', { name, arguments: {} });
    expect(text).toContain('[redacted]');
    expect(text).not.toContain(ENV);
  }
});

it('tasks that failed say so without any', async () => {
  const capabilities = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
  for (const [url, taskId] of [
    [gateway.url, 'tasks+t'],
    [gateway.at('/servers/tasks/mcp'), 't'],
  ] as const) {
    const reply = await modern(url, undefined, 'tasks/get', { taskId }, { capabilities });
    expect(reply.message.result, reply.text).toMatchObject({
      status: 'failed',
      statusMessage: 'no: [redacted]',
      error: { message: 'no: [redacted]' },
    });
    expect(reply.text).not.toContain(TOKEN);
  }
});

it('what a command writes to stderr is logged without any', async () => {
  await modern(gateway.url, undefined, 'tools/call', { name: 'stdio__tell', arguments: {} });
  await until(() => gateway.log().includes('cannot use [redacted]'), 'the line to be logged');
  for (const secret of [TOKEN, ENV, QUERY]) expect(gateway.log()).not.toContain(secret);
});

it('credentials of one identity, and those it had before, are in no error, not even in another one’s', async () => {
  const seen: string[] = [];
  const upstream = await startRecording({
    handlers: {
      'tools/call': () => {
        seen.push(upstream.heard.at(-1)?.authorization ?? '');
        throw new RpcFailure(-32_000, `known: ${seen.join(', ')}`);
      },
    },
    refuses: (authorization) => (authorization === 'Bearer ada-token-1' ? 401 : undefined),
  });
  const issued = new Map<string, number>();
  const own = await startGateway({
    servers: { v: { url: upstream.url, kind: 'mcp' } },
    embedded: {
      auth: headerAuthenticator(),
      credentials: {
        headersFor: ({ principal }) => ({ Authorization: `Bearer ${principal}-token-${issued.get(principal) ?? 1}` }),
        refused({ identity: { principal } }) {
          issued.set(principal, (issued.get(principal) ?? 1) + 1);
          return 'retry';
        },
      },
    },
  });
  try {
    await own.reaches('v', 'ready');
    for (const user of ['ada', 'bob', 'ada']) {
      const key = { headers: { 'x-user': user } };
      const session = await legacy(own.url, key);
      const params = { name: 'v__echo', arguments: {} };
      for (const reply of [
        await session.request('tools/call', params),
        await modern(own.url, key, 'tools/call', params),
      ]) {
        expect(reply.message.error?.message).toMatch(/^known: \[redacted\]/);
        expect(reply.text).not.toMatch(/(?:ada|bob)-token/);
      }
    }
    expect(new Set(seen)).toEqual(new Set(['Bearer ada-token-2', 'Bearer bob-token-1']));
  } finally {
    await own.close();
    await upstream.close();
  }
});

it('results are passed on as they are', async () => {
  const reply = await modern(gateway.url, undefined, 'tools/call', { name: 'http__ok', arguments: {} });
  expect(reply.text).toContain(TOKEN);
});

it('the reason why a server of any kind is away holds none', async () => {
  const reply = await modern(gateway.url, undefined, 'tools/call', { name: 'listServers', arguments: {} });
  expect(reply.text).toContain('langgraph');
  for (const secret of [TOKEN, ENV, QUERY]) expect(reply.text).not.toContain(secret);
});
