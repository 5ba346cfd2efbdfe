/**
 * Routes one HTTP request to the code that serves it. Checks come first, in this order: Host, Origin, credentials. Only
 * then is a body read, up to the limit, and only if it is JSON.
 * @module
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientMetadataDocument } from '../../auth/upstream/clients.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { type Identity, requirePrincipal } from '../../core/identity.ts';
import type { View } from '../../federation/types.ts';
import { claimsModern } from '../../wire/envelope.ts';
import { isLegacyRevision } from '../../wire/eras.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { sendHome, wantsPage } from '../pages/home.ts';
import type { Health, HttpContext } from './context.ts';
import { allowOrigin, answerPreflight } from './cors.ts';
import { checkOrigin, createHostCheck, requireOneHost } from './guard.ts';
import { serveModernPost } from './modern.ts';
import { pathBelow } from './mount.ts';
import { failed, receive, use } from './receive.ts';
import { sessionOf } from './replicas/elsewhere.ts';
import { sendAccepted, sendJson, sendNotAllowed, sendNotFound, sendRefusal } from './reply.ts';
import { type HttpRequestContext, header } from './request.ts';
import type { ProtectedResources } from './resources.ts';
import { type AgentRoute, type AuthorizeAddress, type McpRoute, type MetadataAddress, routeOf } from './routes.ts';
import { serveDelete, serveLegacyPost } from './sessions/requests.ts';
import { serveGet } from './streams/requests.ts';

export type Handler = (req: IncomingMessage, res: ServerResponse) => void;

export function createHandler(context: HttpContext, health: () => Health): Handler {
  const { auth, config, log } = context;
  const checkHost = createHostCheck(config);

  function handle(req: IncomingMessage, res: ServerResponse): void {
    requireOneHost(req.rawHeaders);
    checkHost(header(req, 'host'), () => req.socket.localAddress);
    const found = routeOf(pathBelow(req, context.basePath));
    if (found?.to === 'home' && wantsPage(req)) {
      sendHome(res, baseOf(context, req), context.hasPages);
      return;
    }
    const route = found?.to === 'home' ? undefined : found;
    if (route?.to === 'admin') {
      // It has a credential of its own, and other rules for web origins.
      context.admin(req, res, route);
      return;
    }
    if (route?.to === 'authorize' && context.authorize) {
      // Its callers have no credential yet; its pages and its protocol have rules of their own for web origins.
      context.authorize(req, res, pathBelow(req, context.basePath), context.connect);
      return;
    }
    if (route?.to === 'connect') {
      // Opened by a person's browser, which has no credential of a client.
      if (context.connect) context.connect.serve(req, res, route);
      else sendNotFound(res);
      return;
    }
    if (route?.to === 'client') {
      probe(req, res, () => tellClient(res, config.publicUrl));
      return;
    }
    if (context.resources) {
      if (route?.to === 'metadata') {
        tellResource(context.resources, req, res, route.path);
        return;
      }
      context.resources.attend(res);
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
    route: McpRoute | AgentRoute | MetadataAddress | AuthorizeAddress | { to: 'readyz' } | undefined,
  ): void {
    requirePrincipal(identity);
    context.connections.use(req.socket, identity.principal);
    if (identity.lent) requireOpenToLent(route);
    if (!route || route.to === 'metadata' || route.to === 'authorize') sendNotFound(res);
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

/** A key that was lent has tools by their names in the merged view, and nothing else. */
function requireOpenToLent(route: { to: string } | McpRoute | undefined): void {
  if (route && 'query' in route && 'server' in route && route.server === undefined) return;
  throw new SwitchboardError('SWB_FORBIDDEN', 'A key that was lent to an agent opens the merged endpoint /mcp alone.');
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

/** Public, to a page of any origin too: it holds nothing but where to log in. */
function tellResource(resources: ProtectedResources, req: IncomingMessage, res: ServerResponse, path: string): void {
  res.setHeader('access-control-allow-origin', '*');
  if (req.method === 'OPTIONS') {
    res.writeHead(204, { 'access-control-allow-methods': 'GET', 'access-control-allow-headers': '*' });
    res.end();
    return;
  }
  probe(req, res, () => {
    const document = resources.metadata(req, path);
    if (document === undefined) sendNotFound(res);
    else sendJson(res, 200, document, { 'cache-control': 'no-cache' });
  });
}

/** What the gateway is as a client of authorization servers, which fetch it (client id metadata document). */
function tellClient(res: ServerResponse, publicUrl: string | undefined): void {
  const document = clientMetadataDocument(publicUrl);
  if (document === undefined) sendNotFound(res);
  else sendJson(res, 200, JSON.stringify(document));
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
      if (req.method === 'POST') {
        const take = (message: unknown, body: Buffer): void => {
          if (!isElsewhere(context, http, route, message, body)) servePost(context, http, message);
        };
        receive(context, http, take, (body) => takesUnread(context, http, route, body));
      } else if (req.method === 'GET') serveHere(context, http, route, () => serveGet(context, http));
      else if (req.method === 'DELETE') serveHere(context, http, route, () => serveDelete(context, http));
      else sendNotAllowed(res, 'POST, GET, DELETE');
      return;
    case 'sse':
      only('GET', req, res, () => oldSse.open(http));
      return;
    case 'messages':
      only('POST', req, res, () => {
        const session = route.query?.get('sessionId') ?? null;
        const path = pathOf(route);
        const { elsewhere } = context;
        if (elsewhere && session !== null && !oldSse.has(session)) {
          receive(context, http, (message, body) => {
            const ended = (): void => failed(context, res, oldSse.ended(), message);
            if (!elsewhere.takesPost(http, path, session, { message, body }, ended)) ended();
          });
          return;
        }
        const connection = oldSse.require(session, http);
        receive(context, http, (message) => {
          sendAccepted(res, 'Accepted');
          connection.receive(message);
        });
      });
      return;
  }
}

