/**
 * GET at the MCP endpoint: a legacy session's standalone streams, and the way back to a stream that broke.
 * @module
 */

import { SwitchboardError } from '../../../core/errors.ts';
import { isLegacyRevision } from '../../../wire/eras.ts';
import { requireLegacyVersion } from '../../caller.ts';
import { requireStreamType } from '../accept.ts';
import type { HttpContext } from '../context.ts';
import { sendNotAllowed } from '../reply.ts';
import { type HttpRequestContext, header } from '../request.ts';
import type { HttpSession } from '../sessions/session-table.ts';
import { StreamLogs } from './stream-logs.ts';

/** The first revision whose streams open with an event that has an id and no data. */
const PRIMER_REVISION = '2025-11-25';

export function logsOf(session: HttpSession, context: HttpContext): StreamLogs {
  // Revisions are dates: text order is time order.
  const primes = session.core.caller.protocolVersion >= PRIMER_REVISION;
  session.logs ??= new StreamLogs(primes ? context.timing.retryMs : undefined);
  return session.logs;
}

export function serveGet(context: HttpContext, { req, res, view, identity }: HttpRequestContext): void {
  const sessionId = header(req, 'mcp-session-id');
  if (sessionId === undefined && !isLegacyRevision(header(req, 'mcp-protocol-version'))) {
    sendNotAllowed(res, 'POST');
    return;
  }
  const session = context.sessions.require(sessionId, identity, view);
  requireLegacyVersion(header(req, 'mcp-protocol-version'));
  requireStreamType(header(req, 'accept'));
  const logs = logsOf(session, context);
  const lastEventId = header(req, 'last-event-id');
  const found = lastEventId === undefined ? undefined : logs.find(lastEventId);
  if (lastEventId !== undefined && !found && !StreamLogs.isStandalone(lastEventId)) {
    throw new SwitchboardError('SWB_INVALID_REQUEST', 'Last-Event-ID names a stream that cannot be resumed any more.');
  }
  if (found?.log.isOver(found.after)) {
    // Nothing is missing: this status tells event sources to stop coming back (WHATWG HTML, "Server-sent events").
    res.writeHead(204);
    res.end();
    return;
  }
  context.streams.requireRoom(identity.principal);
  const stream = context.streams.tryOpen(res, identity.principal);
  if (!stream) return;
  if (found) found.log.attach(stream, found.after);
  else logs.openStandalone(stream);
}
