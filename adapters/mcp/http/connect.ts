/**
 * Connecting over HTTP: a modern request first; what answers it with anything but modern MCP is opened with
 * `initialize`; what does not know that either may be a server of the old HTTP+SSE transport.
 * Source: 2026-07-28 transports/streamable-http, "Backward Compatibility".
 * @module
 */

import { isDeepStrictEqual } from 'node:util';
import type { ConnectContext, Target } from '../../../src/core/adapter.ts';
import type { Caller } from '../../../src/core/caller.ts';
import { GATEWAY_IDENTITY } from '../../../src/core/credentials.ts';
import { type ErrorCode, SwitchboardError, UpstreamError } from '../../../src/core/errors.ts';
import type { HttpHead } from '../../shared/origin.ts';
import type { Connected, Connection } from '../connection.ts';
import type { UpstreamHost } from '../host.ts';
import { refusesSecondSession } from '../session/habits.ts';
import { discover, type HandshakeOptions, initialize, type ServerHandshake } from '../session/handshake.ts';
import { callerEnvelope } from '../session/params.ts';
import { UpstreamSession } from '../session/session.ts';
import { connectSse } from '../sse/connect.ts';
import { NoStream } from '../sse/link.ts';
import { HttpTarget } from './http-target.ts';
import { LegacyHttpLink } from './legacy.ts';
import { ModernHttpLink } from './modern.ts';

/** How long a server may keep the modern probe waiting before it is opened the legacy way. */
const PROBE_MS = 5_000;

const ONE_SESSION = 'A server opens only one session: its callers share it, in spite of their isolation.';

const REFUSALS: ReadonlySet<ErrorCode> = new Set(['SWB_UPSTREAM_AUTH', 'SWB_LOGIN_NEEDED']);

type HttpSettings = Exclude<Target, { transport: 'stdio' }>;

export async function connectHttp(
  context: ConnectContext,
  settings: HttpSettings,
  host: UpstreamHost,
): Promise<Connected> {
  let target = await HttpTarget.open(settings.url, context);
  try {
    if (settings.transport === 'sse') return await connectSse(context, target, host);
    const probing = new Probing(context, host);
    for (;;) {
      const found = await probing.at(target);
      if (!(found instanceof HttpTarget)) return found;
      await target.close();
      target = found;
    }
  } catch (error) {
    await target.close();
    throw error instanceof NoStream ? error.clientError : error;
  }
}

/** Finds out what is at a target. */
class Probing {
  readonly #context: ConnectContext;
  readonly #host: UpstreamHost;

  constructor(context: ConnectContext, host: UpstreamHost) {
    this.#context = context;
    this.#host = host;
  }

