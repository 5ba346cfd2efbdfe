/**
 * What the sessions of an upstream share from their first message on, when there is no upstream yet: ids, and the way
 * to the upstream once it stands.
 * @module
 */

import type { ConnectContext } from '../../src/core/adapter.ts';
import type { Log } from '../../src/core/log.ts';
import type { Envelope } from '../../src/wire/envelope.ts';
import type { Notification } from '../../src/wire/jsonrpc.ts';
import type { SessionHost, UpstreamSession } from './session/session.ts';

/** Who hears of what happens on sessions. */
export interface Listener {
  changed(notification: Notification): boolean;
  heard(notification: Notification, callerKey: string | undefined): void;
  lost(session: UpstreamSession, reason: Error, told: boolean): void;
  suspect(): void;
}

export class UpstreamHost implements SessionHost {
  readonly name: string;
  readonly envelope: Envelope;
  readonly log: Log;
  #listener: Listener | undefined;
  #lastId = 0;
  /** A session that was lost before anybody could hear of it. */
  #lost: [UpstreamSession, Error, boolean] | undefined;

  constructor({ name, envelope, log }: Pick<ConnectContext, 'name' | 'envelope' | 'log'>) {
    this.name = name;
    this.envelope = envelope;
    this.log = log;
  }

  /** From now on the listener hears of everything; of what was said before, only of a loss. */
  attach(listener: Listener): void {
    this.#listener = listener;
    if (this.#lost) queueMicrotask(() => this.#lost && listener.lost(...this.#lost));
  }

  nextId(): number {
    return ++this.#lastId;
  }

  changed(notification: Notification): boolean {
    return this.#listener?.changed(notification) ?? false;
  }

  heard(notification: Notification, callerKey: string | undefined): void {
    this.#listener?.heard(notification, callerKey);
  }

  lost(session: UpstreamSession, reason: Error, told: boolean): void {
    if (this.#listener) this.#listener.lost(session, reason, told);
    else this.#lost = [session, reason, told];
  }

  /** A connection to the server failed. */
  suspect(): void {
    this.#listener?.suspect();
  }
}
