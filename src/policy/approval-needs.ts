/**
 * Joins what several rules, or several hooks, want of the person who approves one call.
 * @module
 */
import type { ApprovalNeed } from './types.ts';

/** Of two documents: one person decides once, and that satisfies both. The first gives the reason. */
export function stricterNeed(one: ApprovalNeed | undefined, other: ApprovalNeed): ApprovalNeed {
  if (!one) return other;
  const chosen = one.approver === 'client' && other.approver === 'operator' ? other : one;
  return { ...chosen, timeoutMs: Math.min(one.timeoutMs, other.timeoutMs) };
}

/** Of rules and hooks: one person decides once, with both reasons, in the shorter time. */
export function bothNeeds(first: ApprovalNeed | undefined, second: ApprovalNeed): ApprovalNeed {
  if (!first) return second;
  return {
    ...first,
    reason: `${first.reason} ${second.reason}`,
    timeoutMs: Math.min(first.timeoutMs, second.timeoutMs),
    approver: first.approver === 'operator' ? 'operator' : second.approver,
  };
}
