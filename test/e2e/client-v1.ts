/**
 * The client of SDK v1: legacy revisions only, over Streamable HTTP, the old HTTP+SSE and stdio.
 * @module
 */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  type CreateMessageResult,
  ElicitRequestSchema,
  type ElicitResult,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import * as z from 'zod';
import type { Heard, Person, TestClient, ToolResult, Way } from './client.ts';

/** Every member of a result, known or not. */
const ANYTHING = z.record(z.string(), z.unknown());

function transportOf(way: Way): Transport {
  if ('stdio' in way) return new StdioClientTransport({ ...way.stdio, stderr: 'ignore' });
  if ('sse' in way) return new SSEClientTransport(new URL(way.sse));
  const init = way.headers ? { requestInit: { headers: way.headers } } : {};
  // The SDK's transport and its own interface disagree about optional members.
  return new StreamableHTTPClientTransport(new URL(way.http), init) as Transport;
}

export async function sdkV1(way: Way, person: Person): Promise<TestClient> {
  const client = new Client(
    { name: 'e2e-v1', version: '1.0.0' },
    {
      capabilities: {
        ...(person.elicit ? { elicitation: {} } : {}),
        ...(person.sample ? { sampling: {} } : {}),
        ...(person.roots ? { roots: {} } : {}),
      },
    },
  );
  const { elicit, sample, roots } = person;
  if (elicit) {
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => (await elicit({ ...params })) as ElicitResult);
  }
  if (sample) {
    client.setRequestHandler(
      CreateMessageRequestSchema,
      async ({ params }) => (await sample({ ...params })) as CreateMessageResult,
    );
  }
  if (roots) client.setRequestHandler(ListRootsRequestSchema, () => ({ roots }));

  const heard = new Map<string, Heard>();
  client.fallbackNotificationHandler = async ({ method, params }) => {
    heard.set(method, [...(heard.get(method) ?? []), params ?? {}]);
  };
  await client.connect(transportOf(way));
  const request = (method: string, params: Record<string, unknown> = {}) =>
    client.request({ method, params }, ANYTHING, { timeout: 30_000 });
  return {
    // The transport knows; the client has no accessor for it.
    version: String((client.transport as { protocolVersion?: string } | undefined)?.protocolVersion ?? ''),
    capabilities: client.getServerCapabilities() ?? {},
    async tools() {
      const names: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await client.listTools(cursor === undefined ? {} : { cursor });
        names.push(...page.tools.map(({ name }) => name));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      return names;
    },
    async call(name, args = {}, { onProgress, signal } = {}) {
      return (await client.callTool({ name, arguments: args }, CallToolResultSchema, {
        timeout: 30_000,
        ...(onProgress ? { onprogress: onProgress } : {}),
        ...(signal ? { signal } : {}),
      })) as ToolResult;
    },
    request,
    heard: (method) => heard.get(method) ?? [],
    async listen(resources = []) {
      for (const uri of resources) await request('resources/subscribe', { uri });
    },
    close: () => client.close(),
  };
}
