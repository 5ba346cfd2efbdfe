/**
 * The administration API and the pages, under `/admin`, for operators of the gateway. The admin token opens them, or the session of
 * a browser: of who typed the token, or of a person who logged in at the identity provider. They are in `routes.ts`. Each change
 * has a line with its operator in the log and the audit.
 *
 * A web page may use it only from the gateway's own origin: a request with any other `Origin` is refused, so that nothing
 * here answers CORS.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AdminGuesses } from '../../auth/admin-guesses.ts';
import { requireAdminToken } from '../../auth/authenticators.ts';
import { tokenCheck } from '../../auth/bearer.ts';
import type { OperatorLogin } from '../../auth/operators/login.ts';
import { type Operator, TOKEN_OPERATOR, UNKNOWN_OPERATOR } from '../../auth/operators/operator.ts';
import { SwitchboardError, toRpcError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { Shares } from '../../core/shares.ts';
import { CHANNELS } from '../../observe/events.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import type { ReplicaId } from '../../state/replica.ts';
import { requireJsonBody } from '../http/accept.ts';
import { endUnread, hasUnreadBody, readBody } from '../http/body.ts';
import type { RefusalLog } from '../http/refusal-log.ts';
import { errorHeaders, sendNotFound } from '../http/reply.ts';
import { header } from '../http/request.ts';
import type { AdminAddress } from '../http/routes.ts';
import { BrowserSessions } from './browser-sessions.ts';
import { cookieIn } from './cookies.ts';
import { openEventStream } from './event-stream.ts';
import { PassedOn, type PassedRequest, type Received } from './passed-on.ts';
import type { AdminReply, AdminRequest, AdminRoute, AdminSources, RouteSources, Told } from './route.ts';
import { adminRoutes } from './routes.ts';
import { targetOf } from './target.ts';

export interface AdminOptions extends AdminSources {
  /** From `adminToken`, or one that replicas alone know. */
  token: string;
  /** Whether the token lets a client in: false for one of replicas. Default: true. */
  opensPages?: boolean | undefined;
  /** Whether guesses of the token are bounded: one that a person chose may be short. Default: true. */
  isChosen?: boolean | undefined;
  /** Of operators' browsers. Default: sessions of its own. */
  sessions?: BrowserSessions | undefined;
  /** Where people log in to the pages. Undefined: they do not. */
  login?: OperatorLogin | undefined;
  /** Aborted when the gateway closes: streams end. */
  closing?: AbortSignal | undefined;
}

/** A request that another replica serves, as the operator who was let in here. */
export interface PlacedElsewhere extends Pick<PassedRequest, 'to' | 'path' | 'body'> {
  /** In place of the operator's credentials. */
  headers: Readonly<Record<string, string>>;
}

/** The replicas that requests are passed on between. */
export interface AmongReplicas {
  /** This one. */
  replica: ReplicaId;
  /** Passes a request on. False: there is no such replica, or it is this one. */
  passOn(req: IncomingMessage, res: ServerResponse, what: PlacedElsewhere): boolean;
}

export type AdminHandler = (req: IncomingMessage, res: ServerResponse, address: AdminAddress) => void;

const MAX_BODY_BYTES = 8 * 1024;
/** Of operators, who are few: not counted. */
const BODY = { held: new Shares(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY), principal: '' };

/** Where a page sends its key of the session: another site's page cannot send a header of its own. */
const KEY_HEADER = 'x-switchboard-key';

function tokenReader({ token, opensPages = true, isChosen = true }: AdminOptions): RouteSources['isToken'] {
  // Where no token lets a client in, none that it shows is the right one.
  if (!opensPages) return () => false;
  if (!isChosen) return tokenCheck(token);
  const guesses = new AdminGuesses(token);
  return (presented, from) => guesses.check(presented, from);
}

