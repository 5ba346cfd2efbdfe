/**
 * The HTTP+SSE transport of revision 2024-11-05: one stream for everything to the client, a second address its messages
 * are posted to. The stream is the session: it ends with its connection.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { SwitchboardError } from '../../../core/errors.ts';
import { type Identity, isSameIdentity } from '../../../core/identity.ts';
import type { Log } from '../../../core/log.ts';
import type { View } from '../../../federation/types.ts';
import type { EndpointRelay } from '../../../relay/relay.ts';
import { type ReplicaId, routedId } from '../../../state/replica.ts';
import { sseFrame } from '../../../wire/sse.ts';
import { DuplexConnection } from '../../duplex-connection.ts';
import { requireStreamType } from '../accept.ts';
import { mountedAt } from '../mount.ts';
import { type HttpRequestContext, header } from '../request.ts';
import type { EventStream, EventStreams } from './event-stream.ts';

interface OldSseChannel {
  connection: DuplexConnection;
  stream: EventStream;
  identity: Identity;
  /** The one server behind it, or undefined for all. */
  server: string | undefined;
}

export interface OldSseOptions {
  replica: ReplicaId;
  basePath: string;
  relay: EndpointRelay;
  streams: EventStreams;
  log: Log;
  askTimeoutMs: number;
}

/** The open channels, by the id in the address their messages are posted to. */
export class OldSseChannels {
  readonly #channels = new Map<string, OldSseChannel>();
  readonly #options: OldSseOptions;

  constructor(options: OldSseOptions) {
    this.#options = options;
  }

  /** GET: opens a channel. Its first event says where to post. */
  open({ req, res, identity, view }: HttpRequestContext): void {
    const { replica, basePath, relay, streams, log, askTimeoutMs } = this.#options;
    requireStreamType(header(req, 'accept'));
    streams.requireRoom(identity.principal);
    const stream = streams.tryOpen(res, identity.principal);
    if (!stream) return;
    const id = routedId(replica);
    const connection = new DuplexConnection({
      relay,
      view,
      identity,
      log,
      askTimeoutMs,
      opensImplicitly: true,
      write: (data) => stream.write(sseFrame({ event: 'message', data })),
      congested: () => stream.congested,
    });
    this.#channels.set(id, { connection, stream, identity, server: view.server });
    stream.onClose = () => {
      this.#channels.delete(id);
      connection.close();
    };
    stream.write(sseFrame({ event: 'endpoint', data: `${addressBeside(req, view, basePath)}?sessionId=${id}` }));
  }

  has(id: string): boolean {
    return this.#channels.has(id);
  }

  ended(): SwitchboardError {
    return new SwitchboardError('SWB_SESSION_NOT_FOUND', 'The session is unknown or its stream has closed.');
  }

  /** The connection a message is posted to. As with sessions, that of another identity does not exist. */
  require(id: string | null, { identity, view }: HttpRequestContext): DuplexConnection {
    if (!id) {
      throw new SwitchboardError(
        'SWB_SESSION_REQUIRED',
        'Post to the address the stream announced: sessionId is missing.',
      );
    }
    const channel = this.#channels.get(id);
    if (!channel || !isSameIdentity(channel.identity, identity) || channel.server !== view.server) {
      throw this.ended();
    }
    return channel.connection;
  }

  expel(isValid: (identity: Identity) => boolean): void {
    for (const [id, channel] of [...this.#channels]) if (!isValid(channel.identity)) this.#close(id, channel);
  }

  closeAll(): void {
    for (const [id, channel] of [...this.#channels]) this.#close(id, channel);
  }

  #close(id: string, { connection, stream }: OldSseChannel): void {
    this.#channels.delete(id);
    connection.close();
    stream.end();
  }
}

/** Java clients (MCP SDK, Spring AI) append the address to that of the host, so that only an absolute path is one. */
const APPENDS = /^(?:Java-http-client|ReactorNetty)\//i;

/**
 * Where messages are posted, relative to the address of the stream: that holds behind any host name and any path that a proxy
 * puts in front, which the gateway does not know of.
 */
function addressBeside(req: IncomingMessage, { server }: View, basePath: string): string {
  if (APPENDS.test(header(req, 'user-agent') ?? '')) {
    const place = mountedAt(req, basePath);
    return `${server === undefined ? place : `${place}/servers/${encodeURIComponent(server)}`}/messages`;
  }
  // The stream may have been asked for with a slash at the end.
  return /^[^?]*\/(?:\?|$)/.test(req.url ?? '') ? '../messages' : 'messages';
}
