/**
 * Connections of callers that have a login of their own: one for each login, opened on first use, closed when it is idle.
 * @module
 */

import { Backoff } from '../../src/core/backoff.ts';
import type { BrokerLogin } from '../../src/core/broker.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Identity } from '../../src/core/identity.ts';
import type { Inbox } from './inbox.ts';

const IDLE_MS = 10 * 60_000;
const SWEEP_MS = 30_000;
/** Between attempts of a login that fails, so that calls are no way to hammer the broker. */
const RETRY = { backoffBaseMs: 1_000, backoffCapMs: 30_000 };

interface Place {
  inbox: Inbox | undefined;
  /** While it is opened, or until another attempt makes sense. */
  opening: Promise<Inbox> | undefined;
  failure: { error: Error; until: number } | undefined;
  usedAt: number;
  readonly backoff: Backoff;
}

export interface LoginOptions {
  server: string;
  max: number;
  open(login: BrokerLogin, identity: Identity, onLost: (reason: SwitchboardError) => void): Promise<Inbox>;
}

export class LoginConnections {
  readonly #options: LoginOptions;
  readonly #places = new Map<BrokerLogin, Place>();
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: LoginOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#closeIdle(), SWEEP_MS);
    this.#timer.unref();
  }

  get size(): number {
    return this.#places.size;
  }

  /** At once where the connection is open. */
  inboxFor(login: BrokerLogin, identity: Identity): Inbox | Promise<Inbox> {
    const now = performance.now();
    let place = this.#places.get(login);
    if (!place) {
      this.#makeRoom();
      place = { inbox: undefined, opening: undefined, failure: undefined, usedAt: now, backoff: new Backoff(RETRY) };
      this.#places.set(login, place);
    }
    place.usedAt = now;
    if (place.inbox?.connection.isOpen) return place.inbox;
    if (place.failure && now < place.failure.until) return Promise.reject(place.failure.error);
    place.opening ??= this.#open(login, identity, place);
    return place.opening;
  }

  async #open(login: BrokerLogin, identity: Identity, place: Place): Promise<Inbox> {
    try {
      const inbox: Inbox = await this.#options.open(login, identity, (reason) => {
        place.inbox?.fail(reason);
        place.inbox = undefined;
      });
      if (this.#isClosed || this.#places.get(login) !== place) {
        await inbox.connection.close();
        throw new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${this.#options.server}' was disconnected.`);
      }
      place.inbox = inbox;
      place.failure = undefined;
      place.backoff.reset();
      return inbox;
    } catch (error) {
      place.failure = { error: error as Error, until: performance.now() + place.backoff.next() };
      throw error;
    } finally {
      place.opening = undefined;
    }
  }

  /** Closes the connection that was idle longest. Throws when all of them are in use. */
  #makeRoom(): void {
    if (this.#places.size < this.#options.max) return;
    let oldest: [BrokerLogin, Place] | undefined;
    for (const entry of this.#places) {
      if (isIdle(entry[1]) && (!oldest || entry[1].usedAt < oldest[1].usedAt)) oldest = entry;
    }
    if (!oldest) {
      const message = `All connections of callers to the broker of server '${this.#options.server}' are in use.`;
      throw new SwitchboardError('SWB_TOO_MANY_SESSIONS', message, { retryAfterMs: 1_000 });
    }
    this.#end(...oldest);
  }

  #closeIdle(): void {
    const before = performance.now() - IDLE_MS;
    for (const [login, place] of this.#places) if (isIdle(place) && place.usedAt < before) this.#end(login, place);
  }

  #end(login: BrokerLogin, place: Place): void {
    this.#places.delete(login);
    void place.inbox?.connection.close();
  }

  /** Of every connection that is open. */
  *inboxes(): IterableIterator<Inbox> {
    for (const { inbox } of this.#places.values()) if (inbox) yield inbox;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    const open = [...this.inboxes()];
    this.#places.clear();
    await Promise.all(open.map(({ connection }) => connection.close()));
  }
}

const isIdle = ({ inbox, opening }: Place): boolean => !opening && (!inbox || inbox.size === 0);
