/**
 * The legacy sessions of the Streamable HTTP endpoint: found by id, bounded in number, ended when idle.
 * @module
 */

import { SwitchboardError } from '../../../core/errors.ts';
import { type Identity, isSameIdentity } from '../../../core/identity.ts';
import type { Shares } from '../../../core/shares.ts';
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
  sessionIdleMs: number;
  resumeGraceMs: number;
}

const principalOf = ({ core }: HttpSession): string => core.caller.principal;

/** Idle: no stream is open and nothing is in flight. */
const isIdle = (session: HttpSession): boolean => !session.core.busy && !session.logs?.attached;

export class SessionTable implements Timed {
  previous: Timed | undefined;
  next: Timed | undefined;
  readonly #wheel: TimerWheel;
  readonly #limits: SessionLimits;
  readonly #shares: Shares;
  readonly #sessions = new Map<string, HttpSession>();

  constructor(wheel: TimerWheel, limits: SessionLimits, shares: Shares) {
    this.#wheel = wheel;
    this.#limits = limits;
    this.#shares = shares;
    wheel.add(this);
  }

  get size(): number {
    return this.#sessions.size;
  }

  add(session: HttpSession): void {
    this.#sessions.set(session.core.id, session);
    this.#shares.take(principalOf(session));
  }

  /**
   * Makes room for one more session of this principal by ending one that is idle: its own, or in a full table one of a
   * principal that has at least two more. Where none is idle a principal with fewer than another is admitted all the
   * same, as {@link Shares} says; otherwise throws.
   */
  makeRoom(principal: string): void {
    const shares = this.#shares;
    const own = shares.heldBy(principal);
    const atShare = own >= shares.perPrincipal;
    if (!shares.isFull && !atShare) return;
    const count = (session: HttpSession): number => shares.heldBy(principalOf(session));
    let victim: HttpSession | undefined;
    for (const session of this.#sessions.values()) {
      if (!isIdle(session)) continue;
      if (principalOf(session) !== principal && (atShare || count(session) < own + 2)) continue;
      const more = victim === undefined ? 1 : count(session) - count(victim);
      if (victim === undefined || more > 0 || (more === 0 && session.lastActive < victim.lastActive)) victim = session;
    }
    if (victim) this.end(victim);
    else if (!shares.admits(principal)) throw shares.refusal('SWB_TOO_MANY_SESSIONS', 'sessions in use', principal);
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
    this.#shares.give(principalOf(session));
    session.core.close();
    session.logs?.close();
  }

  /** Ends the sessions of identities that may not stay, and the streams to those that are not valid now. */
  expel(isValid: (identity: Identity) => boolean, mayStay = isValid): void {
    for (const session of [...this.#sessions.values()]) {
      const { identity } = session.core.caller;
      if (isValid(identity)) continue;
      if (mayStay(identity)) session.logs?.close();
      else this.end(session);
    }
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
