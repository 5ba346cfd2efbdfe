/**
 * The approvals of this process and their bounds. A principal has so many pending ones at most; in a full table a new one
 * takes the place of one of a principal that has more.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { isLive, type StoredApproval } from './stored-approvals.ts';
import type { ApprovalLimits } from './types.ts';

/** Deny wins; a given approval is used before another one is waited for. */
const PRECEDENCE = ['denied', 'approved', 'pending'] as const;

export class ApprovalTable {
  readonly #limits: ApprovalLimits;
  /** Oldest first. */
  readonly #byId = new Map<string, StoredApproval>();

  constructor(limits: ApprovalLimits) {
    this.#limits = limits;
  }

  get isFull(): boolean {
    return this.#byId.size >= this.#limits.total;
  }

  all(): StoredApproval[] {
    return [...this.#byId.values()];
  }

  get(id: string): StoredApproval | undefined {
    return this.#byId.get(id);
  }

  /** The live approval of a call, if there is one. */
  find(fingerprint: string): StoredApproval | undefined {
    const live = this.all().filter((stored) => stored.fingerprint === fingerprint && isLive(stored));
    for (const state of PRECEDENCE) {
      const stored = live.find(({ approval }) => approval.state === state);
      if (stored) return stored;
    }
    return undefined;
  }

  /** Makes room and adds. Returns the ids of those removed; throws `SWB_RATE_LIMITED` when none may be. */
  add(stored: StoredApproval): string[] {
    const gone: string[] = [];
    for (;;) {
      const victim = this.#inTheWay(stored.approval.principal);
      if (!victim) break;
      this.#byId.delete(victim.approval.id);
      gone.push(victim.approval.id);
    }
    this.put(stored);
    return gone;
  }

  /** Replaces an approval in its place, or adds it without looking for room. */
  put(stored: StoredApproval): void {
    this.#byId.set(stored.approval.id, stored);
  }

  /** Ends what has expired, and forgets what ended long ago. Returns those that have expired now. */
  sweep(now: number): StoredApproval[] {
    const expired: StoredApproval[] = [];
    for (const stored of this.#byId.values()) {
      const { approval, endedAt } = stored;
      if (isLive(stored) && approval.expiresAt <= now) {
        const ended: StoredApproval = { ...stored, endedAt: now, approval: { ...approval, state: 'expired' } };
        this.put(ended);
        expired.push(ended);
      } else if (endedAt !== undefined && endedAt + this.#limits.keepEndedMs <= now) {
        this.#byId.delete(approval.id);
      }
    }
    return expired;
  }

  /** The approval that makes room for a new one of this principal; undefined when there is room. */
  #inTheWay(principal: string): StoredApproval | undefined {
    const own = this.#of(principal);
    const pending = own.filter(({ approval }) => approval.state === 'pending');
    if (pending.length >= this.#limits.pendingPerPrincipal)
      throw tooMany(pending, 'calls of this caller wait for approval');
    if (own.length >= this.#limits.perPrincipal) {
      const ended = own.find((stored) => !isLive(stored));
      if (ended) return ended;
      throw tooMany(own, 'calls of this caller wait for approval, or have a decision that was not used yet');
    }
    if (!this.isFull) return undefined;
    const most = this.#most();
    if (most.length > own.length + 1) return leastMissed(most);
    if (own.length > 0) return leastMissed(own);
    throw new SwitchboardError('SWB_RATE_LIMITED', 'Too many callers wait for approvals. Try again later.', {
      retryAfterMs: RETRY_MS,
    });
  }

  #of(principal: string): StoredApproval[] {
    return this.all().filter(({ approval }) => approval.principal === principal);
  }

  #most(): StoredApproval[] {
    const byPrincipal = Map.groupBy(this.#byId.values(), ({ approval }) => approval.principal);
    return [...byPrincipal.values()].reduce((most, each) => (each.length > most.length ? each : most), []);
  }
}

function tooMany(live: readonly StoredApproval[], what: string): SwitchboardError {
  const soonest = Math.min(...live.map(({ approval }) => approval.expiresAt));
  return new SwitchboardError(
    'SWB_RATE_LIMITED',
    `${live.length} ${what}: the most there may be. The first of them expires at ${new Date(soonest).toISOString()}.`,
    { data: { approvals: live.length, expiresAt: soonest }, retryAfterMs: RETRY_MS },
  );
}

/** A person may decide at any time. */
const RETRY_MS = 60_000;

/** One that has ended, else the oldest undecided one, else the oldest: a person's decision outlives a flood. */
function leastMissed(own: readonly StoredApproval[]): StoredApproval | undefined {
  return own.find((stored) => !isLive(stored)) ?? own.find(({ approval }) => approval.state === 'pending') ?? own[0];
}
