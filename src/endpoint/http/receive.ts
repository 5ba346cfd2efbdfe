/**
 * A request's body on its way to what serves it: read in the principal's turn, and parsed.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SwitchboardError } from '../../core/errors.ts';
import { type Authenticator, type Identity, isSameIdentity } from '../../core/identity.ts';
import { idOf, parseJson } from '../messages.ts';
import { requireJsonBody } from './accept.ts';
import { readBody } from './body.ts';
import type { HttpContext } from './context.ts';
import { sendError, sendRefusal } from './reply.ts';
import { type HttpRequestContext, header } from './request.ts';

/** What is done with a message, and with the bytes it was read from. */
export type Take = (message: unknown, body: Buffer) => void;

/** Takes a body as it is, before it is parsed, and says whether it has. */
export type TakeUnread = (body: Buffer) => boolean;

/**
 * Reads and parses the body, in the principal's turn; what `takeUnread` takes is not parsed. An error is sent under the id of the
 * message, where one can be read.
 */
export function receive(context: HttpContext, http: HttpRequestContext, take: Take, takeUnread?: TakeUnread): void {
  const { req, res, identity } = http;
  const { connections, turns } = context;
  const { maxBodyBytes } = context.config.limits;
  const { principal } = identity;
  const { version } = context.auth;
  const given = (body: Buffer): void => use(context, res, body, take, takeUnread);
  requireJsonBody(header(req, 'content-type'), header(req, 'content-encoding'));
  readBody(
    req,
    res,
    { maxBytes: maxBodyBytes, held: connections.bodies, principal },
    (body) => {
      const enteredAt = turns.enter(principal);
      if (enteredAt !== undefined) {
        begin(context, http, version, () => given(body));
        turns.left(principal, enteredAt);
      } else {
        connections.bodies.take(principal, body.length);
        turns.wait(principal, () => {
          connections.bodies.give(principal, body.length);
          if (!res.destroyed) begin(context, http, version, () => given(body));
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
  given: () => void,
): void {
  if (context.auth.version === version) {
    given();
    return;
  }
  authenticateAgain(context.auth, req, identity).then(
    () => res.destroyed || given(),
    (error: unknown) => {
      context.refusals.refused(req, error);
      failed(context, res, error);
    },
  );
}

/** Parses a body, and serves it. */
export function use(
  context: HttpContext,
  res: ServerResponse,
  body: Buffer,
  take: Take,
  takeUnread?: TakeUnread,
): void {
  let message: unknown;
  try {
    if (takeUnread?.(body)) return;
    message = parseJson(body);
    take(message, body);
  } catch (error) {
    failed(context, res, error, message);
  }
}

export function failed({ log }: HttpContext, res: ServerResponse, error: unknown, message?: unknown): void {
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
