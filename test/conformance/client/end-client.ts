/**
 * The client at the end of the chain `mock server of the suite ← gateway ← end client`: raw JSON-RPC over HTTP, so that
 * whatever the suite finds in order is the gateway's doing. It answers questions the way a person would who accepts
 * every default.
 * @module
 */
import { isObject, type JsonObject, type Response as RpcResponse } from '../../../src/wire/jsonrpc.ts';
import { SseParser } from '../../../src/wire/sse.ts';

export interface EndClient {
  open(): Promise<void>;
  /** Resolves with the result; rejects when the answer is an error. */
  request(method: string, params?: JsonObject): Promise<JsonObject>;
  close(): Promise<void>;
}

export const CAPABILITIES: JsonObject = { roots: {}, sampling: {}, elicitation: {} };
export const CLIENT_INFO = { name: 'end-client', version: '1.0.0' };

const REQUEST_MS = 15_000;
const MAX_EVENT_BYTES = 4 * 1024 * 1024;

export interface PostOptions {
  url: string;
  headers: Record<string, string>;
  body: unknown;
  /** Messages that are not the answer: notifications, and requests of a server (legacy). */
  onOther?: (message: JsonObject) => void;
}

export interface Posted {
  status: number;
  headers: Headers;
  /** The answer, from a JSON body or from the end of a stream; undefined when there is none. */
  answer: RpcResponse | undefined;
}

/** One POST and the answer to it. */
export async function post({ url, headers, body, onOther }: PostOptions): Promise<Posted> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(REQUEST_MS),
  });
  const { status } = response;
  const found = { status, headers: response.headers };
  if (!response.headers.get('content-type')?.includes('text/event-stream')) {
    const text = await response.text();
    return { ...found, answer: text === '' ? undefined : (JSON.parse(text) as RpcResponse) };
  }
  let answer: RpcResponse | undefined;
  const parser = new SseParser(
    {
      onEvent: ({ data }) => {
        if (data.length === 0) return;
        const message: unknown = JSON.parse(data.toString('utf8'));
        if (!isObject(message)) return;
        if ('method' in message) onOther?.(message);
        else answer = message as unknown as RpcResponse;
      },
    },
    MAX_EVENT_BYTES,
  );
  for await (const chunk of response.body ?? []) parser.push(Buffer.from(chunk));
  return { ...found, answer };
}

export function resultOf({ status, answer }: Posted, method: string): JsonObject {
  if (answer && 'result' in answer) return answer.result;
  const said = answer && 'error' in answer ? `${answer.error.code} ${answer.error.message}` : 'nothing';
  throw new Error(`${method}: HTTP ${status}, ${said}`);
}

/** What the person answers to a question of the server's. */
export function answerTo(method: unknown, params: unknown): JsonObject {
  switch (method) {
    case 'elicitation/create':
      return { action: 'accept', content: defaultsOf(isObject(params) ? params.requestedSchema : undefined) };
    case 'sampling/createMessage':
      return { role: 'assistant', content: { type: 'text', text: 'Hello.' }, model: 'none' };
    case 'roots/list':
      return { roots: [] };
    default:
      throw new Error(`the server asks for '${String(method)}'`);
  }
}

/** Filling in defaults is the end client's part: they must only reach it (2025-11-25 client/elicitation). */
function defaultsOf(schema: unknown): JsonObject {
  const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {};
  const content: JsonObject = {};
  for (const [name, field] of Object.entries(properties)) {
    if (!isObject(field)) continue;
    if ('default' in field) content[name] = field.default;
    else if (field.type === 'boolean') content[name] = true;
  }
  return content;
}
