/**
 * The HTTP+SSE transport of revision 2024-11-05: one stream for everything to the client, a second address its messages
 * are posted to. The stream is the session: it ends with its connection.
 * @module
 */
import { SwitchboardError } from '../../../core/errors.ts';
import { type Identity, isSameIdentity } from '../../../core/identity.ts';
import { routedId } from '../../../state/replica.ts';
import { sseFrame } from '../../../wire/sse.ts';
import { DuplexConnection } from '../../duplex-connection.ts';
import { requireStreamType } from '../accept.ts';
import { type HttpContext, type HttpRequestContext, header } from '../context.ts';
import { mountedAt } from '../mount.ts';
import type { EventStream } from './event-stream.ts';

interface OldSseChannel {
  dialogue: DuplexConnection;
  stream: EventStream;
  identity: Identity;
  /** The one server behind it, or undefined for all. */
  server: string | undefined;
}

/** The open channels, by the id in the address their messages are posted to. */
export class OldSseChannels {
  readonly #channels = new Map<string, OldSseChannel>();

  /** GET: opens a channel. Its first event says where to post; a path, so that it holds behind any host name. */
  open(context: HttpContext, { req, res, identity, view }: HttpRequestContext): void {
    requireStreamType(header(req, 'accept'));
    context.streams.requireRoom(identity.principal);
    const stream = context.streams.tryOpen(res, identity.principal);
    if (!stream) return;
    const id = routedId(context.replica);
    const dialogue = new DuplexConnection({
      relay: context.relay,
      view,
      identity,
      log: context.log,
      askTimeoutMs: context.timing.askTimeoutMs,
      write: (data) => stream.write(sseFrame({ event: 'message', data })),
      congested: () => stream.congested,
    });
    this.#channels.set(id, { dialogue, stream, identity, server: view.server });
    stream.onClose = () => {
      this.#channels.delete(id);
      dialogue.close();
    };
    const place = mountedAt(req, context.basePath);
    const base = view.server === undefined ? place : `${place}/servers/${encodeURIComponent(view.server)}`;
    stream.write(sseFrame({ event: 'endpoint', data: `${base}/messages?sessionId=${id}` }));
  }

  /** The channel a message is posted to; as with sessions, another's does not exist. */
  require(id: string | null, { identity, view }: HttpRequestContext): DuplexConnection {
    if (!id) {
      throw new SwitchboardError(
        'SWB_SESSION_REQUIRED',
        'Post to the address the stream announced: sessionId is missing.',
      );
    }
    const channel = this.#channels.get(id);
    if (!channel || !isSameIdentity(channel.identity, identity) || channel.server !== view.server) {
      throw new SwitchboardError('SWB_SESSION_NOT_FOUND', 'The session is unknown or its stream has closed.');
    }
    return channel.dialogue;
  }

  expel(isValid: (identity: Identity) => boolean): void {
    for (const [id, channel] of [...this.#channels]) if (!isValid(channel.identity)) this.#close(id, channel);
  }

  closeAll(): void {
    for (const [id, channel] of [...this.#channels]) this.#close(id, channel);
  }

  #close(id: string, { dialogue, stream }: OldSseChannel): void {
    this.#channels.delete(id);
    dialogue.close();
    stream.end();
  }
}
