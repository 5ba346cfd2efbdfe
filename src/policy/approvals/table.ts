/**
 * The approvals of this process and their bounds. A flood by one principal takes only from those who have more than it
 * has: whoever has few keeps them.
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

  /** The one that answers a call, if any does. */
  find(fingerprint: string): StoredApproval | undefined {
    const live = this.all().filter((kept) => kept.fingerprint === fingerprint && isLive(kept));
    for (const state of PRECEDENCE) {
      const kept = live.find(({ approval }) => approval.state === state);
      if (kept) return kept;
    }
    return undefined;
  }

  /** Makes room and adds. Gives the ids of those that had to go; throws `SWB_RATE_LIMITED` when none may. */
  add(kept: StoredApproval): string[] {
    const gone: string[] = [];
    for (
      let victim = this.#inTheWay(kept.approval.principal);
      victim;
      victim = this.#inTheWay(kept.approval.principal)
    ) {
      this.#byId.delete(victim.approval.id);
      gone.push(victim.approval.id);
    }
    this.put(kept);
    return gone;
  }

  /** Replaces one in its place, or adds what was kept elsewhere. */
  put(kept: StoredApproval): void {
    this.#byId.set(kept.approval.id, kept);
  }

  /** Ends what has run out, and forgets what ended long ago. Gives those that have expired now. */
  sweep(now: number): StoredApproval[] {
    const expired: StoredApproval[] = [];
    for (const kept of this.#byId.values()) {
      const { approval, endedAt } = kept;
      if (isLive(kept) && approval.expiresAt <= now) {
        const ended: StoredApproval = { ...kept, endedAt: now, approval: { ...approval, state: 'expired' } };
        this.put(ended);
        expired.push(ended);
      } else if (endedAt !== undefined && endedAt + this.#limits.keepEndedMs <= now) {
        this.#byId.delete(approval.id);
      }
    }
    return expired;
  }

  /** Whose place a new one of this principal takes; undefined when there is room. */
  #inTheWay(principal: string): StoredApproval | undefined {
    const own = this.#of(principal);
    if (own.length >= this.#limits.perPrincipal) return leastMissed(own);
    if (!this.isFull) return undefined;
    const most = this.#most();
    if (most.length > own.length + 1) return leastMissed(most);
    if (own.length > 0) return leastMissed(own);
    throw new SwitchboardError('SWB_RATE_LIMITED', 'Too many calls wait for approval. Try again later.', {
      retryAfterMs: 60_000,
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

/** What has ended, then the oldest that nobody has decided, then the oldest. A person's decision outlives a flood. */
function leastMissed(own: readonly StoredApproval[]): StoredApproval | undefined {
  return own.find((kept) => !isLive(kept)) ?? own.find(({ approval }) => approval.state === 'pending') ?? own[0];
}
