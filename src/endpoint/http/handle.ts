/**
 * Routes one HTTP request to the code that serves it. Checks come first, in this order: Host, Origin, credentials. Only
 * then is a body read, up to the limit, and only if it is JSON.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SwitchboardError } from '../../core/errors.ts';
import { type Authenticator, type Identity, isSameIdentity, requirePrincipal } from '../../core/identity.ts';
import type { View } from '../../federation/types.ts';
import { claimsModern } from '../../wire/envelope.ts';
import { isLegacyRevision } from '../../wire/eras.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { idOf, parseJson } from '../messages.ts';
import { requireJsonBody } from './accept.ts';
import { readBody } from './body.ts';
import type { Health, HttpContext } from './context.ts';
import { allowOrigin, answerPreflight } from './cors.ts';
import { checkOrigin, createHostCheck, requireOneHost } from './guard.ts';
import { serveModernPost } from './modern.ts';
import { pathBelow } from './mount.ts';
import { sendAccepted, sendError, sendJson, sendNotAllowed, sendNotFound, sendRefusal } from './reply.ts';
import { type HttpRequestContext, header } from './request.ts';
import { type AgentRoute, type McpRoute, routeOf } from './routes.ts';
import { serveDelete, serveLegacyPost } from './sessions/requests.ts';
import { serveGet } from './streams/requests.ts';

export type Handler = (req: IncomingMessage, res: ServerResponse) => void;

export function createHandler(context: HttpContext, health: () => Health): Handler {
  const { auth, config, log } = context;
  const checkHost = createHostCheck(config);

  function handle(req: IncomingMessage, res: ServerResponse): void {
    requireOneHost(req.rawHeaders);
    checkHost(header(req, 'host'), () => req.socket.localAddress);
    const route = routeOf(pathBelow(req, context.basePath));
    if (route?.to === 'admin') {
      // It has a credential of its own, and other rules for web origins.
      context.admin(req, res, route);
      return;
    }
    const origin = checkOrigin(header(req, 'origin'), config);
    if (origin !== undefined) allowOrigin(res, origin);
    if (req.method === 'OPTIONS') answerPreflight(req, res, config.keyHeaders);
    else if (route?.to === 'healthz') probe(req, res, () => sendJson(res, 200, '{"status":"ok"}'));
    else {
      const identity = auth.authenticate(req);
      if (!(identity instanceof Promise)) serveAs(identity, req, res, route);
      else {
        // A connection that is gone emits no further 'close': a stream opened on it would stay open.
        identity
          .then((found) => res.destroyed || serveAs(found, req, res, route))
          .catch((error: unknown) => refuse(req, res, error));
      }
    }
  }

  function serveAs(
    identity: Identity,
    req: IncomingMessage,
    res: ServerResponse,
    route: McpRoute | AgentRoute | { to: 'readyz' } | undefined,
  ): void {
    requirePrincipal(identity);
    context.connections.use(req.socket, identity.principal);
    if (!route) sendNotFound(res);
    else if ('agent' in route) serveAgents(context, { req, res, identity }, route);
    else if (route.to === 'readyz') probe(req, res, () => answerReadiness(res, health(), auth.open === true));
    else serve(context, req, res, identity, route);
  }

  function refuse(req: IncomingMessage, res: ServerResponse, error: unknown): void {
    if (!(error instanceof SwitchboardError)) log.error({ err: error }, 'a request failed');
    else context.refusals.refused(req, error);
    if (res.headersSent) res.destroy();
    else sendRefusal(req, res, error, config.limits.maxBodyBytes);
  }

  return (req, res) => {
    try {
      handle(req, res);
    } catch (error) {
      refuse(req, res, error);
    }
  };
}

function only(method: string, req: IncomingMessage, res: ServerResponse, serve: () => void): void {
  if (req.method === method) serve();
  else sendNotAllowed(res, method);
}

/** Balancers ask with either method; Node leaves the body out where it must. */
function probe(req: IncomingMessage, res: ServerResponse, serve: () => void): void {
  if (req.method === 'GET' || req.method === 'HEAD') serve();
  else sendNotAllowed(res, 'GET, HEAD');
}

/** Without counts where callers have keys: they would tell a grant of servers that it may not know. */
function answerReadiness(res: ServerResponse, { ready, servers }: Health, counts: boolean): void {
  sendJson(res, ready ? 200 : 503, JSON.stringify(counts ? { ready, servers } : { ready }));
}

function serve(
  context: HttpContext,
  req: IncomingMessage,
  res: ServerResponse,
  identity: Identity,
  route: McpRoute,
): void {
  const { oldSse } = context;
  const view = viewOf(context, identity, route.server);
  if (!view) {
    throw new SwitchboardError('SWB_UNKNOWN_SERVER', 'There is no server of that name. The merged endpoint is /mcp.');
  }
  const http: HttpRequestContext = { req, res, identity, view };
  switch (route.to) {
    case 'mcp':
      if (req.method === 'POST') receive(context, http, (message) => servePost(context, http, message));
      else if (req.method === 'GET') serveGet(context, http);
      else if (req.method === 'DELETE') serveDelete(context, http);
      else sendNotAllowed(res, 'POST, GET, DELETE');
      return;
    case 'sse':
      only('GET', req, res, () => oldSse.open(http));
      return;
    case 'messages':
      only('POST', req, res, () => {
        const connection = oldSse.require(route.query?.get('sessionId') ?? null, http);
        receive(context, http, (message) => {
          sendAccepted(res, 'Accepted');
          connection.receive(message);
        });
      });
      return;
  }
}

