/**
 * POST and DELETE of legacy sessions (2025-11-25 transports, "Streamable HTTP").
 * @module
 */
import { SwitchboardError } from '../../../core/errors.ts';
import type { Identity } from '../../../core/identity.ts';
import type { View } from '../../../federation/types.ts';
import { routedId } from '../../../state/replica.ts';
import { isLegacyRevision } from '../../../wire/eras.ts';
import { type JsonObject, kindOf, type Notification, type Request } from '../../../wire/jsonrpc.ts';
import { sseFrame } from '../../../wire/sse.ts';
import { legacyCaller, requireLegacyVersion } from '../../caller.ts';
import { batchRefused, handleBatch, requestIdsOf, requireBatch } from '../../legacy/batch.ts';
import { LegacySession } from '../../legacy/session.ts';
import { encodeReply, invalidMessage } from '../../messages.ts';
import { requireReplyType } from '../accept.ts';
import type { HttpContext } from '../context.ts';
import { sendAccepted, sendError, sendNotAllowed, sendResult } from '../reply.ts';
import { type HttpRequestContext, header } from '../request.ts';
import { PostReply } from './post-reply.ts';
import type { HttpSession } from './session-table.ts';

export function serveLegacyPost(context: HttpContext, http: HttpRequestContext, message: unknown): void {
  const { req, res, identity, view } = http;
  const kind = kindOf(message);
  if (kind === 'request' && (message as Request).method === 'initialize') {
    openSession(context, http, message as Request);
    return;
  }
  const sessionId = header(req, 'mcp-session-id');
  if (Array.isArray(message) && sessionId === undefined) throw batchRefused();
  const session = context.sessions.require(sessionId, identity, view);
  requireLegacyVersion(header(req, 'mcp-protocol-version'));
  if (Array.isArray(message)) {
    serveBatch(context, http, session, message);
    return;
  }
  switch (kind) {
    case 'request': {
      const accepts = requireReplyType(header(req, 'accept'));
      const request = message as Request;
      session.core.handle(request, new PostReply({ context, session, res, accepts, ids: [request.id] }));
      return;
    }
    case 'notification':
      session.core.receive(message as Notification);
      sendAccepted(res);
      return;
    case 'response':
      // A late response to an ask that timed out is no fault of the client: accepted, and dropped.
      session.core.receiveResponse(message as JsonObject);
      sendAccepted(res);
      return;
    case 'invalid':
      throw invalidMessage();
  }
}

function serveBatch(
  context: HttpContext,
  { req, res }: HttpRequestContext,
  session: HttpSession,
  batch: unknown[],
): void {
  requireBatch(session.core, batch);
  if (batch.every((item) => kindOf(item) === 'notification' || kindOf(item) === 'response')) {
    handleBatch(session.core, batch, { send: () => false }, () => sendAccepted(res));
    return;
  }
  const accepts = requireReplyType(header(req, 'accept'));
  const reply = new PostReply({ context, session, res, accepts, ids: requestIdsOf(batch) });
  handleBatch(session.core, batch, reply, (replies) => reply.finishBatch(replies));
}

/**
 * `initialize` always opens a session, whatever session id comes with it: a client that starts over may still send its
 * old one. The session exists once it is initialized; one that fails leaves nothing behind.
 */
function openSession(context: HttpContext, { req, res, identity, view }: HttpRequestContext, request: Request): void {
  const accepts = requireReplyType(header(req, 'accept'));
  context.sessions.makeRoom(identity.principal);
  const session = createSession(context, view, identity, request);
  const { core } = session;
  core.handle(request, {
    http: req,
    send: () => false,
    reply(id, result) {
      res.setHeader('mcp-session-id', core.id);
      const stream = accepts.json ? undefined : context.streams.tryOpen(res, identity.principal);
      if (stream) {
        stream.write(sseFrame({ data: encodeReply(id, result) }));
        stream.end();
      } else {
        sendResult(res, id, result);
      }
      context.sessions.add(session);
      core.open();
    },
    fail(id, error) {
      core.close();
      res.removeHeader('mcp-session-id');
      sendError(res, error instanceof SwitchboardError ? error.httpStatus : 200, id, error, 'legacy');
    },
    release: () => {},
  });
}

/** A function of its own, so that the session's closures do not keep the HTTP response that opened it. */
function createSession(context: HttpContext, view: View, identity: Identity, request: Request): HttpSession {
  const session: HttpSession = {
    core: new LegacySession({
      caller: legacyCaller(identity, routedId(context.replica), request.params),
      view,
      relay: context.relay,
      log: context.log,
      sink: { send: (message) => session.logs?.sendStandalone(message) ?? false },
      askTimeoutMs: context.timing.askTimeoutMs,
    }),
    logs: undefined,
    lastActive: context.wheel.now,
  };
  return session;
}

export function serveDelete(context: HttpContext, { req, res, identity, view }: HttpRequestContext): void {
  const sessionId = header(req, 'mcp-session-id');
  if (sessionId === undefined && !isLegacyRevision(header(req, 'mcp-protocol-version'))) {
    sendNotAllowed(res, 'POST');
    return;
  }
  context.sessions.end(context.sessions.require(sessionId, identity, view));
  res.writeHead(204);
  res.end();
}
