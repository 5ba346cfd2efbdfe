/**
 * HTTP towards one LangGraph server: its base path, the configured headers and nothing else (the server keeps every
 * inbound `x-…` header and the user agent in the thread's config, measured), JSON in and out, failures as our errors.
 * @module
 */

import type { ConnectContext, NetworkGuard } from '../../src/core/adapter.ts';
import type { ServerCredentials } from '../../src/core/credentials.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Identity } from '../../src/core/identity.ts';
import { networkCode } from '../../src/core/network-errors.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import {
  type BodySink,
  type HttpExchange,
  type HttpHead,
  HttpOrigin,
  type HttpRequest,
  type WholeReply,
} from '../shared/origin.ts';
import { httpFailure, notLanggraph } from './failure.ts';

export interface ApiOptions {
  /** The server's name in the configuration. */
  name: string;
  url: URL;
  credentials: ServerCredentials;
  maxReplyBytes: number;
  guard: NetworkGuard | undefined;
  sending?: ConnectContext['sending'];
  /** Called each time the server refuses a connection. */
  onRefused(reason: Error): void;
}

export class LanggraphApi {
  readonly name: string;
  readonly maxReplyBytes: number;
  readonly #origin: HttpOrigin;
  readonly #base: string;
  readonly #query: string;
  /** Whose credentials requests carry; undefined: the gateway's own. */
  readonly #identity: Identity | undefined;
  readonly #options: ApiOptions;
  readonly #onRefused: (reason: Error) => void;

  constructor(options: ApiOptions, origin?: HttpOrigin, identity?: Identity) {
    const { name, url, credentials, maxReplyBytes, guard, sending, onRefused } = options;
    this.#options = options;
    this.#identity = identity;
    this.name = name;
    this.maxReplyBytes = maxReplyBytes;
    this.#origin = origin ?? new HttpOrigin({ origin: url.origin, name, maxReplyBytes, guard, credentials, sending });
    this.#base = url.pathname.replace(/\/+$/, '');
    this.#query = url.search;
    this.#onRefused = onRefused;
  }

  /** The same server over the same connections, with the credentials of this identity. */
  as(identity: Identity): LanggraphApi {
    return new LanggraphApi(this.#options, this.#origin, identity);
  }

  /** The reply, whatever its status. */
  async reply(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body: unknown,
    signal: AbortSignal,
  ): Promise<WholeReply> {
    try {
      return await this.#origin.collect(this.#request(method, path, body, 'application/json'), signal);
    } catch (error) {
      throw this.failure(error);
    }
  }

  /** The JSON of a 2xx reply; other statuses and other bodies are errors. */
  async json(method: 'GET' | 'POST', path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const reply = await this.reply(method, path, body, signal);
    if (reply.status < 200 || reply.status > 299) throw httpFailure(this.name, reply);
    return parseJson(reply.body, this.name);
  }

  /** Sends a POST whose reply is a stream of events. Never sent again, whatever becomes of it. */
  stream(
    path: string,
    body: JsonObject,
    receive: (head: HttpHead) => BodySink,
    failed: (error: Error) => void,
    started?: () => void,
  ): HttpExchange {
    const request = this.#request('POST', path, body, 'text/event-stream');
    return this.#origin.send(request, receive, (error) => failed(this.failure(error)), started);
  }

  /** Reads on a stream of events behind the event of this id. */
  readOn(
    path: string,
    lastEventId: string,
    receive: (head: HttpHead) => BodySink,
    failed: (error: Error) => void,
  ): HttpExchange {
    const request = this.#request('GET', path, undefined, 'text/event-stream');
    request.headers['last-event-id'] = lastEventId;
    return this.#origin.send(request, receive, (error) => failed(this.failure(error)));
  }

  /** A network failure as the client may see it; a refused connection is reported on the way. */
  failure(error: unknown): Error {
    if (!(error instanceof SwitchboardError)) {
      // The reason of an abort signal: a deadline of ours, or of the connect attempt.
      return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${this.name}' did not answer in time.`, {
        cause: error,
      });
    }
    if (networkCode(error.cause) === 'ECONNREFUSED') this.#onRefused(error);
    return error;
  }

  close(): Promise<void> {
    return this.#origin.close();
  }

  #request(method: HttpRequest['method'], path: string, body: unknown, accept: string): HttpRequest {
    const request: HttpRequest = {
      method,
      path: `${this.#base}${path}${path.includes('?') ? this.#query.replace('?', '&') : this.#query}`,
      headers: { accept, 'accept-encoding': 'identity' },
      identity: this.#identity,
    };
    if (body !== undefined) {
      request.headers['content-type'] = 'application/json';
      request.body = JSON.stringify(body);
    }
    return request;
  }
}

export function parseJson(body: Buffer, name: string): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw notLanggraph(name, error);
  }
}
