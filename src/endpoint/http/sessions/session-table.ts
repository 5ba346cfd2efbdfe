/**
 * The legacy sessions of the Streamable HTTP endpoint: found by id, bounded in number, ended when idle.
 * @module
 */

import { SwitchboardError } from '../../../core/errors.ts';
import { type Identity, isSameIdentity } from '../../../core/identity.ts';
import type { Timed, TimerWheel } from '../../../core/timer-wheel.ts';
import type { View } from '../../../federation/types.ts';
import type { LegacySession } from '../../legacy/session.ts';
import type { StreamLogs } from '../streams/stream-logs.ts';

export interface HttpSession {
  readonly core: LegacySession;
  /** Made when the first stream opens: an idle session holds next to nothing. */
  logs: StreamLogs | undefined;
  /** On the timer wheel's clock. */
  lastActive: number;
}

export interface SessionLimits {
  maxSessions: number;
  sessionIdleMs: number;
  resumeGraceMs: number;
}

const principalOf = ({ core }: HttpSession): string => core.caller.principal;

/** Idle: no stream is open and nothing is in flight. */
const isIdle = (session: HttpSession): boolean => !session.core.busy && !session.logs?.attached;

const count = (held: ReadonlyMap<string, number>, session: HttpSession): number => held.get(principalOf(session)) ?? 0;

export class SessionTable implements Timed {
  previous: Timed | undefined;
  next: Timed | undefined;
  readonly #wheel: TimerWheel;
  readonly #limits: SessionLimits;
  readonly #shareOf: (max: number) => number;
  readonly #sessions = new Map<string, HttpSession>();

  /** `shareOf(max)`: how many of `max` one principal may hold. */
  constructor(wheel: TimerWheel, limits: SessionLimits, shareOf: (max: number) => number) {
    this.#wheel = wheel;
    this.#limits = limits;
    this.#shareOf = shareOf;
    wheel.add(this);
  }

  get size(): number {
    return this.#sessions.size;
  }

  add(session: HttpSession): void {
    this.#sessions.set(session.core.id, session);
  }

  /**
   * Makes room for one more session of this principal by ending one that is idle; throws when none is. A principal at
   * its share gives up one of its own; in a full table the principal with most gives one up, so that one with few does
   * not lose them to one who opens many.
   */
  makeRoom(principal: string): void {
    const { maxSessions } = this.#limits;
    const share = this.#shareOf(maxSessions);
    const full = this.#sessions.size >= maxSessions;
    // A single principal may hold all of them: nothing is counted until the table is full.
    if (!full && share >= maxSessions) return;
    const held = this.#heldByEach();
    const atShare = (held.get(principal) ?? 0) >= share;
    if (!full && !atShare) return;
    let victim: HttpSession | undefined;
    for (const session of this.#sessions.values()) {
      if (!isIdle(session) || (atShare && principalOf(session) !== principal)) continue;
      const more = victim === undefined ? 1 : count(held, session) - count(held, victim);
      if (victim === undefined || more > 0 || (more === 0 && session.lastActive < victim.lastActive)) victim = session;
    }
    if (!victim) {
      const inUse = full ? `The gateway has ${maxSessions}` : `This grant has ${share}`;
      throw new SwitchboardError('SWB_TOO_MANY_SESSIONS', `${inUse} sessions in use. Try again later.`, {
        retryAfterMs: 5_000,
      });
    }
    this.end(victim);
  }

  #heldByEach(): Map<string, number> {
    const held = new Map<string, number>();
    for (const session of this.#sessions.values()) held.set(principalOf(session), count(held, session) + 1);
    return held;
  }

  /**
   * The session of this id. For any identity but its own, and at any other address than its own, it does not exist: the
   * error does not tell whether the id is in use.
   */
  require(id: string | undefined, identity: Identity, view: View): HttpSession {
    if (id === undefined) {
      throw new SwitchboardError(
        'SWB_SESSION_REQUIRED',
        "The Mcp-Session-Id header is missing: send 'initialize' first, or carry the 2026-07-28 envelope in params._meta.",
      );
    }
    const session = this.#sessions.get(id);
    if (
      !session ||
      !isSameIdentity(session.core.caller.identity, identity) ||
      session.core.view.server !== view.server
    ) {
      throw new SwitchboardError('SWB_SESSION_NOT_FOUND', 'The session is unknown or has ended. Initialize again.');
    }
    session.core.identify(identity);
    session.lastActive = this.#wheel.now;
    return session;
  }

  end(session: HttpSession): void {
    if (!this.#sessions.delete(session.core.id)) return;
    session.core.close();
    session.logs?.close();
  }

  expel(isValid: (identity: Identity) => boolean): void {
    for (const session of [...this.#sessions.values()]) if (!isValid(session.core.caller.identity)) this.end(session);
  }

  endAll(): void {
    for (const session of [...this.#sessions.values()]) this.end(session);
  }

  tick(now: number): void {
    for (const session of this.#sessions.values()) {
      session.logs?.sweep(now, this.#limits.resumeGraceMs);
      if (!isIdle(session)) session.lastActive = now;
      else if (now - session.lastActive > this.#limits.sessionIdleMs) this.end(session);
    }
  }
}