/** `Host` was checked already. Without options every address below `/admin` is one where nothing is. */
export function createAdminHandler(
  options: AdminOptions | undefined,
  log: Log,
  refusals: RefusalLog,
  { replica, passOn }: AmongReplicas,
): AdminHandler {
  if (options === undefined) return (_req, res) => sendNotFound(res);
  const { closing, token, login } = options;
  const isToken = tokenReader(options);
  const passedOn = new PassedOn({ token, replica, log });
  const instance = options.pages?.instance ?? '';
  const sessions = options.sessions ?? new BrowserSessions({ kv: memoryState(log).kv, token });
  const parts = { ...options, sessions, login, isToken, tell, log };
  const table = adminRoutes(parts).map((route) => ({ route, pattern: patternOf(route.path) }));

  function tell({ operator: { principal, name: person }, target, errorCode, ...what }: Told): void {
    if (CHANNELS.operator.hasSubscribers)
      CHANNELS.operator.publish({ instance, principal, person, target, errorCode, ...what });
  }

  function serve(req: IncomingMessage, res: ServerResponse, { path, query, passedOn: isPassedOn }: AdminAddress): void {
    requireOwnOrigin(req);
    const received = isPassedOn ? passedOn.receive(req) : undefined;
    const found = table.flatMap(({ route, pattern }) => {
      const match = pattern.exec(path);
      return match ? [{ route, params: match.groups ?? {} }] : [];
    });
    const target = found.find(({ route }) => route.method === req.method);
    const serveTarget = (operator: Operator): void => {
      if (found.length === 0) respondJson(req, res, 404, { error: { message: 'There is nothing at this address.' } });
      else if (target)
        void run(
          req,
          res,
          target.route,
          {
            params: target.params,
            query: query ?? new URLSearchParams(),
            headers: req.headers,
            url: req.url ?? '',
            from: req.socket.remoteAddress,
            operator,
          },
          query === undefined ? path : `${path}?${query}`,
          received,
        );
      else refuseMethod(req, res, found.map(({ route }) => route.method).join(', '));
    };
    const operator = received?.operator ?? (target?.route.open ? UNKNOWN_OPERATOR : operatorOf(req));
    if (operator instanceof Promise) operator.then(serveTarget).catch((error: unknown) => fail(req, res, error));
    else serveTarget(operator);
  }

  function operatorOf(req: IncomingMessage): Operator | Promise<Operator> {
    const credential = sessionIn(req);
    if (credential) return sessions.operatorOf(...credential).then((found) => found ?? holderOf(req));
    return holderOf(req);
  }

  /** Throws `SWB_UNAUTHENTICATED`, or `SWB_TOO_MANY_ATTEMPTS`. */
  function holderOf(req: IncomingMessage): Operator {
    const from = req.socket.remoteAddress;
    requireAdminToken(req, (presented) => isToken(presented, from));
    return TOKEN_OPERATOR;
  }

  async function run(
    req: IncomingMessage,
    res: ServerResponse,
    route: AdminRoute,
    request: Omit<AdminRequest, 'body'>,
    path: string,
    received: Received | undefined,
  ): Promise<void> {
    const { method, open, handle, placedAt, maxBytes = MAX_BODY_BYTES } = route;
    const { operator } = request;
    let change: Pick<Told, 'operator' | 'action' | 'target'> | undefined;
    try {
      const body = method === 'POST' ? await bodyOf(req, res, maxBytes) : Buffer.alloc(0);
      received?.requireBody(body);
      if (method === 'POST' && open !== true) {
        if (route.reads?.({ body }) !== true)
          change = { operator, action: actionOf(route), target: targetOf(request.params, body) };
        if (route.viewers !== true) requireChange(operator);
      }
      const to = placedAt?.(request);
      if (to !== undefined && to !== replica) {
        const headers = passedOn.headersFor({ to, method, path, body, operator });
        if (passOn(req, res, { to, path, body, headers })) return;
      }
      const reply = await handle({ ...request, body });
      if (change) tell({ ...change, outcome: 'ok' });
      if ('stream' in reply) reply.stream(openEventStream(res, closing, stillIn(req)));
      else respond(req, res, reply.status ?? 200, reply);
    } catch (error) {
      if (change) tell({ ...change, ...outcomeOf(error) });
      fail(req, res, error, change !== undefined);
    }
  }

  /** Whether the session that began a stream is still open; undefined where the admin token did. */
  function stillIn(req: IncomingMessage): (() => Promise<boolean>) | undefined {
    const credential = sessionIn(req);
    return credential && (async () => (await sessions.operatorOf(...credential, false)) !== undefined);
  }

  /** `isTold`: the log has a line of it. */
  function fail(req: IncomingMessage, res: ServerResponse, error: unknown, isTold = false): void {
    const known = error instanceof SwitchboardError;
    if (!known) log.error({ err: error }, 'A request for the administration failed.');
    else if (!isTold) refusals.refused(req, error, 'admin');
    if (res.headersSent) {
      res.destroy();
      return;
    }
    for (const [name, value] of Object.entries(errorHeaders(error, res) ?? {})) res.setHeader(name, value as string);
    const { message, data } = toRpcError(error);
    respondJson(req, res, known ? statusOf(error) : 500, { error: { message, ...(data as object) } });
  }

  return (req, res, address) => {
    try {
      serve(req, res, address);
    } catch (error) {
      fail(req, res, error, address.passedOn);
    }
  };
}

