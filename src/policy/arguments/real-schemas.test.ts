import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import * as z3 from 'zod/v3';
import type { Entry } from '../../core/upstream.ts';
import { ArgumentChecks } from './argument-checks.ts';
import { entry, recorder } from './testing/schemas.ts';

const EVERYTHING = fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'));
const clients: Client[] = [];

async function toolsOver(transport: Transport): Promise<Map<string, Entry>> {
  const client = new Client({ name: 'test', version: '1' });
  clients.push(client);
  await client.connect(transport);
  const { tools } = await client.listTools();
  return new Map(tools.map((tool) => [tool.name, { key: tool.name, value: { ...tool } }]));
}

function get(tools: ReadonlyMap<string, Entry>, name: string): Entry {
  const found = tools.get(name);
  if (found === undefined) throw new Error(`${name} is not among ${[...tools.keys()].join(', ')}`);
  return found;
}

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

describe('arguments', () => {
  it('of every tool of the reference server are checked', async () => {
    const transport = new StdioClientTransport({ command: process.execPath, args: [EVERYTHING], stderr: 'ignore' });
    const tools = await toolsOver(transport);
    expect(tools.size).toBeGreaterThan(5);
    const log = recorder();
    const checks = new ArgumentChecks(log);
    for (const each of tools.values()) checks.ofTool(each, {}, 'everything');
    expect(log.warnings).toEqual([]);
    const of = (name: string, args: unknown): unknown => checks.ofTool(get(tools, name), args, 'everything');
    expect(of('echo', { message: 'hi' })).toBeUndefined();
    expect(of('echo', undefined)).toEqual(['args: lacks "message": a string']);
    expect(of('get-sum', { a: 1, b: '2' })).toEqual(['args.b: must be a number, found a string']);
  });

  it('of tools made with zod 3 and SDK v1 (draft 7) are checked', async () => {
    const server = new McpServer({ name: 'v1', version: '1' });
    const inputSchema = {
      mode: z3.z.enum(['a', 'b']),
      to: z3.z.array(z3.z.string().email()).min(1).optional(),
      at: z3.z.tuple([z3.z.number(), z3.z.number()]).optional(),
    };
    server.registerTool('send', { inputSchema }, () => ({ content: [] }));
    const [near, far] = InMemoryTransport.createLinkedPair();
    await server.connect(far);
    const send = get(await toolsOver(near), 'send');
    expect((send.value.inputSchema as { $schema: string }).$schema).toContain('draft-07');
    const log = recorder();
    const checks = new ArgumentChecks(log);
    expect(checks.ofTool(send, { mode: 'a', to: ['x@y.de'], at: [1, 2] }, 's')).toBeUndefined();
    expect(checks.ofTool(send, { mode: 'c', to: ['nobody'], at: [1, 'x'] }, 's')).toEqual([
      'args.mode: must be one of "a", "b"',
      'args.to.0: must have the format "email"',
      'args.at.1: must be a number, found a string',
    ]);
    expect(log.warnings).toEqual([]);
  });

  it('of tools made with zod 4 are checked, but for patterns that look ahead', () => {
    const shape = z.strictObject({
      id: z.uuid(),
      mail: z.email().optional(),
      when: z.iso.datetime({ local: true }).optional(),
      tags: z.record(z.string().regex(/^[a-z]+$/), z.int()).optional(),
      next: z.union([z.string(), z.null()]).optional(),
      kind: z
        .discriminatedUnion('type', [
          z.object({ type: z.literal('circle'), r: z.number().positive() }),
          z.object({ type: z.literal('square'), side: z.number() }),
        ])
        .optional(),
    });
    const made = entry(z.toJSONSchema(shape));
    const log = recorder();
    const checks = new ArgumentChecks(log);
    const id = '0d6f7b6e-3d0c-4b57-8f5c-6d1b8b0e6a11';
    const when = '2026-11-20T12:00:00';
    const kind = { type: 'circle', r: 1 };
    expect(checks.ofTool(made, { id, mail: 'a@b.de', when, tags: { a: 1 }, next: null, kind }, 's')).toBeUndefined();
    expect(checks.ofTool(made, { id: 'x', extra: 1 }, 's')).toContain(
      'args: must not have "extra" (known here: "id", "mail", "when", "tags", "next", "kind")',
    );
    expect(checks.ofTool(made, { id, tags: { A: 1 } }, 's')).toContain('args.tags: must not have a member named "A"');
    expect(checks.ofTool(made, { id, next: 5 }, 's')).toEqual(['args.next: must be a string or null, found a number']);
    expect(checks.ofTool(made, { id, kind: { type: 'line' } }, 's')).toEqual(
      expect.arrayContaining([expect.stringContaining('args.kind')]),
    );
    const other = entry(z.toJSONSchema(z.object({ name: z.string().regex(/^(?!\.)/), n: z.int() })));
    expect(checks.ofTool(other, { name: '.', n: 'x' }, 's')).toEqual(['args.n: must be an integer, found a string']);
    expect(log.warnings.map(({ fields }) => fields.why)).toEqual(['^(?!\\.)']);
  });
});