/** The address of a route at another replica. */
function pathOf({ to, server, query }: McpRoute): string {
  const path = server === undefined ? `/${to}` : `/servers/${encodeURIComponent(server)}/${to}`;
  return query === undefined ? path : `${path}?${query}`;
}

/** A request without a body, here or in the replica of its session. */
function serveHere(context: HttpContext, http: HttpRequestContext, route: McpRoute, serve: () => void): void {
  const here = (): void => {
    try {
      serve();
    } catch (error) {
      failed(context, http.res, error);
    }
  };
  if (!context.elsewhere?.takes(http, pathOf(route), sessionOf(http), here)) serve();
}

/** Whether another replica serves it, by its session alone. */
function takesUnread(context: HttpContext, http: HttpRequestContext, route: McpRoute, body: Buffer): boolean {
  const here = (): void => use(context, http.res, body, (message) => servePost(context, http, message));
  return context.elsewhere?.takesUnread(http, pathOf(route), body, here) ?? false;
}

/** Whether another replica serves it. */
function isElsewhere(
  context: HttpContext,
  http: HttpRequestContext,
  route: McpRoute,
  message: unknown,
  body: Buffer,
): boolean {
  if (context.elsewhere === undefined) return false;
  const here = (): void => {
    try {
      servePost(context, http, message);
    } catch (error) {
      failed(context, http.res, error, message);
    }
  };
  return context.elsewhere.takesPost(http, pathOf(route), sessionOf(http, message), { message, body }, here);
}

/** For requests that other replicas pass on: hosts and web origins are checked where clients connect. */
export function createPassedOnHandler(context: HttpContext): Handler {
  // A request is passed on once.
  const own: HttpContext = { ...context, elsewhere: undefined };
  const serveAs = (identity: Identity, req: IncomingMessage, res: ServerResponse): void => {
    requirePrincipal(identity);
    const route = routeOf(req.url ?? '');
    if (route?.to === 'mcp' || route?.to === 'messages') serve(own, req, res, identity, route);
    else sendNotFound(res);
  };
  return (req, res) => {
    try {
      const route = routeOf(req.url ?? '');
      if (route?.to === 'admin') {
        context.admin(req, res, { ...route, passedOn: true });
        return;
      }
      const identity = context.auth.authenticate(req);
      if (!(identity instanceof Promise)) serveAs(identity, req, res);
      else {
        identity
          .then((found) => res.destroyed || serveAs(found, req, res))
          .catch((error: unknown) => failed(own, res, error));
      }
    } catch (error) {
      failed(own, res, error);
    }
  };
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