/** Throws `SWB_CONFIG` when the token that clients hold would also open the administration. */
export function refuseSharedToken(options: AdminOptions | undefined, token: string | undefined): void {
  if (options === undefined || options.token !== token) return;
  throw new SwitchboardError(
    'SWB_CONFIG',
    'gateway.adminToken is the same as gateway.token: whoever may call could approve their own calls. Set another.',
  );
}

/** Errors that stand in a result of MCP have status 200 there; here none has. A configuration with mistakes is the operator's. */
const statusOf = ({ code, httpStatus }: SwitchboardError): number =>
  httpStatus < 400 || code === 'SWB_CONFIG' ? 422 : httpStatus;

/** The two halves of a browser's session. */
function sessionIn({ headers }: IncomingMessage): [cookie: string, key: string] | undefined {
  const cookie = cookieIn(headers);
  const key = headers[KEY_HEADER];
  return cookie === undefined || typeof key !== 'string' ? undefined : [cookie, key];
}

function requireChange({ mayChange }: Operator): void {
  if (!mayChange) throw new SwitchboardError('SWB_FORBIDDEN', 'You may look at these pages, and change nothing.');
}

/** `approvals/:id/approve`. */
const actionOf = ({ path }: AdminRoute): string => path.replace(/^\/admin\/(?:api\/)?/, '');

function outcomeOf(error: unknown): Pick<Told, 'outcome' | 'errorCode'> {
  const errorCode = error instanceof SwitchboardError ? error.code : 'SWB_INTERNAL';
  return { outcome: errorCode === 'SWB_FORBIDDEN' ? 'denied' : 'error', errorCode };
}

const patternOf = (path: string): RegExp => new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]{1,128})')}$`);

/** A page's origin is the gateway's when it is the address the page was loaded from; a proxy may have added TLS. */
function requireOwnOrigin(req: IncomingMessage): void {
  const { origin, host } = req.headers;
  if (origin === undefined || origin === `http://${host}` || origin === `https://${host}`) return;
  throw new SwitchboardError('SWB_ORIGIN_REFUSED', 'The administration API is not for pages of other origins.');
}

function bodyOf(req: IncomingMessage, res: ServerResponse, maxBytes: number): Promise<Buffer> {
  const { headers } = req;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (hasBody) requireJsonBody(header(req, 'content-type'), header(req, 'content-encoding'));
  return new Promise((resolve, reject) => {
    readBody(req, res, { ...BODY, maxBytes }, resolve, ({ code }) =>
      reject(new SwitchboardError(code, `The body is over ${maxBytes} bytes.`)),
    );
  });
}

function refuseMethod(req: IncomingMessage, res: ServerResponse, allow: string): void {
  res.setHeader('allow', allow);
  respondJson(req, res, 405, { error: { message: `Method not allowed. Allowed here: ${allow}.` } });
}

const respondJson = (req: IncomingMessage, res: ServerResponse, status: number, json: object): void =>
  respond(req, res, status, { json });

/** Sends the reply. What the client may still be sending is read for a moment and dropped. */
function respond(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  reply: Exclude<AdminReply, { stream: unknown }>,
): void {
  const { type, body } = 'json' in reply ? { type: 'application/json', body: JSON.stringify(reply.json) } : reply;
  const unread = hasUnreadBody(req, MAX_BODY_BYTES);
  res.writeHead(status, {
    ...(unread ? { connection: 'close' } : {}),
    'cache-control': 'no-store',
    'content-type': type,
    ...(status === 304 ? {} : { 'content-length': Buffer.byteLength(body) }),
    'x-content-type-options': 'nosniff',
    'content-security-policy': "frame-ancestors 'none'",
    ...reply.headers,
  });
  if (unread) endUnread(req, res, String(body), true);
  else res.end(body);
}
