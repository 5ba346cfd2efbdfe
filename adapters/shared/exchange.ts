/**
 * One HTTP exchange at the level of undici's handlers: its request with the credentials of an identity, the response in
 * chunks, one repetition after a refusal, and failures as `SwitchboardError`s.
 * @module
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher, Pool } from 'undici';
import type { ConnectContext } from '../../src/core/adapter.ts';
import {
  type AfterRefusal,
  type CredentialHeaders,
  GATEWAY_IDENTITY,
  type ServerCredentials,
} from '../../src/core/credentials.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Identity } from '../../src/core/identity.ts';
import { networkCode, networkReason } from '../../src/core/network-errors.ts';
import { codingsOf, type DecodedBody, Decoding } from './decoding.ts';
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

export interface ChannelOptions {
  /** The server's name, for messages. */
  name: string;
  /** Undefined: requests carry none. */
  credentials: ServerCredentials | undefined;
  /** Headers that are sent where the credentials have none of the name. */
  defaults?: CredentialHeaders | undefined;
  /** Names, in lower case, of headers that credentials cannot set. */
  owned?: RegExp;
  /** Called with every request, as text. */
  sending?: ConnectContext['sending'];
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

export const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));

const NONE: CredentialHeaders = Object.freeze({});

/** What the exchanges with one origin share: its connections, and the credentials requests carry. */
export class OriginChannel {
  readonly name: string;
  readonly throttle = new Throttle();
  readonly #pool: Pool;
  readonly #credentials: ServerCredentials | undefined;
  readonly #defaults: CredentialHeaders;
  readonly #owned: RegExp | undefined;
  readonly #sending: ConnectContext['sending'];
  /** What headers objects become on the wire, for as long as their provider keeps them. */
  readonly #sendable = new WeakMap<CredentialHeaders, CredentialHeaders>();

  constructor(pool: Pool, { name, credentials, defaults = {}, owned, sending }: ChannelOptions) {
    this.#pool = pool;
    this.name = name;
    this.#credentials = credentials;
    this.#defaults = defaults;
    this.#owned = owned;
    this.#sending = sending;
  }

