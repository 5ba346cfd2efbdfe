/**
 * MCP over MQTT as `@cloudsignal/mcp-over-mqtt` has it: a retained card for each server and each tool, and a topic for calls
 * of each tool, so that the broker's access control can say who may call which. Not JSON-RPC.
 *
 * Source: the package's SPEC.md (draft 0.1), and what its version 0.1.8 sends.
 * @module
 */
import { isObject, type JsonObject } from '../jsonrpc.ts';

/** The prefix of all topics, without slashes at its ends. */
export const normalNamespace = (namespace: string): string => namespace.trim().replace(/^\/+|\/+$/g, '');

export const serverCardTopic = (namespace: string, server: string): string => `${namespace}/mcp/servers/${server}/card`;

export const toolCardTopic = (namespace: string, tool: string): string => `${namespace}/mcp/tools/${tool}/card`;

export const callTopic = (namespace: string, tool: string): string => `${namespace}/mcp/tools/${tool}/call`;

/** Calls of a tool, each to one of those who have subscribed so. */
export const sharedCallFilter = (namespace: string, tool: string): string =>
  `$share/mcp-tool-${tool}/${callTopic(namespace, tool)}`;

export const streamTopic = (namespace: string, tool: string, callId: string): string =>
  `${namespace}/mcp/tools/${tool}/stream/${callId}`;

export const responsesTopic = (namespace: string, client: string): string =>
  `${namespace}/mcp/clients/${client}/responses`;

/** Whether a text can be one level of a topic: the name of a tool, a server or a client, or the id of a call. */
export const isLevel = (text: string): boolean => text.length > 0 && text.length <= 256 && !/[/+#\p{Cc}]/u.test(text);

/** Whether a topic is one on which clients of this namespace receive responses. */
export function isResponsesTopic(namespace: string, topic: string): boolean {
  const [start, end] = [`${namespace}/mcp/clients/`, '/responses'];
  return (
    topic.startsWith(start) &&
    topic.endsWith(end) &&
    topic.length > start.length + end.length &&
    isLevel(topic.slice(start.length, -end.length))
  );
}

export type CardStatus = 'online' | 'offline';

/** What stands in `version_info.sdk`: the revision of the wire, which is the package's. */
const SDK = '0.1.0';

export function serverCard(
  namespace: string,
  server: string,
  tools: readonly string[],
  status: CardStatus,
): JsonObject {
  return {
    version: '1',
    server,
    namespace,
    tools,
    version_info: { sdk: SDK },
    status,
    last_seen: new Date().toISOString(),
  };
}

/** The card of a tool of MCP. */
export function toolCard(namespace: string, server: string, tool: JsonObject, status: CardStatus): JsonObject {
  return {
    version: '1',
    tool: tool.name,
    server,
    namespace,
    description: typeof tool.description === 'string' ? tool.description : '',
    input_schema: isObject(tool.inputSchema) ? tool.inputSchema : { type: 'object' },
    ...(isObject(tool.outputSchema) ? { output_schema: tool.outputSchema } : {}),
    supports_streaming: true,
    requires_auth: true,
    version_info: { sdk: SDK },
    status,
    last_seen: new Date().toISOString(),
  };
}

export type CallErrorType = 'invalid_arguments' | 'unauthorized' | 'tool_error' | 'timeout' | 'unavailable';

export interface CallError {
  type: CallErrorType;
  message: string;
  code?: string;
}