/** A2A and the Responses API. A body is read where the request has one to read. */
function serveAgents(
  context: HttpContext,
  { req, res, identity }: Pick<HttpRequestContext, 'req' | 'res' | 'identity'>,
  route: AgentRoute,
): void {
  const { agents } = context;
  const endpoint = route.to === 'a2a' ? agents.a2a : agents.responses;
  if (!endpoint) {
    sendNotFound(res);
    return;
  }
  // An unknown server is an unknown agent: what does not exist for an identity is not told apart.
  const view =
    (route.server === undefined ? undefined : viewOf(context, identity, route.server)) ?? context.federation.all;
  const http = { req, res, identity, view };
  const base = baseOf(context, req);
  const failed = (error: unknown): void => {
    if (!(error instanceof SwitchboardError)) context.log.error({ err: error }, 'a request failed');
    if (res.headersSent) res.destroy();
    else endpoint.refuse(res, error);
  };
  const run = (body: unknown): void => {
    try {
      const served = endpoint.take({ ...http, base }, route, body);
      if (served instanceof Promise) served.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
  // Some requests of A2A post nothing.
  const hasBody = header(req, 'transfer-encoding') !== undefined || Number(header(req, 'content-length') ?? 0) > 0;
  if (req.method === 'POST' && hasBody) receive(context, http, run);
  else run({});
}

/** Where clients reach the gateway. The Host header has been checked. */
function baseOf({ config, basePath }: HttpContext, req: IncomingMessage): string {
  return config.publicUrl ?? `http://${header(req, 'host') ?? 'localhost'}${basePath}`;
}

/** Reads and parses the body, in the principal's turn. An error is sent under the id of the message, where one can be read. */
function receive(context: HttpContext, http: HttpRequestContext, take: (message: unknown) => void): void {
  const { req, res, identity } = http;
  const { connections, turns } = context;
  const { maxBodyBytes } = context.config.limits;
  const { principal } = identity;
  const { version } = context.auth;
  requireJsonBody(header(req, 'content-type'), header(req, 'content-encoding'));
  readBody(
    req,
    res,
    { maxBytes: maxBodyBytes, held: connections.bodies, principal },
    (body) => {
      const enteredAt = turns.enter(principal);
      if (enteredAt !== undefined) {
        begin(context, http, version, body, take);
        turns.left(principal, enteredAt);
      } else {
        connections.bodies.take(principal, body.length);
        turns.wait(principal, () => {
          connections.bodies.give(principal, body.length);
          if (!res.destroyed) begin(context, http, version, body, take);
        });
      }
    },
    (error) => sendRefusal(req, res, error, maxBodyBytes),
  );
}

/** A body may take long to arrive: when credentials were revoked meanwhile, the request is authenticated again. */
function begin(
  context: HttpContext,
  { req, res, identity }: HttpRequestContext,
  version: number | undefined,
  body: Buffer,
  take: (message: unknown) => void,
): void {
  if (context.auth.version === version) {
    use(context, res, body, take);
    return;
  }
  authenticateAgain(context.auth, req, identity).then(
    () => res.destroyed || use(context, res, body, take),
    (error: unknown) => {
      context.refusals.refused(req, error);
      failed(context, res, error);
    },
  );
}

function use(context: HttpContext, res: ServerResponse, body: Buffer, take: (message: unknown) => void): void {
  let message: unknown;
  try {
    message = parseJson(body);
    take(message);
  } catch (error) {
    failed(context, res, error, message);
  }
}

function failed({ log }: HttpContext, res: ServerResponse, error: unknown, message?: unknown): void {
  const known = error instanceof SwitchboardError;
  if (!known) log.error({ err: error }, 'a request failed');
  if (res.headersSent) res.destroy();
  else sendError(res, known ? error.httpStatus : 500, idOf(message), error, 'legacy');
}

/** Rejects when the request's credential is not valid any more, or is another identity's now. */
async function authenticateAgain(auth: Authenticator, req: IncomingMessage, before: Identity): Promise<void> {
  if (isSameIdentity(await auth.authenticate(req), before)) return;
  throw new SwitchboardError('SWB_UNAUTHENTICATED', 'The key of this request was replaced.');
}

/**
 * The era is decided by the claim a request makes, well-formed or not (2026-07-28 basic/versioning): an envelope in its
 * body, or, where there is no session, a version header no legacy revision has. `initialize` without an envelope is
 * always legacy.
 */
function servePost(context: HttpContext, http: HttpRequestContext, message: unknown): void {
  if (isModern(http.req, message)) serveModernPost(context, http, message);
  else serveLegacyPost(context, http, message);
}

function isModern(req: IncomingMessage, message: unknown): boolean {
  if (isObject(message)) {
    if (claimsModern(message.params)) return true;
    if (message.method === 'initialize') return false;
  }
  const version = header(req, 'mcp-protocol-version');
  return version !== undefined && !isLegacyRevision(version) && header(req, 'mcp-session-id') === undefined;
}

/** The view at an address, where there is one for this identity. */
function viewOf({ federation, knows }: HttpContext, identity: Identity, server: string | undefined): View | undefined {
  if (server === undefined) return federation.all;
  return knows(identity, server) ? federation.view(server) : undefined;
}
