/**
 * The sessions of an upstream: one for the gateway itself (the boot session: lists, subscriptions, and every caller where
 * sessions are shared), and one per caller where they are not.
 *
 * Invariants: a caller's session is opened once however many of its calls wait for it; there are never more than the
 * limit; one that has calls in flight is never taken away; a new one is made only when the old one is provably gone.
 * @module
 */

import type { Caller } from '../../../src/core/caller.ts';
import { SwitchboardError } from '../../../src/core/errors.ts';
import { sha256 } from '../../../src/core/hash.ts';
import { lostSession } from './link.ts';
import type { UpstreamSession } from './session.ts';

export interface CallerSessionsContext {
  /** The server's name, for messages. */
  readonly name: string;
  readonly limit: number;
  /** Opens a session: the caller's, with its own capabilities and identity, or the gateway's. */
  open(caller: Caller | undefined): Promise<UpstreamSession>;
  /** The boot session was replaced. */
  renewed(): void;
  /** The boot session could not be replaced. */
  down(reason: Error): void;
  /** How long a modern caller's session may lie idle; for tests. */
  idleMs?: number;
}

/**
 * A legacy caller's session ends with its client's. A modern client says no goodbye: what it leaves idle for this long
 * (a session, a child process) is ended, as the endpoint ends idle sessions of legacy clients.
 */
const IDLE_MS = 30 * 60_000;

interface SessionSlot {
  callerKey: string;
  session: UpstreamSession | undefined;
  /** While it is being opened. */
  opening: Promise<UpstreamSession> | undefined;
  lastUsed: number;
  /** When a modern caller used it last; undefined for legacy ones. */
  usedAt: number | undefined;
  /** The session was lost when none of its calls was in flight to hear of it: the next one does. */
  untold: boolean;
}

export class CallerSessions {
  readonly #context: CallerSessionsContext;
  readonly #places = new Map<string, SessionSlot>();
  /** Whether callers have sessions of their own. */
  readonly #perCaller: boolean;
  #boot: UpstreamSession;
  #renewing: Promise<UpstreamSession> | undefined;
  #uses = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #closed: Error | undefined;

  constructor(context: CallerSessionsContext, boot: UpstreamSession, perCaller: boolean) {
    this.#context = context;
    this.#boot = boot;
    this.#perCaller = perCaller;
  }

  get boot(): UpstreamSession {
    return this.#boot;
  }

  /** The gateway's own session, once it stands. */
  ready(): UpstreamSession | Promise<UpstreamSession> {
    return this.#renewing ?? this.#boot;
  }

