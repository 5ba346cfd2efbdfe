/** The four policies of the public pages, pasted for a server that has the tools they name. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ClientKind, Clients, type TestClient, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type HttpServer, startV1Sessions } from '../fixtures/tasks/http-v1.ts';
import { denialOf } from './gateway.ts';
import { grant, published } from './grants.ts';

const PUBLISHED = { mqttConnect: 10, mqttDisconnect: 60, create_connection: 30, connectServer: 30 } as const;
const KINDS: readonly ClientKind[] = ['v1', 'v2-legacy', 'v2-modern'];
/** 17 seconds into a minute of UTC. */
const NOW = Date.UTC(2026, 10, 20, 12, 0, 17);

const wide = { policy: { version: '1', default: 'allow' } };
const grants = Object.fromEntries(KINDS.map((kind) => [kind, grant(wide)]));

let upstream: HttpServer;
let gateway: OwnGateway;
const clients = new Clients();

function createTools(): McpServer {
  const server = new McpServer({ name: 'published', version: '1.0.0' });
  for (const name of [...Object.keys(PUBLISHED), 'mqttSubscribe']) {
    server.registerTool(name, { description: 'Says that it was called.' }, () => ({
      content: [{ type: 'text', text: `${name} called` }],
    }));
  }
  return server;
}

beforeAll(async () => {
  // Before the gateway is made: it keeps the clock it finds. Only the date stands still, no timer does.
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
  upstream = await startV1Sessions(createTools);
  gateway = await startReadyGateway({
    servers: Object.fromEntries(
      Object.entries(PUBLISHED).map(([tool, max]) => [tool, { url: upstream.url, policy: published(tool, max) }]),
    ),
    gateway: { grants: Object.fromEntries(Object.entries(grants).map(([name, { entry }]) => [name, entry])) },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  vi.useRealTimers();
  await gateway?.close();
  await upstream?.close();
});

const outcomes = async (client: TestClient, name: string, times: number): Promise<(string | undefined)[]> => {
  const results = [];
  for (let i = 0; i < times; i++) results.push(denialOf(await client.call(name))?.code as string | undefined);
  return results;
};

describe.each(KINDS)('for a %s client', (kind) => {
  const connect = () => clients.connect(kind, { http: gateway.url, headers: grants[kind]?.headers ?? {} });

  it.each(Object.entries(PUBLISHED))('%s passes %i times a minute, and nothing else', async (tool, max) => {
    vi.setSystemTime(NOW + KINDS.indexOf(kind) * 3_600_000);
    const client = await connect();
    const name = `${tool}__${tool}`;
    expect((await client.tools()).filter((listed) => listed.startsWith(`${tool}__`))).toEqual([name]);
    expect(await outcomes(client, name, max)).toEqual(Array(max).fill(undefined));
    const denial = denialOf(await client.call(name));
    expect(denial).toMatchObject({
      code: 'SWB_RATE_LIMITED',
      policy: `server:${tool}`,
      rule: `/tools/${tool}/limits/${tool.toLowerCase()}_rate`,
      counter: `${tool.toLowerCase()}_rate`,
      window: 'minute',
      max,
      retryAfterMs: 43_000,
      resetsAt: Date.now() + 43_000,
    });
    for (const other of Object.keys(PUBLISHED).filter((each) => each !== tool)) {
      expect(denialOf(await client.call(`${tool}__${other}`))).toMatchObject({ rule: '(default deny)' });
    }
    vi.setSystemTime(Date.now() + 42_999);
    expect(await outcomes(client, name, 1)).toEqual(['SWB_RATE_LIMITED']);
    vi.setSystemTime(Date.now() + 1);
    expect(textOf(await client.call(name))).toBe(`${tool} called`);
  });
});