  /** Connects there, or returns the target it redirects to. */
  async at(target: HttpTarget): Promise<Connected | HttpTarget> {
    const { known } = this.#context;
    if (known?.era === 'legacy') {
      const legacy = await this.#legacy(target);
      if (legacy instanceof HttpTarget || 'gatewaySession' in legacy) return legacy;
      // The hint was wrong, or the server has been replaced.
      return (await this.#modern(target)) ?? this.#sse(target, legacy.failure);
    }
    const modern = await this.#modern(target).catch((error: unknown) => {
      // Gates answer what they do not know with 401 or 403 too: credentials are blamed only when `initialize` fails.
      if (error instanceof SwitchboardError && REFUSALS.has(error.code)) return { failure: error };
      throw error;
    });
    if (modern && !('failure' in modern)) return modern;
    const legacy = await this.#legacy(target);
    if (legacy instanceof HttpTarget || 'gatewaySession' in legacy) return legacy;
    return this.#sse(target, modern?.failure ?? legacy.failure);
  }

  /** `undefined` when the server is not modern. */
  async #modern(target: HttpTarget): Promise<Connected | HttpTarget | undefined> {
    const session = new UpstreamSession(new ModernHttpLink(target, () => this.#host.suspect()), this.#host, undefined);
    let head: HttpHead | undefined;
    const { signal } = this.#context;
    const patience = AbortSignal.timeout(PROBE_MS);
    let found: ServerHandshake | 'legacy';
    try {
      found = await discover({
        ...this.#handshake(session, AbortSignal.any([signal, patience])),
        head: (received) => {
          head = received;
        },
      });
    } catch (error) {
      if (!signal.aborted && patience.aborted) return undefined;
      throw error;
    }
    if (found !== 'legacy') {
      session.handshake = found;
      session.link.opened?.(found.protocolVersion);
      return { gatewaySession: session, connection: this.#stateless(target, session) };
    }
    return head && target.redirected(head, 'POST');
  }

  async #legacy(target: HttpTarget): Promise<Connected | HttpTarget | { failure: Error }> {
    let head: HttpHead | undefined;
    try {
      const gatewaySession = await this.#open(target, undefined, this.#context.signal, (received) => {
        head = received;
      });
      return { gatewaySession, connection: this.#sessionful(target, gatewaySession) };
    } catch (error) {
      const elsewhere = head && (await target.redirected(head, 'POST'));
      if (elsewhere) return elsewhere;
      // A refusal shows what is there; any other failure only that it cannot be reached.
      const refusal =
        error instanceof UpstreamError ||
        (error instanceof SwitchboardError &&
          (error.code === 'SWB_UPSTREAM_HTTP' || error.code === 'SWB_UPSTREAM_PROTOCOL'));
      if (!refusal) throw error;
      return { failure: error };
    }
  }

  /** The last transport to try. When it fails, the refusal of `initialize` is the better explanation. */
  async #sse(target: HttpTarget, failure: Error): Promise<Connected | HttpTarget> {
    try {
      return await connectSse(this.#context, target, this.#host);
    } catch (error) {
      if (error instanceof NoStream) throw failure;
      throw error;
    }
  }

  #stateless(target: HttpTarget, session: UpstreamSession): Connection {
    return {
      transport: 'streamable-http',
      // Modern servers keep nothing between requests: there is nothing to keep apart.
      perCaller: false,
      renewable: true,
      open: async () => session,
      listens: () => false,
      close: () => target.close(),
    };
  }

  #sessionful(target: HttpTarget, gatewaySession: UpstreamSession): Connection {
    return {
      transport: 'streamable-http',
      // A server that names no session keeps nothing per session either.
      perCaller: this.#context.isolation === 'caller' && gatewaySession.link.stateful,
      renewable: true,
      open: (caller, signal) => this.#open(target, caller, signal, undefined, gatewaySession.handshake.protocolVersion),
      shares: (caller, error) => this.#shares(caller, error),
      listens: ({ link }) => link instanceof LegacyHttpLink && link.listens,
      close: () => target.close(),
    };
  }

  #shares({ identity }: Caller, error: unknown): boolean | Promise<boolean> {
    const { habits, log } = this.#host;
    if (error !== undefined && !refusesSecondSession(error)) return false;
    if (error !== undefined && !habits.oneSession) {
      habits.learn({ oneSession: true });
      log.warn({ server: this.#host.name }, ONE_SESSION);
    }
    if (!habits.oneSession) return false;
    const { credentials } = this.#context;
    // What the gateway may do at the server, a caller with other credentials may not.
    const [own, callers] = [credentials.headersFor(GATEWAY_IDENTITY), credentials.headersFor(identity)];
    if (own === callers) return true;
    return Promise.all([own, callers]).then(([one, other]) => isDeepStrictEqual(one, other));
  }

  async #open(
    target: HttpTarget,
    caller: Caller | undefined,
    signal: AbortSignal,
    onHead?: (head: HttpHead) => void,
    version?: string,
  ): Promise<UpstreamSession> {
    const link = new LegacyHttpLink(target, this.#context.log, () => this.#host.suspect(), caller?.identity);
    const session = new UpstreamSession(link, this.#host, caller?.key);
    const handshake = this.#handshake(session, signal);
    handshake.head = (head) => {
      link.greeted(head);
      onHead?.(head);
    };
    if (caller && version !== undefined) handshake.envelope = callerEnvelope(caller, version, this.#host.envelope);
    try {
      session.handshake = await initialize(handshake, version);
      return session;
    } catch (error) {
      await session.close(error as Error);
      throw error;
    }
  }

  #handshake({ link }: UpstreamSession, signal: AbortSignal): HandshakeOptions {
    const { name, envelope, habits } = this.#host;
    return { link, name, envelope, nextId: () => this.#host.nextId(), signal, habits };
  }
}
