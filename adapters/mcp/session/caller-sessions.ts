/**
 * The sessions of an upstream: one for the gateway itself (the gateway's own session: lists, subscriptions, and every caller where
 * sessions are shared), and one per caller where they are not.
 *
 * Invariants: a caller's session is opened once however many of its calls wait for it; one that has calls in flight is
 * never taken away; a new one is made only when the old one is provably gone. There are never more than the limit, but
 * where other principals keep all of them busy, one that has none gets its first (see `#makeRoom`).
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
  /**
   * Opens a session: the caller's, with its own capabilities and identity, or the gateway's. It may have to wait before it
   * begins; `isWanted` says then whether a caller still wants the session.
   */
  open(caller: Caller | undefined, isWanted: () => boolean): Promise<UpstreamSession>;
  /**
   * Whether this caller shares the gateway's session because the server opens no other. `error`: a session of the caller's
   * own could not be opened for this reason.
   */
  shares?(caller: Caller, error?: unknown): boolean | Promise<boolean>;
  /** The gateway's own session was replaced. */
  renewed(): void;
  /** Whether this session ended with a connection before, and its caller has had no error for that; it gets one now. */
  isUntold?(key: string): boolean;
  /** The gateway's own session could not be replaced. */
  down(reason: Error): void;
  /** How long a modern caller's session may lie idle; for tests. */
  idleMs?: number;
}

/**
 * A legacy caller's session ends with its client's. A modern client sends no end: what it leaves idle for this long
 * (a session, a child process) is ended, as the endpoint ends idle sessions of legacy clients.
 */
const IDLE_MS = 30 * 60_000;

interface SessionSlot {
  callerKey: string;
  principal: string;
  session: UpstreamSession | undefined;
  /** While it is being opened. */
  opening: Promise<UpstreamSession> | undefined;
  lastUsed: number;
  /** When a modern caller used it last; undefined for legacy ones. */
  usedAt: number | undefined;
  /** The session was lost while no call of it was in flight: the next call fails with that. */
  unreported: boolean;
}

export class CallerSessions {
  readonly #context: CallerSessionsContext;
  readonly #slots = new Map<string, SessionSlot>();
  /** Whether callers have sessions of their own. */
  readonly #perCaller: boolean;
  /** Callers share the gateway's session all the same. */
  #sharing = false;
  #gatewaySession: UpstreamSession;
  #renewing: Promise<UpstreamSession> | undefined;
  #uses = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #closed: Error | undefined;

  constructor(context: CallerSessionsContext, gatewaySession: UpstreamSession, perCaller: boolean) {
    this.#context = context;
    this.#gatewaySession = gatewaySession;
    this.#perCaller = perCaller;
  }

  get gatewaySession(): UpstreamSession {
    return this.#gatewaySession;
  }

  /** The gateway's own session, once it stands. */
  ready(): UpstreamSession | Promise<UpstreamSession> {
    return this.#renewing ?? this.#gatewaySession;
  }

