/**
 * Servers take more than the schemas they publish: text that they convert, members that they drop. Where no document
 * governs a call, they decide, as without a gateway; `validateArguments: true` or a document brings the check.
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod/v3';
import { type ClientKind, Clients, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type HttpServer, startV1Sessions } from '../fixtures/tasks/http-v1.ts';
import { denialOf } from './gateway.ts';

const KINDS: readonly ClientKind[] = ['v1', 'v2-legacy', 'v2-modern'];

/** Tools of an official server whose schemas, made from zod 3, promise less than it takes. */
function createTools(): McpServer {
  const server = new McpServer({ name: 'lenient', version: '1.0.0' });
  const back = (args: object) => ({ content: [{ type: 'text' as const, text: JSON.stringify(args) }] });
  const listOf = (value: unknown): unknown => (typeof value === 'string' ? JSON.parse(value) : value);
  const inputs = {
    count: { n: z.coerce.number().int() },
    list: { items: z.preprocess(listOf, z.array(z.string())) },
    strip: { q: z.string() },
  };
  for (const [name, inputSchema] of Object.entries(inputs)) {
    server.registerTool(name, { inputSchema: inputSchema as z.ZodRawShape }, (args: object) => back(args));
  }
  return server;
}

const LENIENT = [
  ['text for a number', 'count', { n: '5' }, '{"n":5}'],
  ['text for a list', 'list', { items: '["a","b"]' }, '{"items":["a","b"]}'],
  ['a member the schema excludes', 'strip', { q: 'x', toolCallId: 'call_1' }, '{"q":"x"}'],
] as const;

let upstream: HttpServer;
let free: OwnGateway;
let asked: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  upstream = await startV1Sessions(createTools);
  const { url } = upstream;
  const document = (rules: object) => ({ version: '1', default: 'allow', ...rules });
  free = await startReadyGateway({
    servers: {
      free: { url },
      governed: { url, policy: document({ tools: { count: {} } }) },
      shadowed: { url, policy: document({ mode: 'shadow' }) },
      checked: { url, validateArguments: true },
    },
  });
  asked = await startReadyGateway({
    servers: { checked: { url }, free: { url, validateArguments: false } },
    gateway: { validateArguments: true },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await Promise.all([free?.close(), asked?.close()]);
  await upstream?.close();
});

describe.each(KINDS)('for a %s client', (kind) => {
  const call = async (gateway: OwnGateway, name: string, args: object) =>
    (await clients.connect(kind, { http: gateway.url })).call(name, args as Record<string, unknown>);

  it.each(LENIENT)('%s reaches a server whose calls no document governs', async (_what, tool, args, result) => {
    for (const [gateway, server] of [
      [free, 'free'],
      [free, 'shadowed'],
      [asked, 'free'],
    ] as const) {
      expect(textOf(await call(gateway, `${server}__${tool}`, args)), server).toBe(result);
    }
  });

  it.each(LENIENT.filter(([, tool]) => tool !== 'list'))(
    '%s is refused where a document governs or the check is switched on',
    async (_what, tool, args) => {
      for (const [gateway, server] of [
        [free, 'governed'],
        [free, 'checked'],
        [asked, 'checked'],
      ] as const) {
        const result = await call(gateway, `${server}__${tool}`, args);
        expect(denialOf(result), server).toMatchObject({ code: 'SWB_ARGUMENTS_INVALID', rule: '(input schema)' });
      }
    },
  );

  it('the server’s own error about arguments it cannot take arrives', async () => {
    const result = await call(free, 'free__count', { n: 'five' });
    expect(result.isError).toBe(true);
    expect(denialOf(result)).toBeUndefined();
  });
});
