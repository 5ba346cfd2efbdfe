/**
 * Connects to fixtures in tests and ends every connection and server a test file has opened.
 * @module
 */
import { afterEach } from 'vitest';
import type { Target } from '../../../src/core/adapter.ts';
import type { Reply, Upstream } from '../../../src/core/upstream.ts';
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';
import { isObject } from '../../../src/wire/jsonrpc.ts';
import { type ContextOverrides, type FakeContext, fakeContext } from '../../testing/context.ts';
import { mcpAdapter } from '../index.ts';

export interface Connections {
  connect(target: Target | string, overrides?: ContextOverrides): Promise<{ upstream: Upstream; context: FakeContext }>;
  /** Ends it after the test. */
  closing<T extends { close(): unknown }>(server: T): T;
}

/** Call it once, at the top of a test file. */
export function connections(): Connections {
  const open: { close(): unknown }[] = [];
  afterEach(async () => {
    const failures: unknown[] = [];
    // Whatever one of them does, the others are ended: the next test begins without them.
    for (const one of open.splice(0).reverse()) {
      try {
        await one.close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  });
  return {
    async connect(target, overrides) {
      const context = fakeContext(
        typeof target === 'string' ? { transport: 'http', url: target, headers: {} } : target,
        overrides,
      );
      const upstream = await mcpAdapter.connect(context);
      open.push(upstream);
      return { upstream, context };
    },
    closing(server) {
      open.push(server);
      return server;
    },
  };
}

export const toolCall = (name: string, args: JsonObject = {}, meta?: JsonObject): [string, JsonObject] => [
  'tools/call',
  { name, arguments: args, ...(meta ? { _meta: meta } : {}) },
];

/** The text of a tool's result. */
export function textOf(reply: Reply): string {
  const result: unknown = 'raw' in reply && reply.raw ? JSON.parse(reply.raw.toString('utf8')) : undefined;
  const content = isObject(result) && Array.isArray(result.content) ? result.content : [];
  const [first] = content as { text?: string }[];
  if (typeof first?.text !== 'string') throw new Error(`No text: ${JSON.stringify(result)}`);
  return first.text;
}
