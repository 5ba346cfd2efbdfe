/** Where policy governs, arguments are checked against the tool's own schema before anything leaves, in words a model can act on. */
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { CallToolRequestSchema, ListToolsRequestSchema, type Tool } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type HttpServer, startV1Sessions } from '../fixtures/tasks/http-v1.ts';
import { denialOf, type Json } from './gateway.ts';

const object = (properties: Record<string, object>, more: Json = {}) => ({
  type: 'object' as const,
  properties,
  ...more,
});

const TOOLS: Tool[] = [
  {
    name: 'book',
    inputSchema: object(
      {
        day: { type: 'string', format: 'date' },
        seats: { type: 'integer', minimum: 1, maximum: 8 },
        class: { enum: ['eco', 'first'] },
      },
      { required: ['day', 'seats'], additionalProperties: false },
    ),
  },
  {
    name: 'draft07',
    inputSchema: {
      $schema: 'http://json-schema.org/draft-07/schema#',
      ...object({ pair: { type: 'array', items: [{ type: 'string' }, { type: 'number' }], additionalItems: false } }),
      definitions: { unused: { type: 'string' } },
    } as Tool['inputSchema'],
  },
  { name: 'broken', inputSchema: object({ a: { type: 'nonsense' } }) },
  { name: 'remote', inputSchema: object({ a: { $ref: 'https://example.invalid/schema.json' } }) },
  { name: 'tightened', inputSchema: object({ path: { type: 'string' } }) },
];

const calls: string[] = [];

function createTools(): McpServer {
  const server = new Server({ name: 'checked', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: TOOLS }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
    calls.push(params.name);
    return { content: [{ type: 'text', text: JSON.stringify(params.arguments ?? null) }] };
  });
  // All the fixture does with it is to connect it.
  return server as unknown as McpServer;
}

const policy = {
  version: '1',
  default: 'allow',
  tools: { tightened: { schema: object({ path: { pattern: '^/tmp/' } }, { required: ['path'] }) } },
};

let upstream: HttpServer;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  upstream = await startV1Sessions(createTools);
  gateway = await startReadyGateway({
    servers: { checked: { url: upstream.url, policy }, free: { url: upstream.url, validateArguments: false } },
  });
});
beforeEach(() => {
  calls.length = 0;
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

describe.each(['v1', 'v2-legacy', 'v2-modern'] satisfies ClientKind[])('for a %s client', (kind) => {
  const connect = () => clients.connect(kind, { http: gateway.url });

  it.each([
    [{ seats: 2 }, /day/],
    [{ day: '2026-11-20', seats: '2' }, /seats.*(integer|number)/],
    [{ day: '2026-11-20', seats: 9 }, /seats.*8/],
    [{ day: '2026-11-20', seats: 2, class: 'third' }, /class.*eco.*first/],
    [{ day: '2026-11-20', seats: 2, windw: true }, /windw/],
  ])('%j is refused with the reason, and never leaves', async (args, why) => {
    const client = await connect();
    const result = await client.call('checked__book', args);
    expect(textOf(result)).toMatch(why);
    expect(textOf(result)).toContain('checked__book');
    expect(denialOf(result)).toMatchObject({
      code: 'SWB_ARGUMENTS_INVALID',
      policy: 'gateway',
      rule: '(input schema)',
    });
    expect(denialOf(result)?.problems).toHaveLength(1);
    expect(calls).toEqual([]);
  });

  it('all problems are reported at once', async () => {
    const client = await connect();
    const result = await client.call('checked__book', { seats: 0, class: 1 });
    expect((denialOf(result) as { problems: string[] }).problems.length).toBeGreaterThanOrEqual(3);
  });

  it('what fits passes, in the dialect of its schema', async () => {
    const client = await connect();
    const book = { day: '2026-11-20', seats: 2, class: 'eco' };
    expect(JSON.parse(textOf(await client.call('checked__book', book)))).toEqual(book);
    expect(textOf(await client.call('checked__draft07', { pair: ['a', 1] }))).toBe('{"pair":["a",1]}');
    expect(textOf(await client.call('checked__draft07', { pair: [1, 'a'] }))).toMatch(/pair/);
    expect(calls).toEqual(['book', 'draft07']);
  });

  it('a schema that cannot be used blocks nothing', async () => {
    const client = await connect();
    for (const name of ['broken', 'remote']) {
      expect(textOf(await client.call(`checked__${name}`, { a: 1 }))).toBe('{"a":1}');
    }
  });

  it('a rule’s schema is checked too', async () => {
    const client = await connect();
    const refused = await client.call('checked__tightened', { path: '/etc/passwd' });
    expect(denialOf(refused)).toMatchObject({
      code: 'SWB_ARGUMENTS_INVALID',
      policy: 'server:checked',
      rule: '/tools/tightened/schema',
    });
    expect(textOf(await client.call('checked__tightened', { path: '/tmp/x' }))).toBe('{"path":"/tmp/x"}');
  });

  it('nothing is checked where it is switched off; the server’s own endpoint checks too', async () => {
    const client = await connect();
    expect(textOf(await client.call('free__book', { seats: 'many' }))).toBe('{"seats":"many"}');
    const own = await clients.connect(kind, { http: gateway.at('/servers/checked/mcp') });
    expect(textOf(await own.call('book', { seats: 2 }))).toMatch(/day/);
    expect(calls).toEqual(['book']);
  });
});
