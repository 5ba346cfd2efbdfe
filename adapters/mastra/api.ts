/**
 * Mastra's HTTP API as the adapter uses it: where it is, how a request is made, and how its event streams are read.
 * No request is ever sent twice.
 *
 * Raw HTTP, not Mastra's own client: that one retries three times by default, run-creating requests included.
 * @module
 */

import type { ConnectContext, NetworkGuard } from '../../src/core/adapter.ts';
import type { Call } from '../../src/core/call.ts';
import type { ServerCredentials } from '../../src/core/credentials.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Identity } from '../../src/core/identity.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { SseParser } from '../../src/wire/sse.ts';
import { collector, HttpOrigin, type HttpRequest, type RequestCall, type WholeReply } from '../shared/origin.ts';
import { EventParser, parseEvent } from './events.ts';
import { RecordReader } from './records.ts';

export interface ApiOptions {
  /** The server's name in the configuration, for messages. */
  name: string;
  /** The server's URL as it is configured: its origin and its query are used. */
  url: string;
  /** Path of the API: one of {@link apiBases}. */
  base: string;
  credentials: ServerCredentials;
  maxReplyBytes: number;
  guard: NetworkGuard | undefined;
  sending?: ConnectContext['sending'];
}

/**
 * Where Mastra's API may be at a URL, likeliest first: `/base/api` and `/base` for `/base`; a server mounted under a prefix of
 * its own (`prefix`, `apiPrefix`) has that in place of `/api`.
 */
export function apiBases(url: URL): [string, string] {
  const path = url.pathname.replace(/\/+$/, '');
  return path.endsWith('/api') ? [path, `${path}/api`] : [`${path}/api`, path];
}

export class MastraApi {
  readonly name: string;
  readonly maxReplyBytes: number;
  readonly #origin: HttpOrigin;
  readonly #base: string;
  readonly #search: string;

  constructor({ name, url, base, credentials, maxReplyBytes, guard, sending }: ApiOptions) {
    const target = new URL(url);
    this.name = name;
    this.maxReplyBytes = maxReplyBytes;
    this.#origin = new HttpOrigin({ origin: target.origin, name, maxReplyBytes, guard, credentials, sending });
    this.#base = base;
    this.#search = target.search.slice(1);
  }

  /** Outside calls: listing, polling, probing. */
  get(path: readonly string[], signal: AbortSignal, query = ''): Promise<WholeReply> {
    return this.#origin.collect({ method: 'GET', path: this.#path(path, query), headers: READ }, signal);
  }

  /** Outside the call's own life: status, cancelling. With the credentials of this identity. */
  control(method: 'GET' | 'POST', path: readonly string[], identity: Identity, query = ''): Promise<WholeReply> {
    const request = { method, path: this.#path(path, query), headers: READ, identity };
    return this.#origin.collect(request, AbortSignal.timeout(CONTROL_TIMEOUT_MS));
  }

  /** Inside a call: aborting the call closes the connection. */
  getFor(call: Call, path: readonly string[], query = ''): Promise<WholeReply> {
    return this.#origin.collect(this.#request(call, this.#path(path, query)), call);
  }

  /** Inside a call. Aborting it closes the connection, and Mastra then aborts the model (measured). */
  post(call: Call, path: readonly string[], body: JsonObject, query = ''): Promise<WholeReply> {
    return this.#origin.collect(this.#request(call, this.#path(path, query), body), call);
  }

  deleteFor(call: Call, path: readonly string[], query = ''): Promise<WholeReply> {
    const { identity } = call.caller;
    const request: HttpRequest = { method: 'DELETE', path: this.#path(path, query), headers: READ, identity };
    return this.#origin.collect(request, call);
  }

  /**
   * Inside a call: `onEvent` sees every event of a workflow's stream, which is JSON with record separators and no SSE.
   * Resolves as {@link stream} does.
   */
  records(
    call: Call,
    path: readonly string[],
    { body, query, onEvent, started }: RecordRequest,
  ): Promise<WholeReply | undefined> {
    const request = this.#request(call, this.#path(path, query), body);
    return this.#origin.exchange<WholeReply | undefined>(request, telling(call, started), (head, done, fail) => {
      if (head.status !== 200) {
        return collector(this.maxReplyBytes, (whole) => done({ ...head, body: whole }), fail, fail);
      }
      const records = new RecordReader((text) => onEvent(parseEvent(text, this.name)), this.maxReplyBytes);
      const attempt = (read: () => void): boolean => {
        try {
          read();
          return true;
        } catch (error) {
          fail(error as Error);
          return false;
        }
      };
      return {
        data: (chunk) => void attempt(() => records.push(chunk)),
        end: () => {
          if (attempt(() => records.end())) done(undefined);
        },
        error: fail,
      };
    });
  }

