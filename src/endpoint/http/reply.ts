/**
 * HTTP replies in one piece: JSON-RPC results and errors, and the few that are neither.
 * @module
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { SwitchboardError, toHttpStatus, toRpcError } from '../../core/errors.ts';
import type { CallResult } from '../../relay/types.ts';
import type { Era } from '../../wire/eras.ts';
import type { RequestId } from '../../wire/jsonrpc.ts';
import { sizeOf } from '../../wire/pieces.ts';
import { encodeError, REPLY_TAIL, replyHead } from '../messages.ts';
import { endUnread, hasUnreadBody } from './body.ts';
import { challengeFor } from './resources.ts';

/** Up to here copying a result is cheaper than a gathered write. */
const SMALL_RESULT = 16 * 1024;

const JSON_TYPE = 'application/json';

export function sendJson(
  res: ServerResponse,
  status: number,
  body: string | Buffer,
  headers?: OutgoingHttpHeaders,
): void {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  res.writeHead(status, { ...headers, 'content-type': JSON_TYPE, 'content-length': length });
  res.end(body);
}

/** Sends a result. Throws, before anything is sent, when its value cannot be written as JSON. */
export function sendResult(res: ServerResponse, id: RequestId, result: CallResult): void {
  if ('value' in result) {
    const body = replyHead(id) + JSON.stringify(result.value) + REPLY_TAIL;
    res.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': Buffer.byteLength(body) });
    res.end(body);
    return;
  }
  const { prefix } = result;
  const pieces = result.pieces ?? [result.raw];
  const head = prefix === undefined ? replyHead(id) : replyHead(id) + prefix;
  const headLength = Buffer.byteLength(head);
  const size = sizeOf(pieces);
  const length = headLength + size + REPLY_TAIL.length;
  res.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': length });
  if (size <= SMALL_RESULT) {
    // Latin-1 text stands for its bytes one to one, and Node sends a text body together with the head in one write.
    let body = headLength === head.length ? head : Buffer.from(head).toString('latin1');
    for (const piece of pieces) body += piece.toString('latin1');
    res.end(body + REPLY_TAIL, 'latin1');
    return;
  }
  res.cork();
  res.write(head);
  for (const piece of pieces) res.write(piece);
  res.end(REPLY_TAIL);
}

/** An error of a modern request: its HTTP status says what kind it is. */
export function sendModernError(res: ServerResponse, id: RequestId | null, error: unknown): void {
  sendError(res, toHttpStatus(error), id, error, 'modern');
}

export function sendError(res: ServerResponse, status: number, id: RequestId | null, error: unknown, era: Era): void {
  sendJson(res, status, encodeError(id, toRpcError(error, era)), errorHeaders(error, res));
}

/** A request refused before it became a message. What it may still be sending is dropped. */
export function sendRefusal(
  req: IncomingMessage,
  res: ServerResponse,
  error: unknown,
  maxBodyBytes: number,
  headers?: OutgoingHttpHeaders,
): void {
  const status = error instanceof SwitchboardError ? error.httpStatus : 500;
  const body = encodeError(null, toRpcError(error));
  const extra = { ...headers, ...errorHeaders(error, res) };
  const isBusy = error instanceof SwitchboardError && error.code === 'SWB_BUSY';
  if (!hasUnreadBody(req, isBusy ? 0 : maxBodyBytes)) {
    if (isBusy) res.shouldKeepAlive = false;
    sendJson(res, status, body, extra);
    return;
  }
  res.writeHead(status, {
    ...extra,
    connection: 'close',
    'content-type': JSON_TYPE,
    'content-length': Buffer.byteLength(body),
  });
  endUnread(req, res, body, !isBusy);
}

/** `WWW-Authenticate` or `Retry-After`, where the error has one. */
export function errorHeaders(error: unknown, res: ServerResponse): OutgoingHttpHeaders | undefined {
  if (!(error instanceof SwitchboardError)) return undefined;
  const challenge =
    error.challenge ?? (error.code === 'SWB_UNAUTHENTICATED' ? 'Bearer realm="agent-switchboard"' : undefined);
  if (challenge !== undefined) return { 'www-authenticate': challengeFor(res, challenge) };
  if (error.retryAfterMs !== undefined)
    return { 'retry-after': String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))) };
  return undefined;
}

/** `202 Accepted`, the reply to notifications and responses. */
export function sendAccepted(res: ServerResponse, text?: string): void {
  res.writeHead(202);
  res.end(text);
}

export function sendNotAllowed(res: ServerResponse, allow: string): void {
  sendJson(res, 405, JSON.stringify({ error: `Method not allowed. Allowed here: ${allow}.` }), { allow });
}

export function sendNotFound(res: ServerResponse): void {
  sendJson(
    res,
    404,
    JSON.stringify({ error: 'Not found. The MCP endpoint is /mcp; one server is /servers/<name>/mcp.' }),
  );
}
