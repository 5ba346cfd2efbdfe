/**
 * The client of SDK v2: either era, over Streamable HTTP, the old HTTP+SSE and stdio.
 * @module
 */
import {
  Client,
  type CreateMessageResult,
  type ElicitResult,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  type Transport,
  type VersionNegotiationMode,
} from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { Heard, Person, TestClient, ToolResult, Way } from './client.ts';

/** Every member of a result, known or not. */
const ANYTHING = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) => ({ value: value as Record<string, unknown> }),
  },
};

function transportOf(way: Way): Transport {
  if ('stdio' in way) return new StdioClientTransport({ ...way.stdio, stderr: 'ignore' });
  if ('sse' in way) return new SSEClientTransport(new URL(way.sse));
  return new StreamableHTTPClientTransport(
    new URL(way.http),
    way.headers ? { requestInit: { headers: way.headers } } : {},
  );
}

export async function sdkV2(mode: VersionNegotiationMode, way: Way, person: Person): Promise<TestClient> {
  const client = new Client(
    { name: 'e2e-v2', version: '1.0.0' },
    {
      versionNegotiation: { mode },
      capabilities: {
        ...(person.elicit ? { elicitation: { form: {} } } : {}),
        ...(person.sample ? { sampling: {} } : {}),
        ...(person.roots ? { roots: {} } : {}),
      },
    },
  );
  const { elicit, sample, roots } = person;
  if (elicit) {
    client.setRequestHandler(
      'elicitation/create',
      async ({ params }) => (await elicit({ ...params })) as unknown as ElicitResult,
    );
  }
  if (sample) {
    client.setRequestHandler(
      'sampling/createMessage',
      async ({ params }) => (await sample({ ...params })) as unknown as CreateMessageResult,
    );
  }
  if (roots) client.setRequestHandler('roots/list', () => ({ roots }));

  const heard = new Map<string, Heard>();
  client.fallbackNotificationHandler = async ({ method, params }) => {
    heard.set(method, [...(heard.get(method) ?? []), params ?? {}]);
  };
  await client.connect(transportOf(way));
  const isModern = client.getProtocolEra() === 'modern';
  const request = async (method: string, params: Record<string, unknown> = {}) =>
    (await client.request({ method, params }, ANYTHING, { timeout: 30_000 })) as Record<string, unknown>;
  return {
    version: client.getNegotiatedProtocolVersion() ?? '',
    capabilities: client.getServerCapabilities() ?? {},
    // Not from the client's own cache: what the gateway says now.
    tools: async () => (await client.listTools({}, { cacheMode: 'bypass' })).tools.map(({ name }) => name),
    async call(name, args = {}, { onProgress, signal } = {}) {
      return (await client.callTool(
        { name, arguments: args },
        {
          timeout: 30_000,
          ...(onProgress ? { onprogress: onProgress } : {}),
          ...(signal ? { signal } : {}),
        },
      )) as ToolResult;
    },
    request,
    heard: (method) => heard.get(method) ?? [],
    async listen(resources = []) {
      if (isModern) {
        await client.listen({
          toolsListChanged: true,
          promptsListChanged: true,
          resourcesListChanged: true,
          ...(resources.length > 0 ? { resourceSubscriptions: [...resources] } : {}),
        });
      } else {
        for (const uri of resources) await request('resources/subscribe', { uri });
      }
    },
    close: () => client.close(),
  };
}