  /** The session this caller's request goes through. Throws when there is no room for another one. */
  of(caller: Caller): UpstreamSession | Promise<UpstreamSession> {
    if (!this.#perCaller) return this.ready();
    const shares = this.#context.shares?.(caller);
    if (!shares) return this.#own(caller);
    if (shares === true) return this.#share();
    return shares.then((shared) => (shared ? this.#share() : this.#own(caller)));
  }

  #share(): UpstreamSession | Promise<UpstreamSession> {
    this.#sharing = true;
    return this.ready();
  }

  #own(caller: Caller): UpstreamSession | Promise<UpstreamSession> {
    const key = slotKey(caller);
    const slot = this.#slots.get(key);
    if (!slot) {
      if (this.#context.isUntold?.(key)) throw lostSession(this.#context.name);
      return this.#open(key, caller);
    }
    this.#used(slot);
    if (slot.unreported) {
      this.#slots.delete(key);
      throw lostSession(this.#context.name);
    }
    return slot.session ?? slot.opening ?? this.#open(key, caller);
  }

  /** Sessions a caller has now, without opening one. */
  *existing(callerKey: string): Generator<UpstreamSession> {
    if (!this.#perCaller || this.#sharing) yield this.#gatewaySession;
    for (const slot of this.#slots.values()) {
      if (slot.callerKey === callerKey && slot.session) yield slot.session;
    }
  }

  /** The server does not know this session any more: the one that replaces it. Concurrent callers share it. */
  renew(gone: UpstreamSession, caller: Caller | undefined): Promise<UpstreamSession> | UpstreamSession {
    if (this.#closed) throw this.#closed;
    if (gone.owner === undefined) return this.#renewGatewaySession(gone);
    const key = caller && slotKey(caller);
    if (key === undefined || !caller) throw lostSession(this.#context.name);
    const slot = this.#slots.get(key);
    if (slot && slot.session !== gone) return slot.session ?? slot.opening ?? this.#open(key, caller);
    this.#slots.delete(key);
    // Calls in flight on the old one may still be answered; what the session held is lost already.
    void gone.link.close(lostSession(this.#context.name));
    return this.#open(key, caller);
  }

  /** A caller's session is lost. Unless a call of it has failed with that (`reported`), its next one does. */
  lost(session: UpstreamSession, reported: boolean): void {
    for (const [key, slot] of this.#slots) {
      if (slot.session !== session) continue;
      if (reported) this.#slots.delete(key);
      else slot.unreported = true;
      slot.session = undefined;
    }
    void session.link.close(lostSession(this.#context.name));
  }

  /** Callers' sessions that would end now without an error of any call. */
  unaware(): string[] {
    return [...this.#slots].flatMap(([key, slot]) => (slot.unreported || (slot.session && !isBusy(slot)) ? [key] : []));
  }

  /** Frees everything held for a caller. */
  release(callerKey: string): void {
    for (const [key, slot] of this.#slots) {
      if (slot.callerKey === callerKey) this.#vacate(key, slot);
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
    const opening = [...this.#slots.values()].map(({ opening: one }) => one);
    await Promise.all([...this.#all()].map((session) => session.close(reason)));
    this.#slots.clear();
    // One that is still being opened is ended when it stands.
    for (const one of [...opening, this.#renewing]) {
      one?.then(
        (session) => session.close(reason),
        () => {},
      );
    }
  }

  *#all(): Generator<UpstreamSession> {
    yield this.#gatewaySession;
    for (const { session } of this.#slots.values()) if (session) yield session;
  }

  #open(key: string, caller: Caller): Promise<UpstreamSession> {
    if (this.#closed) throw this.#closed;
    this.#makeRoom(caller.principal);
    const slot: SessionSlot = {
      callerKey: caller.key,
      principal: caller.principal,
      session: undefined,
      opening: undefined,
      lastUsed: 0,
      usedAt: caller.era === 'modern' ? 0 : undefined,
      unreported: false,
    };
    this.#used(slot);
    this.#slots.set(key, slot);
    slot.opening = this.#context
      .open(caller, () => this.#slots.get(key) === slot)
      .then(
        (session) => this.#opened(slot, key, session),
        async (error) => {
          if (this.#slots.get(key) === slot) this.#slots.delete(key);
          if (this.#closed || !(await this.#context.shares?.(caller, error))) throw error;
          return this.#share();
        },
      );
    return slot.opening;
  }

  #opened(slot: SessionSlot, key: string, session: UpstreamSession): UpstreamSession {
    slot.opening = undefined;
    if (this.#closed || this.#slots.get(key) !== slot) {
      // Closed, or released while it was being opened.
      const reason = this.#closed ?? lostSession(this.#context.name);
      void session.close(reason);
      throw reason;
    }
    slot.session = session;
    return session;
  }

  #used(slot: SessionSlot): void {
    slot.lastUsed = ++this.#uses;
    if (slot.usedAt === undefined) return;
    slot.usedAt = performance.now();
    this.#sweeper ??= setInterval(() => this.#endIdle(), (this.#context.idleMs ?? IDLE_MS) / 6).unref();
  }

  #endIdle(): void {
    const since = performance.now() - (this.#context.idleMs ?? IDLE_MS);
    for (const [key, slot] of this.#slots) {
      if (slot.usedAt === undefined || slot.usedAt > since || isBusy(slot)) continue;
      this.#vacate(key, slot);
    }
  }

  /**
   * Frees an idle slot when all are taken: of the principal with most, and of its slots the one unused for longest. A
   * principal takes one of another's only when that one has at least two more.
   *
   * A principal without a slot gets one also where others keep all busy, as long as the slots beyond the limit are fewer
   * than those of the principal with most; they are freed first. Else it takes any idle slot.
   */
  #makeRoom(principal: string): void {
    const { limit } = this.#context;
    if (this.#slots.size < limit) return;
    const held = new Map<string, number>();
    for (const slot of this.#slots.values()) held.set(slot.principal, (held.get(slot.principal) ?? 0) + 1);
    const own = held.get(principal) ?? 0;
    const count = (slot: SessionSlot): number => held.get(slot.principal) ?? 0;
    const excess = this.#slots.size + 1 - limit;
    let freed = 0;
    for (; freed < excess; freed++) {
      const fair = this.#idleSlot(count, (slot) => slot.principal === principal || count(slot) >= own + 2);
      if (!fair) break;
      held.set(fair[1].principal, count(fair[1]) - 1);
      this.#vacate(...fair);
    }
    if (freed > 0 || (own === 0 && excess < Math.max(0, ...held.values()))) return;
    const any = own === 0 ? this.#idleSlot(count, () => true) : undefined;
    if (any) this.#vacate(...any);
    else throw this.#full();
  }

  #full(): SwitchboardError {
    const { limit, name } = this.#context;
    return new SwitchboardError(
      'SWB_TOO_MANY_SESSIONS',
      `Server '${name}' has ${limit} callers with a session of their own, and none that could be ended. Try again later.`,
      { data: { server: name }, retryAfterMs: 1_000 },
    );
  }

  /** Of the idle slots that may be taken, one with the highest count, and of those the one unused for longest. */
  #idleSlot(
    count: (slot: SessionSlot) => number,
    mayTake: (slot: SessionSlot) => boolean,
  ): [string, SessionSlot] | undefined {
    let found: [string, SessionSlot] | undefined;
    for (const entry of this.#slots) {
      const [, slot] = entry;
      if (isBusy(slot) || !mayTake(slot)) continue;
      const more = found ? count(slot) - count(found[1]) : 1;
      if (more > 0 || (more === 0 && found && slot.lastUsed < found[1].lastUsed)) found = entry;
    }
    return found;
  }

  #vacate(key: string, slot: SessionSlot): void {
    this.#slots.delete(key);
    void slot.session?.close(lostSession(this.#context.name));
  }

  #renewGatewaySession(gone: UpstreamSession): Promise<UpstreamSession> | UpstreamSession {
    if (gone !== this.#gatewaySession) return this.ready();
    this.#renewing ??= this.#context
      .open(undefined, () => this.#closed === undefined)
      .then(
        (session) => {
          if (this.#closed) {
            void session.close(this.#closed);
            throw this.#closed;
          }
          this.#gatewaySession = session;
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
function slotKey({ key, era, capabilities }: Caller): string {
  if (era === 'legacy') return key;
  const declared = JSON.stringify(capabilities);
  // What a client declares may be as long as a request: it is not kept for as long as its session.
  return `${key}\n${declared.length > 256 ? sha256(declared) : declared}`;
}
