/**
 * HTTP towards one origin, shared by all adapters: an undici pool, called at the level of its handlers. Global fetch
 * costs 3.4-5.5 times as much per call, and a sink that sees chunks as they arrive serves JSON, SSE and odder framings.
 * @module
 */
import type { IncomingHttpHeaders } from 'node:http';
import { buildConnector, type Dispatcher, Pool } from 'undici';
import type { NetworkGuard } from '../../src/core/adapter.ts';
import type { Call } from '../../src/core/call.ts';
import {
  type AfterRefusal,
  type CredentialHeaders,
  GATEWAY_IDENTITY,
  type ServerCredentials,
} from '../../src/core/credentials.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Identity } from '../../src/core/identity.ts';
import { networkCode, networkReason } from '../../src/core/network-errors.ts';
import { ChunkBuffer } from '../../src/wire/chunk-buffer.ts';
import { Throttle } from './throttle.ts';

export interface HttpRequest {
  method: 'GET' | 'POST' | 'DELETE' | 'PUT' | 'PATCH';
  /** Path and query. */
  path: string;
  /** Of the protocol; credentials are added to them, and never replace one. */
  headers: Record<string, string>;
  body?: string | Buffer;
  /** Whose credentials it carries. Undefined: the gateway's own. */
  identity?: Identity | undefined;
}

export interface OriginOptions {
  origin: string;
  /** The server's name, for messages. */
  name: string;
  maxReplyBytes: number;
  guard: NetworkGuard | undefined;
  /** Undefined: requests carry none. */
  credentials: ServerCredentials | undefined;
  /** Headers that are sent where the credentials have none of the name. */
  defaults?: CredentialHeaders | undefined;
  /** Names, in lower case, that credentials have no say in. */
  owned?: RegExp;
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

const NONE: CredentialHeaders = Object.freeze({});

/** What the exchanges with one origin share: its connections, and the credentials requests carry. */
class OriginChannel {
  readonly name: string;
  readonly throttle = new Throttle();
  readonly #pool: Pool;
  readonly #credentials: ServerCredentials | undefined;
  readonly #defaults: CredentialHeaders;
  readonly #owned: RegExp | undefined;
  /** What headers objects become on the wire, for as long as their provider keeps them. */
  readonly #sendable = new WeakMap<CredentialHeaders, CredentialHeaders>();

  constructor(pool: Pool, { name, credentials, defaults = {}, owned }: OriginOptions) {
    this.#pool = pool;
    this.name = name;
    this.#credentials = credentials;
    this.#defaults = defaults;
    this.#owned = owned;
  }

