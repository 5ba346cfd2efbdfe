/**
 * HTTP towards one A2A agent: requests and streams in either binding, and errors of all forms as the gateway's own. No
 * message is ever sent twice.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { NetworkGuard } from '../../src/core/adapter.ts';
import type { Call } from '../../src/core/call.ts';
import type { ServerCredentials } from '../../src/core/credentials.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Identity } from '../../src/core/identity.ts';
import { parseText } from '../../src/wire/json/parse.ts';
import { isObject } from '../../src/wire/jsonrpc.ts';
import { SseParser } from '../../src/wire/sse.ts';
import {
  type BodySink,
  collector,
  type HttpExchange,
  type HttpHead,
  HttpOrigin,
  type HttpRequest,
  type WholeReply,
} from '../shared/origin.ts';
import type { AgentInterface } from './card.ts';
import { httpFailure, notA2a, rpcFailure } from './failure.ts';
import type { A2aRequest } from './requests.ts';

export interface ApiOptions {
  /** The server's name in the configuration, for messages. */
  name: string;
  origin: string;
  credentials: ServerCredentials;
  maxReplyBytes: number;
  guard: NetworkGuard | undefined;
}

export interface EventHandlers {
  /** An event of the stream, or the only result of a server that does not stream. */
  event(value: unknown): void;
  /** The stream ended as it should. */
  end(): void;
  /** The request was refused, or its stream broke off. */
  failed(error: Error): void;
  /** The request is about to leave. */
  left(): void;
}

/** Limit of all events of a stream together, in multiples of `maxReplyBytes`. */
const MAX_STREAM_REPLIES = 16;

export class A2aApi {
  readonly name: string;
  readonly maxReplyBytes: number;
  readonly #origin: HttpOrigin;

  constructor({ name, origin, credentials, maxReplyBytes, guard }: ApiOptions) {
    this.name = name;
    this.maxReplyBytes = maxReplyBytes;
    this.#origin = new HttpOrigin({ origin, name, maxReplyBytes, guard, credentials });
  }

  /** The reply to a GET of the card, whatever its status. */
  card(path: string, signal: AbortSignal): Promise<WholeReply> {
    const headers = { accept: 'application/json', 'accept-encoding': 'identity', 'a2a-version': '1.0' };
    return this.#origin.collect({ method: 'GET', path, headers }, signal);
  }

  /** The result of a request that may be repeated: getting or cancelling a task. */
  async result(to: AgentInterface, request: A2aRequest, identity: Identity, signal: AbortSignal): Promise<unknown> {
    const reply = await this.#origin.collect(httpRequest(to, request, identity, false), signal);
    return this.#resultOf(to, reply);
  }

  /** The result of a request that is part of a call: aborting the call closes the connection. */
  async resultFor(call: Call, to: AgentInterface, request: A2aRequest): Promise<unknown> {
    const reply = await this.#origin.collect(httpRequest(to, request, call.caller.identity, false), call);
    return this.#resultOf(to, reply);
  }

  /** Sends a request whose reply is a stream of events. Exactly one of `end` and `failed` is called, last. */
  stream(to: AgentInterface, request: A2aRequest, identity: Identity, handlers: EventHandlers): HttpExchange {
    let over = false;
    const failed = (error: Error): void => {
      if (over) return;
      over = true;
      handlers.failed(error);
      exchange?.abort(error);
    };
    const ended = (): void => {
      if (over) return;
      over = true;
      handlers.end();
    };
    const receive = (head: HttpHead): BodySink => {
      const isStream = String(head.headers['content-type']).startsWith('text/event-stream');
      if (head.status < 300 && isStream) return this.#events(to, handlers, ended, failed);
      const whole = (body: Buffer): void => {
        try {
          handlers.event(this.#resultOf(to, { ...head, body }));
          ended();
        } catch (error) {
          failed(error as Error);
        }
      };
      return collector(this.maxReplyBytes, whole, failed, failed);
    };
    let exchange: HttpExchange | undefined;
    exchange = this.#origin.send(httpRequest(to, request, identity, true), receive, failed, () => handlers.left());
    return exchange;
  }

  close(): Promise<void> {
    return this.#origin.close();
  }

  #events(to: AgentInterface, { event }: EventHandlers, ended: () => void, failed: (error: Error) => void): BodySink {
    let bytes = 0;
    const most = this.maxReplyBytes * MAX_STREAM_REPLIES;
    const parser = new SseParser(
      { onEvent: ({ data }) => event(this.#unwrap(to, parseJson(data, this.name))) },
      this.maxReplyBytes,
    );
    return {
      data: (chunk) => {
        bytes += chunk.length;
        try {
          if (bytes > most) {
            throw new SwitchboardError('SWB_REPLY_TOO_LARGE', `The agent's events are over ${most} bytes in total.`);
          }
          parser.push(chunk);
        } catch (error) {
          failed(error as Error);
        }
      },
      end: ended,
      error: failed,
    };
  }

  #resultOf(to: AgentInterface, reply: WholeReply): unknown {
    const body = reply.status >= 200 && reply.status < 300 ? parseJson(reply.body, this.name) : undefined;
    if (body === undefined) throw httpFailure(this.name, reply);
    return this.#unwrap(to, body);
  }

  /** The result of a JSON-RPC response, or the body of HTTP+JSON. Throws what an error says: both answer with HTTP 200. */
  #unwrap({ binding }: AgentInterface, body: unknown): unknown {
    if (!isObject(body)) throw notA2a(this.name);
    if (isObject(body.error)) throw rpcFailure(this.name, body.error);
    if (binding === 'HTTP+JSON') return body;
    if (!('result' in body)) throw notA2a(this.name);
    return body.result;
  }
}

function httpRequest(
  { url, binding, version }: AgentInterface,
  { http, method, params }: A2aRequest,
  identity: Identity,
  streamed: boolean,
): HttpRequest {
  const headers: Record<string, string> = {
    accept: streamed ? 'text/event-stream, application/json' : 'application/json',
    'accept-encoding': 'identity',
    'a2a-version': version,
  };
  if (binding === 'HTTP+JSON') {
    const path = `${url.pathname.replace(/\/+$/, '')}${http.path}${url.search}`;
    if (http.method === 'GET') return { method: 'GET', path, headers, identity };
    headers['content-type'] = 'application/json';
    return { method: 'POST', path, headers, body: JSON.stringify(params), identity };
  }
  headers['content-type'] = 'application/json';
  const body = JSON.stringify({ jsonrpc: '2.0', id: randomUUID(), method, params });
  return { method: 'POST', path: url.pathname + url.search, headers, body, identity };
}

export function parseJson(body: Buffer, name: string): unknown {
  try {
    return parseText(body.toString('utf8'));
  } catch {
    throw notA2a(name);
  }
}
