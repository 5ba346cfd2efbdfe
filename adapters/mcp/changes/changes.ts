/**
 * How the gateway learns of changes of one upstream: by notifications where the server announces them, by reading the lists again
 * where it does not or cannot.
 * @module
 */

import type { Log } from '../../../src/core/log.ts';
import type { Catalog, Change, ListenFilter, Subscription } from '../../../src/core/upstream.ts';
import { isObject, type JsonObject, type Notification, notification } from '../../../src/wire/jsonrpc.ts';
import { LISTS, type ListKind } from '../catalog.ts';
import type { ServerHandshake } from '../session/handshake.ts';
import type { UpstreamSession } from '../session/session.ts';
import { ChangeHub } from './hub.ts';
import { ListenStream } from './listen-stream.ts';
import { Poller } from './poller.ts';
import { ResourceSubscriber } from './subscriber.ts';

export interface ChangesContext {
  readonly name: string;
  readonly log: Log;
  readonly handshake: ServerHandshake;
  gatewaySession(): UpstreamSession;
  /** Whether the server can send messages outside requests. */
  listens(): boolean;
  ask(method: string, params: JsonObject, signal: AbortSignal): Promise<Buffer>;
  read(kind: ListKind): Promise<Catalog>;
  /** How often lists are read again that the server announces no changes of; for tests. */
  pollEveryMs?: number;
}

export class Changes {
  readonly #hub: ChangeHub;
  readonly #poller: Poller;
  readonly #source: ListenStream | ResourceSubscriber;
  readonly #offered: ReadonlySet<ListKind>;

  constructor(context: ChangesContext) {
    const { name, log, handshake, pollEveryMs } = context;
    this.#hub = new ChangeHub(() => this.#wantedChanged());
    this.#poller = new Poller({
      read: (kind) => context.read(kind),
      changed: (kind) => this.#hub.emit({ type: 'list', kind }),
      ...(pollEveryMs === undefined ? {} : { everyMs: pollEveryMs }),
    });
    const { capabilities } = handshake;
    this.#offered = new Set(
      (Object.keys(LISTS) as ListKind[]).filter((kind) => isObject(capabilities[LISTS[kind].capability])),
    );
    this.#source =
      handshake.era === 'modern'
        ? new ListenStream({
            name,
            log,
            capabilities,
            wanted: () => this.#hub.wanted(),
            send: (params, handler) => context.gatewaySession().subscribe('subscriptions/listen', params, handler),
            cancel: (id) => {
              const { link } = context.gatewaySession();
              if (!link.ownStreams) void link.post(notification('notifications/cancelled', { requestId: id }));
            },
            onNotification: (sent) => void this.#hub.onNotification(sent),
            covering: () => this.#poll(),
            missed: (kinds, resources) => this.#missed(kinds, resources),
          })
        : new ResourceSubscriber({
            name,
            log,
            capabilities,
            wanted: () => this.#hub.wanted(),
            ask: (method, params, signal) => context.ask(method, params, signal),
            listens: () => context.listens(),
          });
  }

  listen(filter: ListenFilter, onChange: (change: Change) => void): Subscription {
    return this.#hub.listen(filter, onChange);
  }

  /** A notification of the server's outside its own listen stream. True when it was about changes. */
  onNotification(sent: Notification): boolean {
    if (this.#source instanceof ListenStream) {
      if (this.#source.notified(sent)) return true;
      if (sent.method === 'notifications/cancelled') {
        this.#source.cancelledByServer(sent.params?.requestId);
        return true;
      }
    }
    return this.#hub.onNotification(sent);
  }

  /** A client has read a list. */
  seen(kind: ListKind, catalog: Catalog): void {
    this.#poller.seen(kind, catalog);
  }

  /** The gateway's own session was replaced: subscriptions are gone, and changes since then were missed. */
  renewed(): void {
    if (this.#source instanceof ResourceSubscriber) this.#source.renewed();
    this.#missed(this.#offered, this.#hub.wanted().resources);
    this.#poll();
  }

  close(): void {
    this.#poller.close();
    this.#source.close();
  }

  #wantedChanged(): void {
    this.#source.update();
    this.#poll();
  }

  #poll(): void {
    const kinds = this.#hub.wanted().lists ? this.#uncovered() : new Set<ListKind>();
    this.#poller.set(kinds);
  }

  #uncovered(): Set<ListKind> {
    const covered = this.#source.covered();
    return new Set([...this.#offered].filter((kind) => !covered.has(kind)));
  }

  #missed(kinds: ReadonlySet<ListKind>, resources: readonly string[]): void {
    for (const kind of kinds) this.#hub.emit({ type: 'list', kind });
    for (const uri of resources) this.#hub.emit({ type: 'resource', uri, params: { uri } });
  }
}
