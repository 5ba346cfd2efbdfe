/** Servers that repeat the credentials they are configured with in their errors: no client and no list has them. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { type RecordingUpstream, RpcFailure, startRecording } from './recording-upstream.ts';
import { legacy, modern } from './talk.ts';

const TOKEN = 'sk-live-0123456789';
const ENV = 'env-secret-0123456789';
const QUERY = 'query-secret-0123456789';

let http: RecordingUpstream;
let agents: Server;
let gateway: OwnGateway;

beforeAll(async () => {
  const fail = (): never => {
    throw new RpcFailure(-32_000, `Bearer ${TOKEN} and ${QUERY} are not valid`, { sent: { authorization: TOKEN } });
  };
  http = await startRecording({
    tools: ['fail', 'ok'],
    prompts: ['p'],
    resources: ['demo://r'],
    handlers: {
      'tools/call': ({ name }) => (name === 'ok' ? { content: [{ type: 'text', text: TOKEN }] } : fail()),
      'prompts/get': fail,
      'resources/read': fail,
      'completion/complete': fail,
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
      stdio: { command: process.execPath, args: [script], env: { SECRET_KEY: ENV } },
      mastra: { url, kind: 'mastra', headers },
      langgraph: { url, kind: 'langgraph', headers },
    },
  });
  for (const name of ['http', 'stdio']) await gateway.reaches(name, 'ready');
});
afterAll(async () => {
  await gateway?.close();
  await http?.close();
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

it('results are passed on as they are', async () => {
  const reply = await modern(gateway.url, undefined, 'tools/call', { name: 'http__ok', arguments: {} });
  expect(reply.text).toContain(TOKEN);
});

it('the reason why a server of any kind is away holds none', async () => {
  const reply = await modern(gateway.url, undefined, 'tools/call', { name: 'listServers', arguments: {} });
  expect(reply.text).toContain('langgraph');
  for (const secret of [TOKEN, ENV, QUERY]) expect(reply.text).not.toContain(secret);
});
