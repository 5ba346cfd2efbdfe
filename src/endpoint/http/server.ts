/**
 * The HTTP endpoint: Streamable HTTP of both eras at `/mcp` and `/servers/<name>/mcp`, the old HTTP+SSE transport, and
 * the two addresses that tell of the gateway's health. Plain `node:http`: its cost per call is what everything else is
 * measured against.
 * @module
 */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { GatewayConfig } from '../../config/types.ts';
import { within } from '../../core/deadline.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { type Identity, LOCAL_IDENTITY } from '../../core/identity.ts';
import { createServer } from '../../core/node-http.ts';
import { Shares, shareOf } from '../../core/shares.ts';
import { TimerWheel } from '../../core/timer-wheel.ts';
import type { EndpointLoad } from '../../observe/metrics/sources.ts';
import { newReplicaId } from '../../state/replica.ts';
import { createAdminHandler, refuseSharedToken } from '../admin/admin.ts';
import { createAgentEndpoints } from '../agents/endpoints.ts';
import { createConnectHandler } from '../connect/connect.ts';
import { Connections } from './connections.ts';
import { type Health, type HttpContext, type HttpOptions, TIMING, type Timing } from './context.ts';
import { createFetch } from './fetch.ts';
import { refuseUnsafeBind } from './guard.ts';
import { createHandler, createPassedOnHandler, type Handler } from './handle.ts';
import { checkBasePath } from './mount.ts';
import { RefusalLog } from './refusal-log.ts';
import { Elsewhere } from './replicas/elsewhere.ts';
import { SessionTable } from './sessions/session-table.ts';
import { EventStreams } from './streams/event-stream.ts';
import { OldSseChannels } from './streams/old-sse.ts';
import { Turns } from './turns.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
  /** The base path. */
  readonly path: string;
}

export interface HttpEndpoint {
  /** Serves a request of another server that the endpoint is mounted in. */
  readonly handler: Handler;
  /** Serves a web-standard request. */
  readonly fetch: (request: Request) => Promise<Response>;
  /**
   * Starts accepting. Rejects with `SWB_CONFIG` when the address cannot or may not be bound.
   */
  listen(): Promise<Address>;
  /** Where it listens; undefined while it does not. */
  readonly address: Address | undefined;
  /** What it holds now. */
  load(): EndpointLoad;
  /** As `/readyz` says it. */
  health(): Health;
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
    resources: options.resources,
    admin: createAdminHandler(options.admin, log, refusals, {
      replica,
      passOn: (req, res, what) => context.elsewhere?.takesAdmin({ req, res }, what) === true,
    }),
    authorize: options.authorize,
    hasPages: options.admin?.pages !== undefined,
    connect: options.connect && createConnectHandler(options.connect, log),
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
    agents: options.agents
      ? createAgentEndpoints(config.agents, {
          ...options.agents,
          log,
          secured: auth.open !== true,
          webhooks: options.agents.webhooks && {
            ...options.agents.webhooks,
            mayStay: (identity) => mayStay(identity),
          },
        })
      : { a2a: undefined, responses: undefined },
    basePath,
    elsewhere: options.replicas && new Elsewhere({ ...options.replicas, replica, log }),
  };
  /** Callers on stdio and the command line have no credential that could lose its validity. */
  const isValid = (identity: Identity): boolean => identity === LOCAL_IDENTITY || auth.isValid(identity);

  /** An access token has expired: what was begun with it goes on until the next one comes. */
  const mayStay = (identity: Identity): boolean => isValid(identity) || auth.mayReturn?.(identity) === true;

  function expel(isValid: (identity: Identity) => boolean, mayStay = isValid): void {
    // Calls first: their clients get the reason, and not the end of the session.
    context.relay.expel(isValid, mayStay);
    context.sessions.expel(isValid, mayStay);
    context.oldSse.expel(isValid);
  }

  // Credentials expire without a request that would show it.
  wheel.add({ previous: undefined, next: undefined, tick: () => expel(isValid, mayStay) });

  let closing: Promise<void> | undefined;
  const health = (): Health => {
    const found = options.health();
    return closing ? { ...found, ready: false } : found;
  };
  const { elsewhere } = context;
  const passedOn = elsewhere && createPassedOnHandler(context);
  const serve = createHandler(context, health);
  /** Mounted in another server, `listen` is never called: the first request makes it known to other replicas. */
  const handler: Handler =
    elsewhere && passedOn
      ? (req, res) => {
          elsewhere.start(passedOn).catch(cannotListen);
          elsewhere.guard(req, res, () => serve(req, res));
        }
      : serve;
  let reported = false;
  const cannotListen = (error: unknown): void => {
    if (!reported) log.error({ err: error }, 'Other replicas cannot reach this one.');
    reported = true;
  };
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
      if (elsewhere && passedOn) await elsewhere.start(passedOn);
      await bind(server, config);
      const { address, port } = server.address() as AddressInfo;
      return { host: address, port, path: context.basePath };
    },

    get address() {
      const bound = server.address();
      return bound && typeof bound === 'object'
        ? { host: bound.address, port: bound.port, path: context.basePath }
        : undefined;
    },

    load: () => ({
      sessions: context.sessions.size,
      streams: context.streams.size,
      connections: context.connections.size,
    }),

    health,

    revoke(isKept) {
      const isLeft = (identity: Identity): boolean => identity === LOCAL_IDENTITY || isKept(identity);
      expel(
        (identity) => isLeft(identity) && isValid(identity),
        (identity) => isLeft(identity) && mayStay(identity),
      );
    },

    close() {
      closing ??= close();
      return closing;
    },
  };

  async function close(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    await Promise.all([elsewhere?.close(), context.agents.a2a?.close?.()]);
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