  /** Throws where undici does: at header values it does not accept. */
  dispatch(request: HttpRequest, exchange: Exchange): void {
    const credentials = this.#headersFor(request);
    if (!(credentials instanceof Promise)) {
      this.#send(request, credentials, exchange);
      return;
    }
    const send = (headers: CredentialHeaders): void => {
      if (!exchange.settled) this.#send(request, headers, exchange);
    };
    credentials.then(send).catch((error: unknown) => exchange.fail(this.#unauthorized(error)));
  }

  #headersFor(request: HttpRequest): CredentialHeaders | undefined | Promise<CredentialHeaders> {
    try {
      return this.#credentials?.headersFor(request.identity ?? GATEWAY_IDENTITY, request);
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
    exchange.shown = credentials;
    if (this.#sending && method !== 'DELETE') this.#sending(typeof body === 'string' ? body : `${method} ${path}`);
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

  /** The next proof of this provider carries the nonce. */
  noteNonce(nonce: string, { shown }: Exchange): void {
    if (shown) this.#credentials?.answered?.(shown, nonce);
  }

  /** What to do about a response of this status; an error is what the request fails with. */
  afterRefusal(
    { identity = GATEWAY_IDENTITY }: HttpRequest,
    status: number,
    headers: IncomingHttpHeaders,
    exchange: Exchange,
  ): AfterRefusal | SwitchboardError | Promise<AfterRefusal | SwitchboardError> {
    const credentials = this.#credentials;
    if ((status !== 401 && status !== 403) || !credentials?.refused) return 'give-up';
    // A header that stands several times is a list; the type does not say so.
    const challenge = (headers['www-authenticate'] as string | string[] | undefined)?.toString();
    const nonce = headers['dpop-nonce'];
    const more = { shown: exchange.shown, nonce: typeof nonce === 'string' ? nonce : undefined };
    try {
      if (exchange.repeats) return credentials.refusedAgain?.(identity, status, challenge, more) ?? 'give-up';
      const next = credentials.refused(identity, status, challenge, more);
      return next instanceof Promise ? next.catch(failureOf) : next;
    } catch (error) {
      return failureOf(error);
    }
  }
}

const failureOf = (error: unknown): 'give-up' | SwitchboardError =>
  error instanceof SwitchboardError ? error : 'give-up';

export class Exchange implements Dispatcher.DispatchHandler, HttpExchange, DecodedBody {
  readonly #channel: OriginChannel;
  readonly #request: HttpRequest;
  readonly #receive: (head: HttpHead) => BodySink;
  readonly #failed: (error: Error) => void;
  readonly #started: (() => void) | undefined;
  /** It repeats a request that was refused: it is not repeated again. */
  readonly repeats: boolean;
  /** The credentials it was sent with. */
  shown: CredentialHeaders | undefined;
  /** The one that repeats this one. */
  #repeated: Exchange | undefined;
  /** Milliseconds of work its body has caused. */
  #spent = 0;
  #resting: NodeJS.Timeout | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #sink: BodySink | undefined;
  /** Of a compressed body. */
  #decoding: Decoding | undefined;
  #received = false;
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
    this.repeats = repeats;
  }

  abort(reason: Error): void {
    this.#repeated?.abort(reason);
    if (this.settled || this.#aborted) return;
    this.#aborted = reason;
    clearTimeout(this.#resting);
    // undici may report late; the caller gets the error now and exactly once.
    this.fail(reason);
    if (!this.#received) this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted) controller.abort(this.#aborted);
    else this.#started?.();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.settled || status < 200) return;
    const nonce = headers['dpop-nonce'];
    if (typeof nonce === 'string') this.#channel.noteNonce(nonce, this);
    const next = this.#channel.afterRefusal(this.#request, status, headers, this);
    if (!(next instanceof Promise)) {
      this.#decided(next, controller, { status, headers });
      return;
    }
    controller.pause();
    void next.then((decided) => {
      if (this.settled) return;
      this.#decided(decided, controller, { status, headers });
      if (!this.settled) controller.resume();
    });
  }

  #decided(next: AfterRefusal | SwitchboardError, controller: Dispatcher.DispatchController, head: HttpHead): void {
    if (next === 'retry') this.#repeat(controller);
    else if (next === 'give-up') this.#read(head);
    else {
      this.fail(next);
      controller.abort(next);
    }
  }

  #read(head: HttpHead): void {
    const codings = codingsOf(head.headers['content-encoding']);
    if (codings) this.#decoding = new Decoding(codings, this.#channel.name, this);
    this.#sink = this.#receive(head);
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
    if (this.#decoding) {
      if (!this.#decoding.push(chunk)) controller.pause();
      return;
    }
    const rest = this.data(chunk);
    if (rest === 0 || this.settled) return;
    controller.pause();
    this.#resting = setTimeout(() => controller.resume(), rest);
  }

  onResponseEnd(): void {
    if (this.settled) return;
    this.#received = true;
    if (this.#decoding) this.#decoding.end();
    else this.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(this.#aborted ?? networkError(error, this.#channel.name, this.#sink !== undefined));
  }

  // The body as it was before the server compressed it.

  /** Returns how long to leave the source alone, in milliseconds. */
  data(chunk: Buffer): number {
    const started = performance.now();
    this.#sink?.data(chunk);
    const now = performance.now();
    const rest = this.#channel.throttle.rest(this.#spent, started, now);
    this.#spent += now - started;
    return rest;
  }

  end(): void {
    this.settled = true;
    this.#sink?.end();
  }

  drained(): void {
    if (!this.settled && !this.#received) this.#controller?.resume();
  }

  /** The body cannot be decoded. */
  error(error: Error): void {
    if (!this.#received) this.#controller?.abort(error);
    this.fail(error);
  }

  fail(error: Error): void {
    if (this.settled) return;
    this.settled = true;
    this.#decoding?.stop();
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
