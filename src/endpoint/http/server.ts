/**
 * The HTTP endpoint: Streamable HTTP of both eras at `/mcp` and `/servers/<name>/mcp`, the old HTTP+SSE transport, and
 * the two addresses that tell of the gateway's health. Plain `node:http`: its cost per call is what everything else is
 * measured against.
 * @module
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { GatewayConfig } from '../../config/types.ts';
import { within } from '../../core/deadline.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { type Identity, LOCAL_IDENTITY } from '../../core/identity.ts';
import { Shares, shareOf } from '../../core/shares.ts';
import { TimerWheel } from '../../core/timer-wheel.ts';
import { newReplicaId } from '../../state/replica.ts';
import { createAdminHandler, refuseSharedToken } from '../admin/admin.ts';
import { createAgentEndpoints } from '../agents/endpoints.ts';
import { Connections } from './connections.ts';
import { type HttpContext, type HttpOptions, TIMING, type Timing } from './context.ts';
import { createFetch } from './fetch.ts';
import { refuseUnsafeBind } from './guard.ts';
import { createHandler, type Handler } from './handle.ts';
import { checkBasePath } from './mount.ts';
import { RefusalLog } from './refusal-log.ts';
import { SessionTable } from './sessions/session-table.ts';
import { EventStreams } from './streams/event-stream.ts';
import { OldSseChannels } from './streams/old-sse.ts';
import { Turns } from './turns.ts';

export interface HttpEndpoint {
  /** Serves a request of another server that the endpoint is mounted in. */
  readonly handler: Handler;
  /** Serves a web-standard request. */
  readonly fetch: (request: Request) => Promise<Response>;
  /**
   * Starts accepting. `path` is the base path. Rejects with `SWB_CONFIG` when the address cannot or may not be bound.
   */
  listen(): Promise<{ host: string; port: number; path: string }>;
  /**
   * Ends the sessions, streams and calls, suspended ones too, of identities for whom `isKept` is false and of those that
   * are no longer valid. Called after a reload, with the grants that lost a key. Expiry needs no call: it is noticed
   * within seconds.
   */
  revoke(isKept: (identity: Identity) => boolean): void;
  /**
   * Stops accepting, ends all sessions and streams, and waits (bounded) for replies under way. The relay is closed
   * first: it ends open subscriptions with a result, which are cut off here otherwise.
   */
  close(): Promise<void>;
}

export function createHttpEndpoint(options: HttpOptions): HttpEndpoint {
  const { config, auth, relay, log } = options;
  const replica = options.replica ?? newReplicaId();
  const basePath = checkBasePath(options.basePath);
  const timing: Timing = { ...TIMING, ...options.timing };
  const wheel = new TimerWheel(tickOf(timing, config));
  const shares = (max: number): Shares => new Shares(max, shareOf(auth, max));
  const streams = new EventStreams(wheel, timing.keepAliveMs, shares(config.limits.maxStreams));
  const refusals = new RefusalLog(log, config.keyHeaders);
  const context: HttpContext = {
    replica,
    auth,
    admin: createAdminHandler(options.admin, log, refusals),
    relay,
    federation: options.federation,
    knows: (identity, server) => options.knows?.(identity, server) ?? true,
    config,
    log,
    refusals,
    timing,
    wheel,
    streams,
    connections: new Connections(
      shares(config.limits.maxConnections),
      shares(UNFINISHED_BODIES * config.limits.maxBodyBytes),
    ),
    turns: new Turns(auth.severalPrincipals !== false),
    sessions: new SessionTable(
      wheel,
      { ...config.limits, resumeGraceMs: timing.resumeGraceMs },
      shares(config.limits.maxSessions),
    ),
    oldSse: new OldSseChannels({ replica, basePath, relay, streams, log, askTimeoutMs: timing.askTimeoutMs }),
    agents: createAgentEndpoints(config.agents, {
      relay,
      log,
      askTimeoutMs: timing.askTimeoutMs,
      secured: auth.open !== true,
    }),
    basePath,
  };
  /** Callers on stdio and the command line have no credential that could lose its validity. */
  const isValid = (identity: Identity): boolean => identity === LOCAL_IDENTITY || auth.isValid(identity);

  function expel(isValid: (identity: Identity) => boolean): void {
    // Calls first: their clients get the reason, and not the end of the session.
    context.relay.expel(isValid);
    context.sessions.expel(isValid);
    context.oldSse.expel(isValid);
  }

  // Credentials expire without a request that would show it.
  wheel.add({ previous: undefined, next: undefined, tick: () => expel(isValid) });

  let closing: Promise<void> | undefined;
  const health = (): ReturnType<typeof options.health> => {
    const found = options.health();
    return closing ? { ...found, ready: false } : found;
  };
  const handler = createHandler(context, health);
  const server = createServer(
    {
      // A client that sends slowly, or nothing, holds its connection no longer than this.
      headersTimeout: timing.headersTimeoutMs,
      requestTimeout: timing.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(5_000, timing.headersTimeoutMs),
      // Longer than clients and load balancers usually keep theirs, so that the side that sends closes first.
      keepAliveTimeout: 65_000,
      noDelay: true,
    },
    handler,
  );
  server.on('connection', (socket) => context.connections.opened(socket));
  // Node's default asks for the body at once; here it is asked for once the request is accepted.
  server.on('checkContinue', handler);

  const inProcess = createFetch(server);

  return {
    handler,
    fetch: inProcess.fetch,

    async listen() {
      refuseSharedToken(options.admin, config.token);
      refuseUnsafeBind(config, auth);
      await bind(server, config);
      const { address, port } = server.address() as AddressInfo;
      return { host: address, port, path: context.basePath };
    },

    revoke(isKept) {
      expel((identity) => identity === LOCAL_IDENTITY || (isKept(identity) && auth.isValid(identity)));
    },

    close() {
      closing ??= close();
      return closing;
    },
  };

  async function close(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    context.sessions.endAll();
    context.oldSse.closeAll();
    const closing = setInterval(() => server.closeIdleConnections(), 20);
    await within(closed, timing.closeGraceMs, () => server.closeAllConnections());
    await closed;
    clearInterval(closing);
    inProcess.close();
    wheel.stop();
  }
}

/** Bodies of the largest size whose bytes may be there unfinished, of all clients. */
const UNFINISHED_BODIES = 16;

/** Often enough for the shortest of the times looked after, seldom enough to cost nothing. */
function tickOf(timing: Timing, config: GatewayConfig): number {
  const shortest = Math.min(timing.keepAliveMs, timing.resumeGraceMs, config.limits.sessionIdleMs);
  return Math.min(5_000, Math.max(10, Math.floor(shortest / 4)));
}

const BIND_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another process. Stop it, or set another gateway.port',
  EACCES: 'may not be bound by this user. Set a gateway.port above 1023',
  EADDRNOTAVAIL: 'is not an address of this machine. Correct gateway.host',
  ENOTFOUND: 'does not resolve. Correct gateway.host',
};

function bind(server: Server, { host, port }: GatewayConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const fault = BIND_FAULTS[error.code ?? ''] ?? 'cannot be bound';
      reject(new SwitchboardError('SWB_CONFIG', `${host}:${port} ${fault}.`, { cause: error }));
    };
    server.once('error', onError);
    server.listen(port, host, () => {
      server.off('error', onError);
      resolve();
    });
  });
}
