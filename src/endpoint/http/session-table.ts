/**
 * The legacy sessions of the Streamable HTTP endpoint: found by id, bounded in number, ended when idle.
 * @module
 */
import type { View } from '../../federation/types.ts';
import { SwitchboardError } from '../../wire/errors.ts';
import type { LegacySession } from '../legacy/session.ts';
import type { StreamLogs } from './stream-logs.ts';
import type { Ticker, Ticking } from './ticker.ts';

export interface HttpSession {
  readonly core: LegacySession;
  /** Made when the first stream opens: an idle session holds next to nothing. */
  logs: StreamLogs | undefined;
  /** On the ticker's clock. */
  lastActive: number;
}

export interface SessionLimits {
  maxSessions: number;
  sessionIdleMs: number;
  resumeGraceMs: number;
}

/** Idle: no stream is open and nothing is in flight. */
const isIdle = (session: HttpSession): boolean => !session.core.busy && !session.logs?.attached;

export class SessionTable implements Ticking {
  readonly #ticker: Ticker;
  readonly #limits: SessionLimits;
  readonly #sessions = new Map<string, HttpSession>();

  constructor(ticker: Ticker, limits: SessionLimits) {
    this.#ticker = ticker;
    this.#limits = limits;
    ticker.add(this);
  }

  get size(): number {
    return this.#sessions.size;
  }

  add(session: HttpSession): void {
    this.#sessions.set(session.core.id, session);
  }

  /** Makes room for one more by ending the session that has been idle longest; throws when none is idle. */
  makeRoom(): void {
    if (this.#sessions.size < this.#limits.maxSessions) return;
    let longest: HttpSession | undefined;
    for (const session of this.#sessions.values()) {
      if (isIdle(session) && (longest === undefined || session.lastActive < longest.lastActive)) longest = session;
    }
    if (longest) {
      this.end(longest);
      return;
    }
    throw new SwitchboardError(
      'SWB_TOO_MANY_SESSIONS',
      `The gateway has ${this.#limits.maxSessions} sessions in use. Try again later.`,
      { retryAfterMs: 5_000 },
    );
  }

  /**
   * The session of this id. To anybody but its owner, and on any other path than its own, it does not exist: whether an
   * id is in use is not told.
   */
  require(id: string | undefined, principal: string, view: View): HttpSession {
    if (id === undefined) {
      throw new SwitchboardError(
        'SWB_SESSION_REQUIRED',
        "The Mcp-Session-Id header is missing: send 'initialize' first, or carry the 2026-07-28 envelope in params._meta.",
      );
    }
    const session = this.#sessions.get(id);
    if (!session || session.core.caller.principal !== principal || session.core.view.server !== view.server) {
      throw new SwitchboardError('SWB_SESSION_NOT_FOUND', 'The session is unknown or has ended. Initialize again.');
    }
    session.lastActive = this.#ticker.now;
    return session;
  }

  end(session: HttpSession): void {
    if (!this.#sessions.delete(session.core.id)) return;
    session.core.close();
    session.logs?.close();
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
