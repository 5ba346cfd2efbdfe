/**
 * Connecting over HTTP: a modern request first; what answers it with anything but modern MCP is opened with
 * `initialize`; what does not know that either may be a server of the old HTTP+SSE transport.
 * Source: 2026-07-28 transports/streamable-http, "Backward Compatibility".
 * @module
 */

import type { ConnectContext, Target } from '../../../src/core/adapter.ts';
import type { Caller } from '../../../src/core/caller.ts';
import { SwitchboardError, UpstreamError } from '../../../src/core/errors.ts';
import type { HttpHead } from '../../shared/origin.ts';
import type { Connected, Connection } from '../connection.ts';
import type { UpstreamHost } from '../host.ts';
import { discover, type Handshake, initialize, type ServerHandshake } from '../session/handshake.ts';
import { callerEnvelope } from '../session/params.ts';
import { UpstreamSession } from '../session/session.ts';
import { connectSse } from '../sse/connect.ts';
import { NoStream } from '../sse/link.ts';
import { HttpTarget } from './http-target.ts';
import { LegacyHttpLink } from './legacy.ts';
import { ModernHttpLink } from './modern.ts';

/** How long a server may keep the modern probe waiting before it is opened the legacy way. */
const PROBE_MS = 5_000;

type HttpSettings = Exclude<Target, { transport: 'stdio' }>;

export async function connectHttp(
  context: ConnectContext,
  target: HttpSettings,
  host: UpstreamHost,
): Promise<Connected> {
  let site = await HttpTarget.open(target.url, context);
  try {
    if (target.transport === 'sse') return await connectSse(context, site, host);
    const probing = new Probing(context, host);
    for (;;) {
      const found = await probing.at(site);
      if (!(found instanceof HttpTarget)) return found;
      await site.close();
      site = found;
    }
  } catch (error) {
    await site.close();
    throw error instanceof NoStream ? error.told : error;
  }
}

/** Finds out what is at a site. */
class Probing {
  readonly #context: ConnectContext;
  readonly #host: UpstreamHost;

  constructor(context: ConnectContext, host: UpstreamHost) {
    this.#context = context;
    this.#host = host;
  }

  /** Connects there, or says where else the site redirects to. */
  async at(site: HttpTarget): Promise<Connected | HttpTarget> {
    const { known } = this.#context;
    if (known?.era === 'legacy') {
      const legacy = await this.#legacy(site);
      if (legacy instanceof HttpTarget || 'boot' in legacy) return legacy;
      // The hint was wrong, or the server has been replaced.
      return (await this.#modern(site)) ?? this.#sse(site, legacy.failure);
    }
    const modern = await this.#modern(site);
    if (modern) return modern;
    const legacy = await this.#legacy(site);
    return legacy instanceof HttpTarget || 'boot' in legacy ? legacy : this.#sse(site, legacy.failure);
  }

  /** `undefined` when the server is not modern. */
  async #modern(site: HttpTarget): Promise<Connected | HttpTarget | undefined> {
    const session = new UpstreamSession(new ModernHttpLink(site, () => this.#host.suspect()), this.#host, undefined);
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
      session.hello = found;
      session.link.opened?.(found.protocolVersion);
      return { boot: session, connection: this.#stateless(site, session) };
    }
    return head && site.redirected(head, 'POST');
  }

  async #legacy(site: HttpTarget): Promise<Connected | HttpTarget | { failure: Error }> {
    let head: HttpHead | undefined;
    try {
      const boot = await this.#open(site, undefined, this.#context.signal, (received) => {
        head = received;
      });
      return { boot, connection: this.#sessionful(site, boot) };
    } catch (error) {
      const elsewhere = head && (await site.redirected(head, 'POST'));
      if (elsewhere) return elsewhere;
      // A refusal says something about what is there; anything else only that it cannot be reached.
      const refusal =
        error instanceof UpstreamError ||
        (error instanceof SwitchboardError &&
          (error.code === 'SWB_UPSTREAM_HTTP' || error.code === 'SWB_UPSTREAM_PROTOCOL'));
      if (!refusal) throw error;
      return { failure: error };
    }
  }

  /** The last thing it may be. When it is not, what it said to `initialize` is the better explanation. */
  async #sse(site: HttpTarget, failure: Error): Promise<Connected | HttpTarget> {
    try {
      return await connectSse(this.#context, site, this.#host);
    } catch (error) {
      if (error instanceof NoStream) throw failure;
      throw error;
    }
  }

  #stateless(site: HttpTarget, session: UpstreamSession): Connection {
    return {
      transport: 'streamable-http',
      // Modern servers keep nothing between requests: there is nothing to keep apart.
      perCaller: false,
      renewable: true,
      open: async () => session,
      listens: () => false,
      close: () => site.close(),
    };
  }

  #sessionful(site: HttpTarget, boot: UpstreamSession): Connection {
    return {
      transport: 'streamable-http',
      // A server that names no session keeps nothing per session either.
      perCaller: this.#context.isolation === 'caller' && boot.link.stateful,
      renewable: true,
      open: (caller, signal) => this.#open(site, caller, signal, undefined, boot.hello.protocolVersion),
      listens: ({ link }) => link instanceof LegacyHttpLink && link.listens,
      close: () => site.close(),
    };
  }

  async #open(
    site: HttpTarget,
    caller: Caller | undefined,
    signal: AbortSignal,
    onHead?: (head: HttpHead) => void,
    version?: string,
  ): Promise<UpstreamSession> {
    const link = new LegacyHttpLink(site, this.#context.log, () => this.#host.suspect(), caller?.identity);
    const session = new UpstreamSession(link, this.#host, caller?.key);
    const handshake = this.#handshake(session, signal);
    handshake.head = (head) => {
      link.greeted(head);
      onHead?.(head);
    };
    if (caller && version !== undefined) handshake.envelope = callerEnvelope(caller, version, this.#host.envelope);
    try {
      session.hello = await initialize(handshake, version);
      return session;
    } catch (error) {
      await session.close(error as Error);
      throw error;
    }
  }

  #handshake({ link }: UpstreamSession, signal: AbortSignal): Handshake {
    const { name, envelope } = this.#host;
    return { link, name, envelope, nextId: () => this.#host.nextId(), signal };
  }
}
