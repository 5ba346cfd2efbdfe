/**
 * A client of the running gateway for one request: a 2026-07-28 request over HTTP, its notifications, and rounds of questions.
 * @module
 */
import { Agent, request } from 'undici';
import type { Ask, AskMethod } from '../core/call.ts';
import { ERROR_TABLE, type ErrorCode, SwitchboardError, UpstreamError } from '../core/errors.ts';
import { PRODUCT } from '../core/product.ts';
import type { CallOptions } from '../gateway-types.ts';
import { META } from '../wire/envelope.ts';
import { LATEST_MODERN } from '../wire/eras.ts';
import { isObject, type JsonObject, type Notification } from '../wire/jsonrpc.ts';
import { SseParser } from '../wire/sse.ts';
import type { RunningGateway } from './running-gateway.ts';

const MAX_REPLY_BYTES = 256 * 1024 * 1024;
/** The gateway ends calls by its own limits, and keeps streams alive until then. */
const SILENCE_MS = 10 * 60_000;
const MAX_ROUNDS = 100;

/** `gateway.call` of the running gateway. Rejects with `SwitchboardError`, or with `UpstreamError` for an error of a server. */
export async function callRunning(
  gateway: RunningGateway,
  method: string,
  params: JsonObject,
  options: CallOptions = {},
): Promise<JsonObject> {
  const { onAsk, capabilities = onAsk ? { elicitation: { form: {} } } : {} } = options;
  const dispatcher = new Agent({
    headersTimeout: SILENCE_MS,
    bodyTimeout: SILENCE_MS,
    maxResponseSize: MAX_REPLY_BYTES,
  });
  try {
    let round: JsonObject = {};
    for (let i = 0; i < MAX_ROUNDS; i++) {
      const meta = {
        ...(isObject(params._meta) ? params._meta : {}),
        [META.protocolVersion]: LATEST_MODERN,
        [META.clientInfo]: PRODUCT,
        [META.clientCapabilities]: capabilities,
      };
      const result = await once(gateway, dispatcher, method, { ...params, ...round, _meta: meta }, options);
      if (result.resultType !== 'input_required' || !onAsk) return result;
      round = await answersTo(result, onAsk);
    }
    throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `The call asked more than ${MAX_ROUNDS} times.`);
  } finally {
    await dispatcher.destroy();
  }
}

async function answersTo(result: JsonObject, onAsk: (ask: Ask) => Promise<JsonObject>): Promise<JsonObject> {
  const inputResponses: JsonObject = {};
  const asked = isObject(result.inputRequests) ? result.inputRequests : {};
  for (const [key, ask] of Object.entries(asked)) {
    if (!isObject(ask) || typeof ask.method !== 'string') continue;
    const { method, params } = ask;
    inputResponses[key] = await onAsk({ method: method as AskMethod, ...(isObject(params) ? { params } : {}) });
  }
  return { inputResponses, ...(result.requestState === undefined ? {} : { requestState: result.requestState }) };
}

async function once(
  { url, key, pid }: RunningGateway,
  dispatcher: Agent,
  method: string,
  params: JsonObject,
  { signal, onNotification }: CallOptions,
): Promise<JsonObject> {
  const name = params.name ?? params.uri;
  try {
    const reply = await request(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': LATEST_MODERN,
        'mcp-method': method,
        ...(typeof name === 'string' ? { 'mcp-name': asHeader(name) } : {}),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      dispatcher,
      ...(signal ? { signal } : {}),
    });
    const isStream = String(reply.headers['content-type']).startsWith('text/event-stream');
    const message = isStream
      ? await lastOf(reply.body, (sent) => onNotification?.(sent))
      : (JSON.parse(await reply.body.text()) as unknown);
    return resultOf(message);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof SwitchboardError || error instanceof UpstreamError) throw error;
    throw new SwitchboardError(
      'SWB_CONNECT_FAILED',
      `The gateway that runs (process ${pid}) does not answer as one. Start it again, or let the command connect by itself with --local.`,
      { cause: error },
    );
  }
}

/** Header values are ASCII (2026-07-28 streamable-http, "Header Encoding"). */
const asHeader = (name: string): string =>
  /^[\x21-\x7e]+$/.test(name) ? name : `=?base64?${Buffer.from(name).toString('base64')}?=`;

/** The response at the end of a stream. */
async function lastOf(body: AsyncIterable<unknown>, notify: (sent: Notification) => void): Promise<unknown> {
  let response: unknown;
  const parser = new SseParser(
    {
      onEvent({ data }) {
        if (data.length === 0) return;
        const message: unknown = JSON.parse(data.toString('utf8'));
        if (isObject(message) && typeof message.method === 'string') notify(message as unknown as Notification);
        else response = message;
      },
    },
    MAX_REPLY_BYTES,
  );
  for await (const chunk of body) {
    parser.push(chunk as Buffer);
    if (response !== undefined) return response;
  }
  return response;
}

function resultOf(message: unknown): JsonObject {
  if (!isObject(message)) throw new TypeError('the stream ended without a response');
  if (isObject(message.result)) return message.result;
  const { code, message: text, data } = isObject(message.error) ? message.error : {};
  if (typeof code !== 'number' || typeof text !== 'string') throw new TypeError('no response of JSON-RPC');
  const own = isObject(data) ? data.code : undefined;
  if (typeof own === 'string' && Object.hasOwn(ERROR_TABLE, own)) {
    throw new SwitchboardError(own as ErrorCode, text, { data: data as JsonObject });
  }
  throw new UpstreamError({ code, message: text, ...(data === undefined ? {} : { data }) });
}