  /** The session this caller's request goes through. Throws when there is no room for another one. */
  of(caller: Caller): UpstreamSession | Promise<UpstreamSession> {
    if (!this.#perCaller) return this.ready();
    const key = placeKey(caller);
    const place = this.#places.get(key);
    if (!place) return this.#open(key, caller);
    this.#used(place);
    if (place.untold) {
      this.#places.delete(key);
      throw lostSession(this.#context.name);
    }
    return place.session ?? place.opening ?? this.#open(key, caller);
  }

  /** Sessions a caller has now, without opening one. */
  *existing(callerKey: string): Generator<UpstreamSession> {
    if (!this.#perCaller) yield this.#boot;
    for (const place of this.#places.values()) {
      if (place.callerKey === callerKey && place.session) yield place.session;
    }
  }

  /** The server does not know this session any more: the one that replaces it. Concurrent callers share it. */
  renew(gone: UpstreamSession, caller: Caller | undefined): Promise<UpstreamSession> | UpstreamSession {
    if (this.#closed) throw this.#closed;
    if (gone.owner === undefined) return this.#renewBoot(gone);
    const key = caller && placeKey(caller);
    if (key === undefined || !caller) throw lostSession(this.#context.name);
    const place = this.#places.get(key);
    if (place && place.session !== gone) return place.session ?? place.opening ?? this.#open(key, caller);
    this.#places.delete(key);
    // Calls in flight on the old one may still be answered; what it held is gone already.
    void gone.link.close(lostSession(this.#context.name));
    return this.#open(key, caller);
  }

  /** A caller's session is lost. Unless some call of it has heard of that (`told`), its next one does. */
  lost(session: UpstreamSession, told: boolean): void {
    for (const [key, place] of this.#places) {
      if (place.session !== session) continue;
      if (told) this.#places.delete(key);
      else place.untold = true;
      place.session = undefined;
    }
    void session.link.close(lostSession(this.#context.name));
  }

  /** Frees everything held for a caller. */
  release(callerKey: string): void {
    for (const [key, place] of this.#places) {
      if (place.callerKey === callerKey) this.#vacate(key, place);
    }
  }

  /** Fails every call in flight at once. */
  fail(reason: Error): void {
    this.#closed ??= reason;
    clearInterval(this.#sweeper);
    for (const session of this.#all()) session.fail(reason);
  }

  /** Ends every session. Bounded by what ending one takes. */
  async close(reason: Error): Promise<void> {
    this.fail(reason);
    const opening = [...this.#places.values()].map(({ opening: one }) => one);
    await Promise.all([...this.#all()].map((session) => session.close(reason)));
    this.#places.clear();
    // One that is still being opened is ended when it stands.
    for (const one of [...opening, this.#renewing]) {
      one?.then(
        (session) => session.close(reason),
        () => {},
      );
    }
  }

  *#all(): Generator<UpstreamSession> {
    yield this.#boot;
    for (const { session } of this.#places.values()) if (session) yield session;
  }

  #open(key: string, caller: Caller): Promise<UpstreamSession> {
    if (this.#closed) throw this.#closed;
    this.#makeRoom();
    const place: SessionSlot = {
      callerKey: caller.key,
      session: undefined,
      opening: undefined,
      lastUsed: 0,
      usedAt: caller.era === 'modern' ? 0 : undefined,
      untold: false,
    };
    this.#used(place);
    this.#places.set(key, place);
    place.opening = this.#context.open(caller).then(
      (session) => this.#opened(place, key, session),
      (error) => {
        if (this.#places.get(key) === place) this.#places.delete(key);
        throw error;
      },
    );
    return place.opening;
  }

  #opened(place: SessionSlot, key: string, session: UpstreamSession): UpstreamSession {
    place.opening = undefined;
    if (this.#closed || this.#places.get(key) !== place) {
      // Closed, or released while it was being opened.
      const reason = this.#closed ?? lostSession(this.#context.name);
      void session.close(reason);
      throw reason;
    }
    place.session = session;
    return session;
  }

  #used(place: SessionSlot): void {
    place.lastUsed = ++this.#uses;
    if (place.usedAt === undefined) return;
    place.usedAt = performance.now();
    this.#sweeper ??= setInterval(() => this.#endIdle(), (this.#context.idleMs ?? IDLE_MS) / 6).unref();
  }

  #endIdle(): void {
    const since = performance.now() - (this.#context.idleMs ?? IDLE_MS);
    for (const [key, place] of this.#places) {
      if (place.usedAt === undefined || place.usedAt > since || isBusy(place)) continue;
      this.#vacate(key, place);
    }
  }

  /** Frees the place unused for longest when all are taken. */
  #makeRoom(): void {
    const { limit, name } = this.#context;
    if (this.#places.size < limit) return;
    let oldest: [string, SessionSlot] | undefined;
    for (const entry of this.#places) {
      const [, place] = entry;
      if (!isBusy(place) && (!oldest || place.lastUsed < oldest[1].lastUsed)) oldest = entry;
    }
    if (!oldest) {
      throw new SwitchboardError(
        'SWB_TOO_MANY_SESSIONS',
        `Server '${name}' has ${limit} callers with a session of their own, all of them busy. Try again later.`,
        { data: { server: name }, retryAfterMs: 1_000 },
      );
    }
    this.#vacate(...oldest);
  }

  #vacate(key: string, place: SessionSlot): void {
    this.#places.delete(key);
    void place.session?.close(lostSession(this.#context.name));
  }

  #renewBoot(gone: UpstreamSession): Promise<UpstreamSession> | UpstreamSession {
    if (gone !== this.#boot) return this.ready();
    this.#renewing ??= this.#context
      .open(undefined)
      .then(
        (session) => {
          if (this.#closed) {
            void session.close(this.#closed);
            throw this.#closed;
          }
          this.#boot = session;
          void gone.link.close(lostSession(this.#context.name));
          this.#context.renewed();
          return session;
        },
        (error: Error) => {
          this.#context.down(error);
          throw error;
        },
      )
      .finally(() => {
        this.#renewing = undefined;
      });
    return this.#renewing;
  }
}

const isBusy = ({ opening, session }: SessionSlot): boolean => opening !== undefined || (session?.busy ?? 0) > 0;

/**
 * A legacy caller is its session, with the capabilities it was opened with. A modern one states its capabilities with
 * every request; a session declares them once, so that each set of them has a session of its own.
 */
function placeKey({ key, era, capabilities }: Caller): string {
  if (era === 'legacy') return key;
  const declared = JSON.stringify(capabilities);
  // What a client declares may be as long as a request: it is not kept for as long as its session.
  return `${key}\n${declared.length > 256 ? sha256(declared) : declared}`;
}
