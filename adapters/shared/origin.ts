/**
 * HTTP towards one origin, shared by all adapters: an undici pool, called at the level of its handlers. Global fetch
 * costs 3.4-5.5 times as much per call, and a sink that sees chunks as they arrive serves JSON, SSE and odder framings.
 * @module
 */
import type { Pool as ConnectionPool, buildConnector as connectors } from 'undici';
import type { NetworkGuard } from '../../src/core/adapter.ts';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { ChunkBuffer } from '../../src/wire/chunk-buffer.ts';
import {
  asError,
  type BodySink,
  type ChannelOptions,
  Exchange,
  type HttpExchange,
  type HttpHead,
  type HttpRequest,
  OriginChannel,
} from './exchange.ts';
import { buildConnector, Pool } from './undici.ts';

export type { BodySink, HttpExchange, HttpHead, HttpRequest } from './exchange.ts';

export interface OriginOptions extends ChannelOptions {
  origin: string;
  maxReplyBytes: number;
  guard: NetworkGuard | undefined;
}

export interface WholeReply extends HttpHead {
  body: Buffer;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Asks the guard before every socket, and connects to the addresses it has just checked. `lookup` alone would not do:
 * Node skips it for a host that is an IP address.
 */
function guardedConnector(origin: URL, guard: NetworkGuard): connectors.connector {
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, lookup: guard.lookup });
  return (options, callback) => {
    guard.check(origin).then(
      () => connect(options, callback),
      (error: Error) => callback(error, null),
    );
  };
}

export class HttpOrigin {
  readonly #pool: ConnectionPool;
  readonly #channel: OriginChannel;
  readonly #maxReplyBytes: number;

  constructor(options: OriginOptions) {
    const { origin, maxReplyBytes, guard } = options;
    this.#maxReplyBytes = maxReplyBytes;
    this.#pool = new Pool(origin, {
      connections: null,
      pipelining: 1,
      // Deadlines belong to the call (relay) or to the connect signal; a pool-wide one would cut long quiet streams.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: guard ? guardedConnector(new URL(origin), guard) : { timeout: CONNECT_TIMEOUT_MS },
    });
    this.#channel = new OriginChannel(this.#pool, options);
  }

  /**
   * Sends a request. `receive` sees the head and returns where the body goes; `started` is called when the request is put on a
   * connection; before that it has had no effect.
   */
  send(
    request: HttpRequest,
    receive: (head: HttpHead) => BodySink,
    failed: (error: Error) => void,
    started?: () => void,
  ): HttpExchange {
    const exchange = new Exchange(this.#channel, request, receive, failed, started);
    this.#channel.dispatch(request, exchange);
    return exchange;
  }

  /** Sends a request and collects the body, up to the limit. */
  collect(request: HttpRequest, by?: AbortSignal | RequestCall): Promise<WholeReply> {
    return this.exchange(request, by, (head, done, fail) =>
      collector(this.#maxReplyBytes, (body) => done({ ...head, body }), fail, fail),
    );
  }

  /**
   * Sends a request and settles with what `receive` makes of the reply: `done` and `fail` end the exchange. Aborting `by`
   * rejects with its reason. Ending early closes the connection, and with it what runs on the server.
   */
  exchange<T>(
    request: HttpRequest,
    by: AbortSignal | RequestCall | undefined,
    receive: (head: HttpHead, done: (value: T) => void, fail: (error: Error) => void) => BodySink,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let exchange: HttpExchange | undefined;
    let settled = false;
    let unlisten = (): void => {};
    const end = (): boolean => {
      if (settled) return false;
      settled = true;
      unlisten();
      return true;
    };
    const done = (value: T): void => {
      if (end()) resolve(value);
    };
    const fail = (error: Error): void => {
      if (!end()) return;
      reject(error);
      exchange?.abort(error);
    };
    const call = by instanceof AbortSignal ? callOf(by) : by;
    if (call) unlisten = call.onAbort(fail);
    if (!settled) {
      exchange = this.send(
        request,
        (head) => receive(head, done, fail),
        fail,
        () => call?.left?.(),
      );
    }
    return promise;
  }

  /** Ends all connections at once; calls in flight fail. */
  async close(): Promise<void> {
    await this.#pool.destroy(
      new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${this.#channel.name}' was disconnected.`),
    );
  }
}

/** The part of a call that ends its request. */
export type RequestCall = Pick<Call, 'onAbort' | 'left'>;

const callOf = (signal: AbortSignal): RequestCall => ({
  onAbort(listener) {
    const stop = (): void => listener(asError(signal.reason));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    return () => signal.removeEventListener('abort', stop);
  },
});

/** A sink that gathers a body of at most `maxBytes`, and aborts the exchange beyond. */
export function collector(
  maxBytes: number,
  done: (body: Buffer) => void,
  failed: (error: Error) => void,
  abort: (error: Error) => void,
): BodySink {
  const body = new ChunkBuffer();
  let tooLarge = false;
  return {
    data(chunk) {
      if (tooLarge) return;
      if (body.size + chunk.length > maxBytes) {
        tooLarge = true;
        body.take();
        abort(new SwitchboardError('SWB_REPLY_TOO_LARGE', `The upstream's reply is over ${maxBytes} bytes.`));
        return;
      }
      body.add(chunk);
    },
    end() {
      done(body.take());
    },
    error: failed,
  };
}
