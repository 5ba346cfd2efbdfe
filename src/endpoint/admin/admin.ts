/**
 * The administration API: who runs the gateway looks at approvals and decides them. It stands beside the protocol, under
 * `/admin`, and knows one credential, the admin token; without one there is nothing here.
 *
 * No web page may use it, whatever its origin: every request with an `Origin` is refused, so nothing answers CORS.
 * @module
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { adminAuthenticator } from '../../auth/authenticators.ts';
import { SwitchboardError, toRpcError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Approval, Approvals } from '../../policy/approvals/types.ts';
import { requireJsonBody } from '../http/accept.ts';
import { endUnread, hasUnreadBody, readBody } from '../http/body.ts';
import { header } from '../http/context.ts';
import { sendNotFound } from '../http/reply.ts';
import type { AdminRoute } from '../http/routes.ts';
import { stateOf, targetOf, wordsOf } from './requests.ts';

export interface AdminOptions {
  /** From `adminToken`. */
  token: string;
  approvals: Pick<Approvals, 'list' | 'get' | 'decide' | 'refresh'>;
}

export type AdminHandler = (req: IncomingMessage, res: ServerResponse, route: AdminRoute) => void;

/** `Host` was checked already. Without options every address below `/admin` is one where nothing is. */
export function createAdminHandler(options: AdminOptions | undefined, log: Log): AdminHandler {
  if (options === undefined) return (_req, res) => sendNotFound(res);
  const { approvals } = options;
  const auth = adminAuthenticator(options.token);

  function handle(req: IncomingMessage, res: ServerResponse, { path, query }: AdminRoute): Promise<void> | void {
    if (req.headers.origin !== undefined) {
      throw new SwitchboardError('SWB_ORIGIN_REFUSED', 'The administration API is not for web pages.');
    }
    auth.authenticate(req);
    const target = targetOf(path);
    if (target === undefined)
      return respond(req, res, 404, { error: { message: 'There is nothing at this address.' } });
    const method = target.to === 'decision' ? 'POST' : 'GET';
    if (req.method !== method) return notAllowed(req, res, method);
    if (target.to === 'list') return list(req, res, query);
    if (target.to === 'one') return show(req, res, target.id);
    return readDecision(req, res, async (body) => {
      const words = wordsOf(body);
      await approvals.refresh();
      const approval = await approvals.decide(target.id, { effect: target.effect, ...words });
      respond(req, res, 200, { approval: asJson(approval) });
    });
  }

  async function list(req: IncomingMessage, res: ServerResponse, query: URLSearchParams | undefined): Promise<void> {
    const state = stateOf(query);
    await approvals.refresh();
    const found = approvals.list().filter((approval) => state === undefined || approval.state === state);
    // One by one they are shown with their arguments; together they are too many bytes.
    const shown = found.map(asJson).map(({ arguments: _, argumentsShortened: __, ...rest }) => rest);
    respond(req, res, 200, { approvals: shown });
  }

  async function show(req: IncomingMessage, res: ServerResponse, id: string): Promise<void> {
    await approvals.refresh();
    const approval = approvals.get(id);
    if (!approval) throw new SwitchboardError('SWB_UNKNOWN_APPROVAL', 'There is no approval of this id.');
    respond(req, res, 200, { approval: asJson(approval) });
  }

  function readDecision(req: IncomingMessage, res: ServerResponse, take: (body: Buffer) => Promise<void>): void {
    if (hasBody(req)) requireJsonBody(header(req, 'content-type'), header(req, 'content-encoding'));
    readBody(
      req,
      res,
      MAX_BODY_BYTES,
      (body) => void take(body).catch((error: unknown) => fail(req, res, error)),
      ({ code }) => fail(req, res, new SwitchboardError(code, `The body is over ${MAX_BODY_BYTES} bytes.`)),
    );
  }

  function fail(req: IncomingMessage, res: ServerResponse, error: unknown): void {
    const known = error instanceof SwitchboardError;
    if (!known) log.error({ err: error }, 'A request for the administration failed.');
    if (res.headersSent) {
      res.destroy();
      return;
    }
    const challenge = known && error.challenge !== undefined ? { 'www-authenticate': error.challenge } : undefined;
    const { message, data } = toRpcError(error);
    respond(req, res, known ? error.httpStatus : 500, { error: { message, ...(data as object) } }, challenge);
  }

  return (req, res, route) => {
    try {
      handle(req, res, route)?.catch((error: unknown) => fail(req, res, error));
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

const MAX_BODY_BYTES = 8 * 1024;

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

const instant = (ms: number): string => new Date(ms).toISOString();

const asJson = (approval: Approval) => ({
  ...approval,
  createdAt: instant(approval.createdAt),
  expiresAt: instant(approval.expiresAt),
  decidedAt: approval.decidedAt === undefined ? undefined : instant(approval.decidedAt),
});

/** An approval as the API writes it: times are ISO 8601. A list leaves the arguments out. */
export type ApprovalJson = ReturnType<typeof asJson>;

function notAllowed(req: IncomingMessage, res: ServerResponse, allow: string): void {
  respond(req, res, 405, { error: { message: `Method not allowed. Allowed here: ${allow}.` } }, { allow });
}

/** Sends the reply. What the client may still be sending is read for a moment and dropped. */
function respond(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  value: unknown,
  headers?: OutgoingHttpHeaders,
): void {
  const body = JSON.stringify(value);
  const unread = hasUnreadBody(req, MAX_BODY_BYTES);
  res.writeHead(status, {
    ...headers,
    ...(unread ? { connection: 'close' } : {}),
    'cache-control': 'no-store',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
  });
  if (unread) endUnread(req, res, body);
  else res.end(body);
}
