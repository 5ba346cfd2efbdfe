/**
 * The administration API, under `/admin`, for the operator of the gateway. It accepts one credential, the admin token;
 * without one there is nothing at its addresses. The addresses are in `routes.ts`.
 *
 * A web page may use it only from the gateway's own origin: a request with any other `Origin` is refused, so that nothing
 * here answers CORS.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { adminAuthenticator } from '../../auth/authenticators.ts';
import { SwitchboardError, toRpcError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import { Shares } from '../../core/shares.ts';
import { requireJsonBody } from '../http/accept.ts';
import { endUnread, hasUnreadBody, readBody } from '../http/body.ts';
import type { RefusalLog } from '../http/refusal-log.ts';
import { errorHeaders, sendNotFound } from '../http/reply.ts';
import { header } from '../http/request.ts';
import type { AdminAddress } from '../http/routes.ts';
import type { AdminReply, AdminRequest, AdminRoute, AdminSources } from './route.ts';
import { adminRoutes } from './routes.ts';

export interface AdminOptions extends AdminSources {
  /** From `adminToken`. */
  token: string;
}

export type AdminHandler = (req: IncomingMessage, res: ServerResponse, address: AdminAddress) => void;

const MAX_BODY_BYTES = 8 * 1024;
/** Too small to be counted. */
const BODY = {
  maxBytes: MAX_BODY_BYTES,
  held: new Shares(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY),
  principal: '',
};

/** `Host` was checked already. Without options every address below `/admin` is one where nothing is. */
export function createAdminHandler(options: AdminOptions | undefined, log: Log, refusals: RefusalLog): AdminHandler {
  if (options === undefined) return (_req, res) => sendNotFound(res);
  const auth = adminAuthenticator(options.token);
  const table = adminRoutes(options).map((route) => ({ route, pattern: patternOf(route.path) }));

  function serve(req: IncomingMessage, res: ServerResponse, { path, query }: AdminAddress): void {
    requireOwnOrigin(req);
    const found = table.flatMap(({ route, pattern }) => {
      const match = pattern.exec(path);
      return match ? [{ route, params: match.groups ?? {} }] : [];
    });
    const target = found.find(({ route }) => route.method === req.method);
    const serveTarget = (): void => {
      if (found.length === 0) respondJson(req, res, 404, { error: { message: 'There is nothing at this address.' } });
      else if (target)
        void run(req, res, target.route, { params: target.params, query: query ?? new URLSearchParams() });
      else refuseMethod(req, res, found.map(({ route }) => route.method).join(', '));
    };
    const identity: Identity | undefined | Promise<Identity> = target?.route.open ? undefined : auth.authenticate(req);
    if (identity instanceof Promise) identity.then(serveTarget).catch((error: unknown) => fail(req, res, error));
    else serveTarget();
  }

  async function run(
    req: IncomingMessage,
    res: ServerResponse,
    { method, handle }: AdminRoute,
    request: Omit<AdminRequest, 'body'>,
  ): Promise<void> {
    try {
      const body = method === 'POST' ? await bodyOf(req, res) : Buffer.alloc(0);
      respond(req, res, 200, await handle({ ...request, body }));
    } catch (error) {
      fail(req, res, error);
    }
  }

  function fail(req: IncomingMessage, res: ServerResponse, error: unknown): void {
    const known = error instanceof SwitchboardError;
    if (!known) log.error({ err: error }, 'A request for the administration failed.');
    else refusals.refused(req, error, 'admin');
    if (res.headersSent) {
      res.destroy();
      return;
    }
    for (const [name, value] of Object.entries(errorHeaders(error) ?? {})) res.setHeader(name, value as string);
    const { message, data } = toRpcError(error);
    respondJson(req, res, known ? error.httpStatus : 500, { error: { message, ...(data as object) } });
  }

  return (req, res, address) => {
    try {
      serve(req, res, address);
    } catch (error) {
      fail(req, res, error);
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

const patternOf = (path: string): RegExp => new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]{1,128})')}$`);

/** A page's origin is the gateway's when it is the address the page was loaded from; a proxy may have added TLS. */
function requireOwnOrigin(req: IncomingMessage): void {
  const { origin, host } = req.headers;
  if (origin === undefined || origin === `http://${host}` || origin === `https://${host}`) return;
  throw new SwitchboardError('SWB_ORIGIN_REFUSED', 'The administration API is not for pages of other origins.');
}

function bodyOf(req: IncomingMessage, res: ServerResponse): Promise<Buffer> {
  const { headers } = req;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (hasBody) requireJsonBody(header(req, 'content-type'), header(req, 'content-encoding'));
  return new Promise((resolve, reject) => {
    readBody(req, res, BODY, resolve, ({ code }) =>
      reject(new SwitchboardError(code, `The body is over ${MAX_BODY_BYTES} bytes.`)),
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
function respond(req: IncomingMessage, res: ServerResponse, status: number, reply: AdminReply): void {
  const { type, body } = 'json' in reply ? { type: 'application/json', body: JSON.stringify(reply.json) } : reply;
  const unread = hasUnreadBody(req, MAX_BODY_BYTES);
  res.writeHead(status, {
    ...(unread ? { connection: 'close' } : {}),
    'cache-control': 'no-store',
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
    'content-security-policy': "frame-ancestors 'none'",
  });
  if (unread) endUnread(req, res, String(body), true);
  else res.end(body);
}
