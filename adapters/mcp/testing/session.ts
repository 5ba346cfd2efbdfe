/**
 * A session over one stream, as over stdio, whose server does what the test says.
 * @module
 */
import type { Era } from '../../../src/wire/eras.ts';
import { outline } from '../../../src/wire/json/outline.ts';
import type { JsonObject, Notification, Request } from '../../../src/wire/jsonrpc.ts';
import { recordingLog } from '../../testing/context.ts';
import { type Link, NO_EVENTS, type ResponseHandler } from '../session/link.ts';
import { UpstreamSession } from '../session/session.ts';

export function startSession(era: Era = 'modern') {
  const protocolVersion = era === 'modern' ? '2026-07-28' : '2025-11-25';
  const sent: Request[] = [];
  const responses: ResponseHandler[] = [];
  const link: Link = {
    events: NO_EVENTS,
    ownStreams: false,
    stateful: false,
    send: (message, handler) => {
      sent.push(message);
      responses.push(handler);
      return { drop() {} };
    },
    post: async () => {},
    close: async () => {},
  };
  const changed: Notification[] = [];
  /** What belongs to no call, with the key of the caller it is for. */
  const apart: [Notification, string | undefined][] = [];
  let id = 40;
  const session = new UpstreamSession(
    link,
    {
      name: 'fixture',
      envelope: { protocolVersion, clientCapabilities: {} },
      log: recordingLog(),
      answered: false,
      nextId: () => ++id,
      changed: (notification) => changed.push(notification) > 0,
      onNotification: (sent, key) => apart.push([sent, key]),
      lost: () => {},
    },
    undefined,
  );
  session.handshake = {
    era,
    protocolVersion,
    capabilities: {},
    serverInfo: undefined,
    instructions: undefined,
  };
  const say = (message: JsonObject): void => {
    const frame = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
    link.events.serverMessage([frame], outline(frame));
  };
  return { session, sent, responses, changed, apart, say };
}
