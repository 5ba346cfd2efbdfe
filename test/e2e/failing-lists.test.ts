/** A server that is connected and whose lists fail, as clients see it: with the reason, and not as an empty server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NodeServer, readJson, startNodeServer } from '../fixtures/mcp/node-server.ts';
import { Clients, type TestClient, textOf } from './clients.ts';
import { type OwnGateway, startGateway } from './gateway.ts';

const inputSchema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] };
let failing = true;

/** A legacy server with resources and, as many have it, without a list of templates. */
const startPlain = (): Promise<NodeServer> =>
  startNodeServer(async (request, response) => {
    const message = (await readJson(request)) as { id?: number; method?: string } | undefined;
    if (message?.id === undefined) {
      response.writeHead(message ? 202 : 405).end();
      return;
    }
    const serverInfo = { name: 'plain', version: '1' };
    const replies: Record<string, object> = {
      initialize: { result: { protocolVersion: '2025-06-18', capabilities: { resources: {} }, serverInfo } },
      'resources/list': { result: { resources: [{ uri: 'demo://a', name: 'a' }] } },
    };
    const reply = replies[message.method ?? ''] ?? { error: { code: -32601, message: 'Method not found' } };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...reply }));
  });

/** A legacy server with tools alone, whose list can fail. */
const startMoody = (): Promise<NodeServer> =>
  startNodeServer(async (request, response) => {
    const message = (await readJson(request)) as { id?: number; method?: string } | undefined;
    if (message?.id === undefined) {
      response.writeHead(message ? 202 : 405).end();
      return;
    }
    const serverInfo = { name: 'moody', version: '1' };
    const replies: Record<string, object> = {
      initialize: { result: { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo } },
      ping: { result: {} },
      'tools/list': failing
        ? { error: { code: -32603, message: 'the database is locked' } }
        : { result: { tools: [{ name: 'add', inputSchema }] } },
    };
    const reply = replies[message.method ?? ''] ?? { error: { code: -32601, message: 'Method not found' } };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...reply }));
  });

let plain: NodeServer;
let moody: NodeServer;
let gateway: OwnGateway;
let merged: TestClient;
let own: TestClient;
const clients = new Clients();

beforeAll(async () => {
  moody = await startMoody();
  const policy = { version: '1', default: 'allow', tools: {} };
  plain = await startPlain();
  gateway = await startGateway({
    servers: { plain: { url: plain.origin }, moody: { url: moody.origin, validateArguments: true, policy } },
  });
  await gateway.reaches('plain', 'ready');
  await gateway.reaches('moody', 'degraded');
  merged = await clients.connect('v1', { http: gateway.url });
  own = await clients.connect('v1', { http: gateway.at('/servers/moody/mcp') });
});
afterAll(async () => {
  await clients.close();
  await gateway?.close();
  await plain?.close();
  await moody?.close();
});

describe('a list that fails', () => {
  const reason = /Server 'moody' is connected, but its tools could not be listed: .*the database is locked/;

  it("is the reason at the server's own endpoint", async () => {
    await expect(own.tools()).rejects.toThrow(reason);
    await expect(own.call('add', { n: 1 })).rejects.toThrow(reason);
  });

  it('leaves the merged list readable, and names under its prefix get the reason', async () => {
    expect(await merged.tools()).toContain('listServers');
    await expect(merged.call('moody__add', { n: 1 })).rejects.toThrow(reason);
    await expect(merged.call('other__add', {})).rejects.toThrow(/Unknown tool: 'other__add'/);
  });

  it('that the server does not declare is -32601 at its own endpoint and empty in the merged one', async () => {
    for (const kind of ['v1', 'v2-legacy'] as const) {
      const client = await clients.connect(kind, { http: gateway.at('/servers/moody/mcp') });
      for (const method of ['prompts/list', 'resources/list', 'resources/templates/list']) {
        await expect(client.request(method), method).rejects.toMatchObject({ code: -32601 });
      }
    }
    expect(await merged.request('prompts/list')).toMatchObject({ prompts: [] });
  });

  it('of templates that a server with resources does not have is empty', async () => {
    for (const kind of ['v1', 'v2-modern'] as const) {
      const client = await clients.connect(kind, { http: gateway.at('/servers/plain/mcp') });
      expect(await client.request('resources/templates/list')).toMatchObject({ resourceTemplates: [] });
    }
  });

  it('comes back when the server recovers, and denied arguments name the tool as its caller does', async () => {
    failing = false;
    await gateway.reaches('moody', 'ready');
    expect(await own.tools()).toEqual(['add']);
    expect(textOf(await own.call('add', { n: 'x' }))).toMatch(/^Arguments of add do not fit its schema: /);
    expect(textOf(await merged.call('moody__add', { n: 'x' }))).toMatch(/^Arguments of moody__add do not fit/);
  });
});
