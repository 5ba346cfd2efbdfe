/**
 * The denial of a call that has no approval: pending, or refused by a person.
 * @module
 */
import type { ApprovalNeed, Denial } from '../types.ts';
import type { Claim } from './types.ts';

export function claimDenial(claim: Exclude<Claim, { status: 'approved' }>, need: ApprovalNeed): Denial {
  const { policy, rule } = need;
  const { id, expiresAt } = claim.approval;
  if (claim.status === 'denied') {
    const note = claim.note ? `: ${claim.note}` : '.';
    return {
      code: 'SWB_APPROVAL_DENIED',
      policy,
      rule,
      reason: `This call was refused by ${claim.by}${note}`,
      hidden: false,
      data: { approvalId: id },
    };
  }
  return {
    code: 'SWB_APPROVAL_PENDING',
    policy,
    rule,
    reason:
      `This call needs the approval of a person: ${need.reason} It waits as ${id} until ` +
      `${new Date(expiresAt).toISOString()}; once it is approved, make the same call again.`,
    hidden: false,
    data: { approvalId: id, expiresAt },
  };
}
