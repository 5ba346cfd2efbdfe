/**
 * The suite's client scenarios without authorization, and the calls each needs.
 * @module
 */
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';
import type { Revision } from '../pairings.ts';
import type { EndClient } from './end-client.ts';

interface Tool {
  name: string;
  inputSchema: JsonObject;
}

const toolsOf = async (client: EndClient): Promise<Tool[]> => (await client.request('tools/list')).tools as Tool[];

const call = (client: EndClient, name: string, args: JsonObject = {}): Promise<JsonObject> =>
  client.request('tools/call', { name, arguments: args });

/** `context` is what the suite gives the client under test along. */
type Steps = (client: EndClient, context: JsonObject) => Promise<unknown>;

const listTools: Steps = (client) => client.request('tools/list');

async function callEveryTool(client: EndClient, args: JsonObject): Promise<void> {
  for (const { name } of await toolsOf(client)) await call(client, name, args);
}

export const STEPS: Readonly<Record<string, Steps>> = {
  initialize: listTools,
  tools_call: (client) => call(client, 'add_numbers', { a: 5, b: 3 }),
  'elicitation-sep1034-client-defaults': (client) => callEveryTool(client, {}),
  'sse-retry': (client) => callEveryTool(client, {}),
  'json-schema-2020-12-preservation': async (client) => {
    const schema = (await toolsOf(client)).find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema;
    await call(client, 'json_schema_echo', { schema });
  },
  // The mock server offers nothing, so only a method the gateway does not know carries the client's own envelope to it.
  'request-metadata': (client) => client.request('example/unknown'),
  'http-standard-headers': async (client) => {
    await callEveryTool(client, {});
    const { resources } = (await client.request('resources/list')) as { resources: { uri: string }[] };
    for (const { uri } of resources) await client.request('resources/read', { uri });
    const { prompts } = (await client.request('prompts/list')) as { prompts: { name: string }[] };
    for (const { name } of prompts) await client.request('prompts/get', { name });
  },
  'http-custom-headers': async (client, { toolCalls }) => {
    await toolsOf(client);
    for (const { name, arguments: args } of toolCalls as { name: string; arguments: JsonObject }[]) {
      await call(client, name, args);
    }
  },
  'http-invalid-tool-headers': (client) => callEveryTool(client, { region: 'us-west1' }),
  'json-schema-ref-no-deref': listTools,
  'sep-2322-client-request-state': async (client) => {
    // At the same time: the answers to one call must not turn up in another.
    const names = ['test_mrtr_echo_state', 'test_mrtr_unrelated', 'test_mrtr_no_state', 'test_mrtr_no_result_type'];
    await Promise.all(names.map((name) => call(client, name)));
  },
};

/** Which of them belong to which revision: the required ones, and one that was added to the suite later. */
export const CLIENT_SCENARIOS: Readonly<Record<Revision, readonly string[]>> = {
  '2025-11-25': [
    'initialize',
    'tools_call',
    'elicitation-sep1034-client-defaults',
    'sse-retry',
    'json-schema-2020-12-preservation',
  ],
  '2026-07-28': [
    'tools_call',
    'request-metadata',
    'sep-2322-client-request-state',
    'http-standard-headers',
    'http-custom-headers',
    'http-invalid-tool-headers',
    'json-schema-ref-no-deref',
    'json-schema-2020-12-preservation',
  ],
};
