/**
 * HTTP towards one origin, shared by all adapters: an undici pool, called at the level of its handlers. Global fetch
 * costs 3.4-5.5 times as much per call, and a sink that sees chunks as they arrive serves JSON, SSE and odder framings.
 * @module
 */
import type { IncomingHttpHeaders } from 'node:http';
import { buildConnector, type Dispatcher, Pool } from 'undici';
import type { NetworkGuard } from '../../src/core/adapter.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { networkCode, networkReason } from '../../src/core/network-errors.ts';
import { ChunkBuffer } from '../../src/wire/chunk-buffer.ts';
import { Throttle } from './throttle.ts';

export interface HttpRequest {
  method: 'GET' | 'POST' | 'DELETE' | 'PUT' | 'PATCH';
  /** Path and query. */
  path: string;
  headers: Record<string, string>;
  body?: string | Buffer;
}

export interface HttpHead {
  status: number;
  headers: IncomingHttpHeaders;
}

/** Receives a body. Exactly one of `end` and `error` is called, once, last. */
export interface BodySink {
  data(chunk: Buffer): void;
  end(): void;
  error(error: Error): void;
}

export interface HttpExchange {
  /** Closes the connection of this exchange. The sink gets `error(reason)`. */
  abort(reason: Error): void;
}

export interface WholeReply extends HttpHead {
  body: Buffer;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Asks the guard before every socket, and connects to the addresses it has just checked. `lookup` alone would not do:
 * Node skips it for a host that is an IP address.
 */
function guardedConnector(origin: URL, guard: NetworkGuard): buildConnector.connector {
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, lookup: guard.lookup });
  return (options, callback) => {
    guard.check(origin).then(
      () => connect(options, callback),
      (error: Error) => callback(error, null),
    );
  };
}

export class HttpOrigin {
  readonly #pool: Pool;
  readonly #name: string;
  readonly #maxReplyBytes: number;
  readonly #pace = new Throttle();

  /** `name` is the server's, for messages. */
  constructor(origin: string, name: string, maxReplyBytes: number, guard: NetworkGuard | undefined) {
    this.#name = name;
    this.#maxReplyBytes = maxReplyBytes;
    this.#pool = new Pool(origin, {
      connections: null,
      pipelining: 1,
      // Deadlines belong to the call (relay) or to the connect signal; a pool-wide one would cut long quiet streams.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: guard ? guardedConnector(new URL(origin), guard) : { timeout: CONNECT_TIMEOUT_MS },
    });
  }

  /**
   * Sends a request. `receive` sees the head and returns where the body goes; `started` hears when the request is put on a
   * connection, before which it has surely had no effect.
   */
  send(
    request: HttpRequest,
    receive: (head: HttpHead) => BodySink,
    failed: (error: Error) => void,
    started?: () => void,
  ): HttpExchange {
    const handler = new Exchange(receive, failed, started, this.#name, this.#pace);
    this.#pool.dispatch(
      {
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body ?? null,
      },
      handler,
    );
    return handler;
  }

  /** Sends a request and collects the body, up to the limit. */
  collect(request: HttpRequest, signal?: AbortSignal): Promise<WholeReply> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(asError(signal.reason));
        return;
      }
      const stop = (): void => exchange.abort(asError(signal?.reason));
      const settle = (action: () => void): void => {
        signal?.removeEventListener('abort', stop);
        action();
      };
      const exchange = this.send(
        request,
        (head) =>
          collector(
            this.#maxReplyBytes,
            (body) => settle(() => resolve({ ...head, body })),
            (error) => settle(() => reject(error)),
            (error) => exchange.abort(error),
          ),
        (error) => settle(() => reject(error)),
      );
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  /** Ends all connections at once; calls in flight fail. */
  async close(): Promise<void> {
    await this.#pool.destroy(
      new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${this.#name}' was disconnected.`),
    );
  }
}

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));

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

class Exchange implements Dispatcher.DispatchHandler, HttpExchange {
  readonly #receive: (head: HttpHead) => BodySink;
  readonly #failed: (error: Error) => void;
  readonly #started: (() => void) | undefined;
  readonly #name: string;
  readonly #pace: Throttle;
  /** Milliseconds of work its body has caused. */
  #spent = 0;
  #resting: NodeJS.Timeout | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #sink: BodySink | undefined;
  #aborted: Error | undefined;
  #settled = false;

  constructor(
    receive: (head: HttpHead) => BodySink,
    failed: (error: Error) => void,
    started: (() => void) | undefined,
    name: string,
    pace: Throttle,
  ) {
    this.#receive = receive;
    this.#failed = failed;
    this.#started = started;
    this.#name = name;
    this.#pace = pace;
  }

  abort(reason: Error): void {
    if (this.#settled || this.#aborted) return;
    this.#aborted = reason;
    clearTimeout(this.#resting);
    // undici may take a while to report; the caller is told now and exactly once.
    this.#fail(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted) controller.abort(this.#aborted);
    else this.#started?.();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.#settled || status < 200) return;
    this.#sink = this.#receive({ status, headers });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    const started = performance.now();
    this.#sink?.data(chunk);
    const now = performance.now();
    const rest = this.#pace.rest(this.#spent, started, now);
    this.#spent += now - started;
    if (rest === 0 || this.#settled) return;
    controller.pause();
    this.#resting = setTimeout(() => controller.resume(), rest);
  }

  onResponseEnd(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#sink?.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(this.#aborted ?? networkError(error, this.#name, this.#sink !== undefined));
  }

  #fail(error: Error): void {
    if (this.#settled) return;
    this.#settled = true;
    if (this.#sink) this.#sink.error(error);
    else this.#failed(error);
  }
}

/** A network failure in words that name no address. The original goes along as the cause, for the log. */
export function networkError(error: Error, name: string, midReply: boolean): SwitchboardError {
  if (error instanceof SwitchboardError) return error;
  const details = { cause: error };
  if (/^(HPE_|UND_ERR_INFO$)/.test(networkCode(error) ?? '')) {
    return new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' does not answer in valid HTTP.`, details);
  }
  const message = midReply
    ? `Server '${name}' broke off in the middle of its reply.`
    : `Server '${name}' is not reachable: ${networkReason(error) ?? 'the connection failed'}.`;
  return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', message, details);
}