  /**
   * Inside a call: `onEvent` sees every event up to `[DONE]` or the end of the stream, and each is a sign of life. Resolves with undefined then, or
   * with the whole reply when it is not a stream.
   */
  stream(
    call: Call,
    path: readonly string[],
    body: JsonObject,
    onEvent: (event: unknown) => void,
    started?: () => void,
  ): Promise<WholeReply | undefined> {
    const request = this.#request(call, this.#path(path), body);
    return this.#origin.exchange<WholeReply | undefined>(request, telling(call, started), (head, done, fail) => {
      if (head.status !== 200 || !String(head.headers['content-type']).startsWith('text/event-stream')) {
        return collector(this.maxReplyBytes, (whole) => done({ ...head, body: whole }), fail, fail);
      }
      let bytes = 0;
      let isAlive = false;
      const most = this.maxReplyBytes * MAX_STREAM_REPLIES;
      const events = new EventParser(this.name);
      const parser = new SseParser(
        {
          onEvent: ({ text }) => {
            isAlive = true;
            if (text === '[DONE]') done(undefined);
            else onEvent(events.parse(text));
          },
        },
        this.maxReplyBytes * MAX_EVENT_REPLIES,
      );
      return {
        data: (chunk) => {
          bytes += chunk.length;
          try {
            if (bytes > most) throw tooLarge(most);
            isAlive = false;
            parser.push(chunk);
            // Once for all events of the chunk.
            if (isAlive) call.alive?.();
          } catch (error) {
            fail(error as Error);
          }
        },
        end: () => done(undefined),
        error: fail,
      };
    });
  }

  close(): Promise<void> {
    return this.#origin.close();
  }

  #request({ caller: { identity } }: Call, path: string, body?: JsonObject): HttpRequest {
    return body
      ? { method: 'POST', path, headers: { ...POSTED }, body: JSON.stringify(body), identity }
      : { method: 'GET', path, headers: READ, identity };
  }

  #path(segments: readonly string[], query = ''): string {
    const path = segments.map(encodeSegment).join('/');
    const search = [this.#search, query].filter((part) => part !== '').join('&');
    return `${this.#base}/${path}${search === '' ? '' : `?${search}`}`;
  }
}

interface RecordRequest {
  body: JsonObject;
  query: string;
  onEvent(event: unknown): void;
  /** The request leaves. */
  started(): void;
}

/** The call, with one more listener for its request leaving. */
const telling = (call: Call, started: (() => void) | undefined): RequestCall => ({
  onAbort: (listener) => call.onAbort(listener),
  left() {
    started?.();
    call.left?.();
  },
});

const CONTROL_TIMEOUT_MS = 5_000;

/** Limit of all events of a stream together, in multiples of `maxReplyBytes`: a conversation is repeated in many of them. */
const MAX_STREAM_REPLIES = 64;
/** Limit of one event, likewise: the last ones hold the conversation nine times (measured). */
const MAX_EVENT_REPLIES = 4;

const tooLarge = (most: number): SwitchboardError =>
  new SwitchboardError('SWB_REPLY_TOO_LARGE', `The events of the run are over ${most} bytes in total.`);

const READ = { accept: 'application/json', 'accept-encoding': 'identity' };
const POSTED = {
  accept: 'application/json, text/event-stream',
  'accept-encoding': 'identity',
  'content-type': 'application/json',
};

/** Ids come from clients: a dot segment would lead to another route. Throws `SWB_INVALID_PARAMS`. */
function encodeSegment(segment: string): string {
  if (segment === '' || segment === '.' || segment === '..') {
    throw new SwitchboardError('SWB_INVALID_PARAMS', `${JSON.stringify(segment)} is not a name.`);
  }
  return encodeURIComponent(segment);
}
