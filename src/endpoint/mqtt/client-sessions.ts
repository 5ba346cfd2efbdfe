/**
 * The sessions of clients on the broker, by client id: opened by a request that any client of the broker can send, taken over by the client
 * itself, bounded in number, ended when the client is gone.
 *
 * `initialize` comes on a topic that all clients share, with the client id as a claim. So a session that it opens is only
 * *opening*: it answers on the topic of that client, runs nothing, and replaces the client's present session when the
 * client says `notifications/initialized` on its own topic, which the broker lets no other client write to. A session that is
 * never taken over ends by itself. A client that is in a session reads the answers to what others claim in its name: none
 * of them may have the id of a request it waits for, and they are few.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import { isObject, type RequestId } from '../../wire/jsonrpc.ts';
import type { ClientSession } from './client-session.ts';

export interface ClientSessionLimits {
  maxSessions: number;
  /** After this long without a message of the client it is asked for a sign of life. */
  sessionIdleMs: number;
  /** How long it may take to give one, and a session may be opening. */
  patienceMs: number;
}

/** Sessions that may be opening at one time: every client of the broker can ask for one. */
const MAX_OPENING = 256;

/** Least time between two claims in the name of a client that is in a session. */
const REOPEN_MS = 5_000;

export class ClientSessions {
  readonly #limits: ClientSessionLimits;
  /** How many sessions one principal may hold. */
  readonly #share: number;
  readonly #open = new Map<string, ClientSession>();
  readonly #opening = new Map<string, ClientSession>();
  #pings = 0;

  /** `severalPrincipals`: whether clients belong to more than one, of which none may hold more than half. */
  constructor(limits: ClientSessionLimits, severalPrincipals: boolean) {
    this.#limits = limits;
    this.#share = severalPrincipals ? Math.max(1, Math.ceil(limits.maxSessions / 2)) : limits.maxSessions;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Whether an `initialize` with this id may be answered to the client. A client that starts over has left its present session
   * before, by its will at the latest.
   */
  mayOpen(clientId: string, id: RequestId): boolean {
    const present = this.#open.get(clientId);
    if (!present) return true;
    const opening = this.#opening.get(clientId);
    return !present.handles(id) && !(opening && performance.now() - opening.openedAt < REOPEN_MS);
  }

  /** Throws `SWB_TOO_MANY_SESSIONS` where there is no room for another session of this client. */
  requireRoom(clientId: string, { principal }: Identity): void {
    if (this.#opening.size >= MAX_OPENING && !this.#opening.has(clientId)) {
      throw tooMany('Too many sessions are being opened.');
    }
    if (this.#open.has(clientId)) return;
    const { maxSessions } = this.#limits;
    if (this.#open.size >= maxSessions) throw tooMany(`The gateway has ${maxSessions} sessions in use.`);
    if (this.#share >= maxSessions) return;
    let held = 0;
    for (const { identity } of this.#open.values()) if (identity.principal === principal) held++;
    if (held >= this.#share) throw tooMany(`This grant has ${this.#share} sessions in use.`);
  }

  /** A session that the client has not taken over yet, in place of an earlier one of that kind. */
  add(session: ClientSession): void {
    this.#opening.get(session.clientId)?.end();
    this.#opening.set(session.clientId, session);
  }

  /** The session a message on the client's own topic belongs to. */
  of(clientId: string, message: unknown): ClientSession | undefined {
    const present = this.#open.get(clientId);
    const opening = this.#opening.get(clientId);
    if (!opening) return present;
    // A client that is in a session has not opened the other one, unless it says so.
    if (present && !(isObject(message) && message.method === 'notifications/initialized')) return present;
    this.#opening.delete(clientId);
    present?.end();
    this.#open.set(clientId, opening);
    return opening;
  }

  /** The client's present session. */
  present(clientId: string): ClientSession | undefined {
    return this.#open.get(clientId);
  }

  /** The client is gone. */
  endOf(clientId: string): void {
    for (const sessions of [this.#open, this.#opening]) {
      sessions.get(clientId)?.end();
      sessions.delete(clientId);
    }
  }

  end(session: ClientSession): void {
    session.end();
    for (const sessions of [this.#open, this.#opening]) {
      if (sessions.get(session.clientId) === session) sessions.delete(session.clientId);
    }
  }

  expel(isValid: (identity: Identity) => boolean): void {
    for (const session of this.#all()) if (!isValid(session.identity)) this.end(session);
  }

  endAll(): void {
    for (const session of this.#all()) this.end(session);
  }

  /** Ends sessions that no client takes over, and those whose client gives no sign of life. `now` is on the clock of `performance.now()`. */
  tick(now: number): void {
    const { sessionIdleMs, patienceMs } = this.#limits;
    for (const session of [...this.#opening.values()]) if (now - session.lastHeard > patienceMs) this.end(session);
    for (const session of [...this.#open.values()]) {
      if (session.askedAt !== undefined) {
        if (now - session.askedAt > patienceMs) this.end(session);
      } else if (now - session.lastHeard > sessionIdleMs) {
        session.askedAt = now;
        // Its answer is of no interest, only that there is one.
        session.write(`{"jsonrpc":"2.0","id":"alive-${++this.#pings}","method":"ping"}`);
      }
    }
  }

  #all(): ClientSession[] {
    return [...this.#open.values(), ...this.#opening.values()];
  }
}

const tooMany = (why: string): SwitchboardError =>
  new SwitchboardError('SWB_TOO_MANY_SESSIONS', `${why} Try again later.`, { retryAfterMs: 5_000 });
