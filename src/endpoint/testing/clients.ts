/**
 * The official clients of both SDK generations behind one small face, so that one test speaks for all of them.
 * @module
 */
import { fileURLToPath } from 'node:url';
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as HttpV2,
  SSEClientTransport as SseV2,
} from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

export interface CallOptions {
  onprogress?: (progress: { progress: number }) => void;
  signal?: AbortSignal;
  timeout?: number;
}

export interface TestClient {
  version(): string | undefined;
  tools(): Promise<string[]>;
  /** The text of the result's first block. */
  call(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<string>;
  /** Errors the client could not tie to a request. */
  errors: Error[];
  listChanges(): number;
  close(): Promise<void>;
}

export type Answerer = (message: string) => Record<string, string>;

interface TextResult {
  content?: { type: string; text?: string }[];
}

const textOf = (result: unknown): string => (result as TextResult).content?.[0]?.text ?? '';

export async function clientV1(transport: TransportV1, answer?: Answerer): Promise<TestClient> {
  const client = new ClientV1({ name: 'v1', version: '1' }, { capabilities: answer ? { elicitation: {} } : {} });
  const errors: Error[] = [];
  let changes = 0;
  client.onerror = (error) => errors.push(error);
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes++);
  if (answer) {
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => ({
      action: 'accept',
      content: answer(params.message),
    }));
  }
  await client.connect(transport);
  return {
    version: () => (transport as { protocolVersion?: string }).protocolVersion,
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, options) =>
      textOf(await client.callTool({ name, arguments: args }, undefined, options)),
    errors,
    listChanges: () => changes,
    close: () => client.close(),
  };
}

type ModeV2 = 'legacy' | 'auto' | { pin: string };

export async function clientV2(
  transport: Parameters<ClientV2['connect']>[0],
  mode: ModeV2,
  answer?: Answerer,
): Promise<TestClient & { client: ClientV2 }> {
  const client = new ClientV2(
    { name: 'v2', version: '2' },
    { capabilities: answer ? { elicitation: {} } : {}, versionNegotiation: { mode } },
  );
  const errors: Error[] = [];
  let changes = 0;
  client.onerror = (error) => errors.push(error);
  client.setNotificationHandler('notifications/tools/list_changed', () => void changes++);
  if (answer) {
    client.setRequestHandler('elicitation/create', ({ params }) => ({
      action: 'accept',
      content: answer(params.message),
    }));
  }
  await client.connect(transport);
  return {
    client,
    version: () => client.getNegotiatedProtocolVersion(),
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, options) => textOf(await client.callTool({ name, arguments: args }, options)),
    errors,
    listChanges: () => changes,
    close: () => client.close(),
  };
}

const CHILD = { command: process.execPath, args: [fileURLToPath(new URL('./stdio-child.ts', import.meta.url))] };

export const stdioV1 = (): TransportV1 => new StdioV1({ ...CHILD, stderr: 'inherit' });
export const stdioV2 = (): StdioV2 => new StdioV2({ ...CHILD, stderr: 'inherit' });
export type FetchLike = (url: string | URL, init?: RequestInit) => Promise<Response>;

export const httpV1 = (url: URL, fetch?: FetchLike): TransportV1 => new HttpV1(url, fetch ? { fetch } : {});
export const httpV2 = (url: URL, fetch?: FetchLike): HttpV2 => new HttpV2(url, fetch ? { fetch } : {});
export const sseV1 = (url: URL): TransportV1 => new SseV1(url);
export const sseV2 = (url: URL): SseV2 => new SseV2(url);