  /** Throws where undici does: at header values it does not accept. */
  dispatch(request: HttpRequest, exchange: Exchange): void {
    const credentials = this.#headersFor(request.identity ?? GATEWAY_IDENTITY);
    if (!(credentials instanceof Promise)) {
      this.#send(request, credentials, exchange);
      return;
    }
    const send = (headers: CredentialHeaders): void => {
      if (!exchange.settled) this.#send(request, headers, exchange);
    };
    credentials.then(send).catch((error: unknown) => exchange.fail(this.#unauthorized(error)));
  }

  #headersFor(identity: Identity): CredentialHeaders | undefined | Promise<CredentialHeaders> {
    try {
      return this.#credentials?.headersFor(identity);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #unauthorized(error: unknown): SwitchboardError {
    if (error instanceof SwitchboardError) return error;
    const message = `There are no credentials for server '${this.name}' that could be sent.`;
    return new SwitchboardError('SWB_UPSTREAM_AUTH', message, { data: { server: this.name }, cause: error });
  }

  #send(
    { method, path, headers, body }: HttpRequest,
    credentials: CredentialHeaders | undefined,
    exchange: Exchange,
  ): void {
    const own = credentials === undefined ? NONE : this.#sendableOf(credentials);
    const all = own === NONE ? headers : { ...own, ...headers };
    this.#pool.dispatch({ method, path, headers: all, body: body ?? null }, exchange);
  }

  #sendableOf(credentials: CredentialHeaders): CredentialHeaders {
    let sendable = this.#sendable.get(credentials);
    if (!sendable) {
      const lowerCased = Object.entries(credentials).map(([name, value]) => [name.toLowerCase(), value] as const);
      const allowed = lowerCased.filter(([name]) => !this.#owned?.test(name));
      sendable = { ...this.#defaults, ...Object.fromEntries(allowed) };
      if (Object.keys(sendable).length === 0) sendable = NONE;
      this.#sendable.set(credentials, sendable);
    }
    return sendable;
  }

  /** What to do about a response of this status. */
  afterRefusal(
    { identity = GATEWAY_IDENTITY }: HttpRequest,
    status: number,
    headers: IncomingHttpHeaders,
  ): AfterRefusal | Promise<AfterRefusal> {
    if ((status !== 401 && status !== 403) || !this.#credentials?.refused) return 'give-up';
    const challenge = headers['www-authenticate'];
    try {
      return this.#credentials.refused(identity, status, challenge);
    } catch {
      return 'give-up';
    }
  }
}

class Exchange implements Dispatcher.DispatchHandler, HttpExchange {
  readonly #channel: OriginChannel;
  readonly #request: HttpRequest;
  readonly #receive: (head: HttpHead) => BodySink;
  readonly #failed: (error: Error) => void;
  readonly #started: (() => void) | undefined;
  /** It repeats a request that was refused: it is not repeated again. */
  readonly #repeats: boolean;
  /** The one that repeats this one. */
  #repeated: Exchange | undefined;
  /** Milliseconds of work its body has caused. */
  #spent = 0;
  #resting: NodeJS.Timeout | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #sink: BodySink | undefined;
  #aborted: Error | undefined;
  settled = false;

  constructor(
    channel: OriginChannel,
    request: HttpRequest,
    receive: (head: HttpHead) => BodySink,
    failed: (error: Error) => void,
    started: (() => void) | undefined,
    repeats = false,
  ) {
    this.#channel = channel;
    this.#request = request;
    this.#receive = receive;
    this.#failed = failed;
    this.#started = started;
    this.#repeats = repeats;
  }

  abort(reason: Error): void {
    this.#repeated?.abort(reason);
    if (this.settled || this.#aborted) return;
    this.#aborted = reason;
    clearTimeout(this.#resting);
    // undici may report late; the caller gets the error now and exactly once.
    this.fail(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted) controller.abort(this.#aborted);
    else this.#started?.();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.settled || status < 200) return;
    const next = this.#repeats ? 'give-up' : this.#channel.afterRefusal(this.#request, status, headers);
    if (next === 'retry') this.#repeat(controller);
    else if (next === 'give-up') this.#sink = this.#receive({ status, headers });
    else {
      controller.pause();
      const goOn = (decided: AfterRefusal): void => {
        if (this.settled) return;
        if (decided === 'retry') this.#repeat(controller);
        else {
          this.#sink = this.#receive({ status, headers });
          controller.resume();
        }
      };
      next.then(goOn, () => goOn('give-up'));
    }
  }

  /** Sends the request again with the credentials there are now. The response to the first one is not read. */
  #repeat(controller: Dispatcher.DispatchController): void {
    this.settled = true;
    const again = new Exchange(this.#channel, this.#request, this.#receive, this.#failed, undefined, true);
    this.#repeated = again;
    controller.abort(new Error('The request is sent again with other credentials.'));
    try {
      this.#channel.dispatch(this.#request, again);
    } catch (error) {
      again.fail(asError(error));
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.settled) return;
    const started = performance.now();
    this.#sink?.data(chunk);
    const now = performance.now();
    const rest = this.#channel.throttle.rest(this.#spent, started, now);
    this.#spent += now - started;
    if (rest === 0 || this.settled) return;
    controller.pause();
    this.#resting = setTimeout(() => controller.resume(), rest);
  }

  onResponseEnd(): void {
    if (this.settled) return;
    this.settled = true;
    this.#sink?.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(this.#aborted ?? networkError(error, this.#channel.name, this.#sink !== undefined));
  }

  fail(error: Error): void {
    if (this.settled) return;
    this.settled = true;
    if (this.#sink) this.#sink.error(error);
    else this.#failed(error);
  }
}

/** A network failure in words that name no address. The original goes along as the cause, for the log. */
function networkError(error: Error, name: string, midReply: boolean): SwitchboardError {
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
