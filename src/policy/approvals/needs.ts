/**
 * Several that want a person to agree to one call.
 * @module
 */
import type { ApprovalNeed } from '../types.ts';

/** One person decides once, for both: told both reasons, whoever may decide for both, in the shorter time. */
export function bothNeeds(first: ApprovalNeed | undefined, second: ApprovalNeed): ApprovalNeed {
  if (!first) return second;
  return {
    ...first,
    reason: `${first.reason} ${second.reason}`,
    timeoutMs: Math.min(first.timeoutMs, second.timeoutMs),
    approver: first.approver === 'operator' ? 'operator' : second.approver,
  };
}
