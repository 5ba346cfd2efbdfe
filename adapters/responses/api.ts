/**
 * HTTP towards a server with the Responses API. No request that starts a response is ever sent twice.
 * @module
 */
import type { NetworkGuard } from '../../src/core/adapter.ts';
import type { Call } from '../../src/core/call.ts';
import type { ServerCredentials } from '../../src/core/credentials.ts';
import type { Identity } from '../../src/core/identity.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { SseParser } from '../../src/wire/sse.ts';
import { collector, HttpOrigin, type HttpRequest, type WholeReply } from '../shared/origin.ts';
import { brokeOff, httpFailure, jsonOf, notResponses, tooLarge } from './failure.ts';

export interface ApiOptions {
  /** The server's name in the configuration, for messages. */
  name: string;
  /** The base URL: `/responses` and `/models` are below it. */
  url: URL;
  credentials: ServerCredentials;
  maxReplyBytes: number;
  guard: NetworkGuard | undefined;
}

/** The part of a call that a stream needs. */
export type Reader = Pick<Call, 'caller' | 'alive' | 'left' | 'onAbort'>;

/** Limit of all events of a stream together, in multiples of `maxReplyBytes`: the last event repeats the whole. */
const MAX_STREAM_REPLIES = 16;

const CANCEL_TIMEOUT_MS = 5_000;

const STREAM = { accept: 'text/event-stream, application/json', 'accept-encoding': 'identity' };
const READ = { accept: 'application/json', 'accept-encoding': 'identity' };

export class ResponsesApi {
  readonly name: string;
  readonly maxReplyBytes: number;
  readonly #origin: HttpOrigin;
  readonly #base: string;
  readonly #search: string;

  constructor({ name, url, credentials, maxReplyBytes, guard }: ApiOptions) {
    this.name = name;
    this.maxReplyBytes = maxReplyBytes;
    this.#origin = new HttpOrigin({ origin: url.origin, name, maxReplyBytes, guard, credentials });
    this.#base = url.pathname.replace(/\/+$/, '');
    this.#search = url.search;
  }

  /** The reply to a GET below the base URL, whatever its status. */
  get(path: string, signal: AbortSignal): Promise<WholeReply> {
    return this.#origin.collect({ method: 'GET', path: this.#path(path), headers: READ }, signal);
  }

  /**
   * `POST /responses` as a stream: `onEvent` sees every event. Resolves with the response object of the last event, or of a
   * server that does not stream. Aborting the call closes the connection, and that ends a response that is not in the background.
   */
  respond(call: Reader, body: JsonObject, onEvent: (event: JsonObject) => void): Promise<JsonObject> {
    const request = {
      method: 'POST' as const,
      path: this.#path('/responses'),
      headers: { ...STREAM, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      identity: call.caller.identity,
    };
    return this.#events(request, call, onEvent);
  }

  /** A response in the background: its events after this number, to its end. Resolves as {@link respond} does, or with how it stands. */
  follow(
    call: Reader,
    id: string,
    after: number | undefined,
    onEvent: (event: JsonObject) => void,
  ): Promise<JsonObject> {
    const query = `stream=true${after === undefined ? '' : `&starting_after=${after}`}`;
    const path = `${this.#path(`/responses/${encodeURIComponent(id)}`)}${this.#search === '' ? '?' : '&'}${query}`;
    const request = { method: 'GET' as const, path, headers: STREAM, identity: call.caller.identity };
    return this.#events(request, call, onEvent);
  }

  /** Ends a response in the background: it goes on without a connection. */
  cancel(id: string, identity: Identity): Promise<WholeReply> {
    const path = this.#path(`/responses/${encodeURIComponent(id)}/cancel`);
    const request = { method: 'POST' as const, path, headers: READ, identity };
    return this.#origin.collect(request, AbortSignal.timeout(CANCEL_TIMEOUT_MS));
  }

  #events(request: HttpRequest, call: Reader, onEvent: (event: JsonObject) => void): Promise<JsonObject> {
    const { name, maxReplyBytes } = this;
    return this.#origin.exchange<JsonObject>(request, call, (head, done, fail) => {
      if (head.status !== 200 || !String(head.headers['content-type']).startsWith('text/event-stream')) {
        const whole = (bytes: Buffer): void => {
          const reply = { ...head, body: bytes };
          const value = head.status === 200 ? jsonOf(bytes) : undefined;
          if (head.status !== 200) fail(httpFailure(name, reply));
          else if (isObject(value) && Array.isArray(value.output)) done(value);
          else fail(notResponses(name));
        };
        return collector(maxReplyBytes, whole, fail, fail);
      }
      let bytes = 0;
      let last: JsonObject | undefined;
      const parser = new SseParser(
        {
          onEvent: ({ data }) => {
            const text = data.toString('utf8');
            if (text === '[DONE]') return;
            const event = jsonOf(data);
            if (!isObject(event)) throw notResponses(name);
            if (isObject(event.response)) last = event.response;
            call.alive?.();
            onEvent(event);
          },
        },
        maxReplyBytes,
      );
      return {
        data: (chunk) => {
          bytes += chunk.length;
          try {
            if (bytes > maxReplyBytes * MAX_STREAM_REPLIES) throw tooLarge(maxReplyBytes * MAX_STREAM_REPLIES);
            parser.push(chunk);
          } catch (error) {
            fail(error as Error);
          }
        },
        end: () => (last && isOver(last) ? done(last) : fail(brokeOff(name))),
        error: fail,
      };
    });
  }

  close(): Promise<void> {
    return this.#origin.close();
  }

  readonly #path = (path: string): string => `${this.#base}${path}${this.#search}`;
}

const isOver = ({ status }: JsonObject): boolean => status !== 'in_progress' && status !== 'queued';
