/** Lists and results that strict clients refuse, seen through the gateway by the official clients of every generation. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startV1Http } from '../fixtures/mcp/http.ts';
import { type NodeServer, readJson, startNodeServer } from '../fixtures/mcp/node-server.ts';
import { type ClientKind, Clients } from './clients.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';

const SERVER_INFO = { 'io.modelcontextprotocol/serverInfo': { name: 'odd', version: '1' } };
const VALUES: Record<string, unknown> = { rows: [1, 2], num: 5, either: 'x', obj: { a: 1 } };
const OUTPUTS = {
  rows: { type: 'array', items: { type: 'integer' } },
  num: { type: 'integer' },
  either: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  obj: { type: 'object', properties: { a: { type: 'integer' } } },
};
const TOOLS = [
  ...Object.entries(OUTPUTS).map(([name, outputSchema]) => ({ name, inputSchema: { type: 'object' }, outputSchema })),
  { name: 'nulls', description: null, annotations: null, inputSchema: { properties: null } },
  { name: 'hopeless', inputSchema: { type: 'string' } },
  { name: 'shorthand', inputSchema: { type: 'object', properties: { a: 'string' } } },
];
const RESULTS: Record<string, (params: { name: string }) => object> = {
  'server/discover': () => ({ supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }),
  'tools/list': () => ({ tools: TOOLS, ttlMs: 60_000, cacheScope: 'private' }),
  'tools/call': ({ name }) => ({
    content: [{ type: 'text', text: JSON.stringify(VALUES[name]) }],
    structuredContent: VALUES[name],
  }),
};

/** A modern server whose words are exactly these. */
const startOdd = (): Promise<NodeServer> =>
  startNodeServer(async (request, response) => {
    const { id, method, params } = (await readJson(request)) as {
      id: number;
      method: string;
      params: { name: string };
    };
    const result = RESULTS[method]?.(params);
    const error = { code: -32601, message: 'Method not found' };
    const reply = result ? { result: { resultType: 'complete', ...result, _meta: SERVER_INFO } } : { error };
    response.writeHead(result ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...reply }));
  });

const KINDS: ClientKind[] = ['v1', 'v2-legacy', 'v2-modern'];

let odd: NodeServer;
let good: Awaited<ReturnType<typeof startV1Http>>;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  [odd, good] = await Promise.all([startOdd(), startV1Http()]);
  gateway = await startReadyGateway({ servers: { odd: { url: odd.origin }, good: { url: good.url } } });
});
afterAll(async () => {
  await clients.close();
  await gateway?.close();
  await Promise.all([odd?.close(), good?.close()]);
});

describe.each(KINDS)('the client %s', (kind) => {
  it('reads the merged list with every entry it can read, other servers and the builtin tools included', async () => {
    const client = await clients.connect(kind, { http: gateway.url });
    const names = await client.tools();
    expect(names).toEqual(expect.arrayContaining(['odd__rows', 'odd__nulls', 'good__echo', 'listServers']));
    expect(names).not.toContain('odd__hopeless');
    expect(names.includes('odd__shorthand')).toBe(kind === 'v2-modern');
  });

  it.each([
    ['merged', '/mcp', 'odd__'],
    ['own', '/servers/odd/mcp', ''],
  ])('gets any structured content in its own form at the %s endpoint', async (_where, path, prefix) => {
    const client = await clients.connect(kind, { http: gateway.at(path) });
    await client.tools();
    for (const [name, value] of Object.entries(VALUES)) {
      const { structuredContent, content, _meta } = await client.call(`${prefix}${name}`);
      const isNatural = kind === 'v2-modern' || name === 'obj';
      expect(structuredContent).toEqual(isNatural ? value : { result: value });
      expect(content).toEqual([{ type: 'text', text: JSON.stringify(value) }]);
      if (kind !== 'v2-modern') expect(_meta).toBeUndefined();
    }
  });
});

describe('entries that are left out', () => {
  const reports = [
    { list: 'tools', name: 'hopeless', clients: 'all', reason: 'its inputSchema has the type "string", not "object"' },
    { list: 'tools', name: 'shorthand', clients: 'legacy' },
  ];

  it('are in listServers, with the reason', async () => {
    const client = await clients.connect('v1', { http: gateway.url });
    const result = await client.call('listServers');
    const { servers } = result.structuredContent as { servers: { name: string; skipped?: object[] }[] };
    expect(servers.find(({ name }) => name === 'odd')?.skipped).toMatchObject(reports);
    expect(servers.find(({ name }) => name === 'good')).not.toHaveProperty('skipped');
    expect(result.content[0]?.text).toContain(
      `  - the tool 'hopeless' is left out: its inputSchema has the type "string", not "object"`,
    );
    expect(result.content[0]?.text).toContain("  - the tool 'shorthand' is left out for clients before 2026-07-28: ");
  });

  it('are logged once each', () => {
    const lines = gateway
      .log()
      .split('\n')
      .filter((line) => line.includes('cannot read is left out'));
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ entry: 'hopeless' }, { entry: 'shorthand' }]);
  });
});
