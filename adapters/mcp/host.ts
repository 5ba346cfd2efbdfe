/**
 * What the sessions of an upstream share from their first message on, when there is no upstream yet: ids, and the way
 * to the upstream once it stands.
 * @module
 */

import type { ConnectContext } from '../../src/core/adapter.ts';
import type { Log } from '../../src/core/log.ts';
import type { Envelope } from '../../src/wire/envelope.ts';
import type { Notification } from '../../src/wire/jsonrpc.ts';
import { Habits } from './session/habits.ts';
import type { SessionHost, UpstreamSession } from './session/session.ts';

/** Receives what happens on the sessions of an upstream. */
export interface SessionListener {
  changed(notification: Notification): boolean;
  onNotification(notification: Notification, callerKey: string | undefined): void;
  lost(session: UpstreamSession, reason: Error, hadCalls: boolean): void;
  suspect(): void;
}

export class UpstreamHost implements SessionHost {
  readonly name: string;
  readonly envelope: Envelope;
  readonly log: Log;
  readonly habits: Habits;
  answered = false;
  /** A list changed before any client's request was answered: servers do so that make their lists for who connects. */
  listsChangedAtStart = false;
  #listener: SessionListener | undefined;
  #lastId = 0;
  /** A session that was lost before the listener was attached. */
  #lost: [UpstreamSession, Error, boolean] | undefined;

  constructor(context: Pick<ConnectContext, 'name' | 'envelope' | 'log' | 'habits' | 'learned'>) {
    const { name, envelope, log, habits } = context;
    this.name = name;
    this.envelope = envelope;
    this.log = log;
    this.habits = new Habits(habits, (learned) => context.learned?.(learned));
  }

  /** The listener receives everything from now on; of what happened before, only the loss of a session. */
  attach(listener: SessionListener): void {
    this.#listener = listener;
    if (this.#lost) queueMicrotask(() => this.#lost && listener.lost(...this.#lost));
  }

  nextId(): number {
    return ++this.#lastId;
  }

  changed(notification: Notification): boolean {
    if (!this.answered && notification.method.endsWith('/list_changed')) this.listsChangedAtStart = true;
    return this.#listener?.changed(notification) ?? false;
  }

  onNotification(notification: Notification, callerKey: string | undefined): void {
    this.#listener?.onNotification(notification, callerKey);
  }

  lost(session: UpstreamSession, reason: Error, hadCalls: boolean): void {
    if (this.#listener) this.#listener.lost(session, reason, hadCalls);
    else this.#lost = [session, reason, hadCalls];
  }

  /** A connection to the server failed. */
  suspect(): void {
    this.#listener?.suspect();
  }
}
