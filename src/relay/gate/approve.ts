/**
 * Waits for a person's approval of a call. A client that can be asked is asked as by a server (legacy on the stream of
 * its call, modern by `input_required`). For other clients the call is denied with the id of an approval; once an
 * operator has given it, the same call goes through, once.
 *
 * Nothing is sent and no place in a queue is held meanwhile.
 * @module
 */
import { readApprovalAnswer } from '../../policy/approvals/form.ts';
import type { PolicyDecision } from '../../policy/decision/policy-decision.ts';
import { Denied } from '../../policy/denied.ts';
import type { ApprovalNeed } from '../../policy/types.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { declares } from '../asks/capabilities.ts';
import type { RelayCall } from '../call.ts';

/** Resolves when the call may go on; rejects with {@link Denied} when it may not, or not yet. */
export async function approve(call: RelayCall, decision: PolicyDecision): Promise<void> {
  const { need } = decision;
  if (!need) return;
  // Once for a call, however many rounds it takes upstream.
  decision.need = undefined;
  decision.requestedApproval = need;
  const ask = { method: 'elicitation/create', params: decision.approvalForm(need) } as const;
  if (need.approver === 'client' && call.canAsk(ask.method) && declares(call.caller.capabilities, ask)) {
    const approved = await askClient(call, need, ask.params);
    // New rules may deny the call.
    if (!decision.isCurrent) throw denied(need, 'The policy was changed meanwhile: make the call again.');
    if (approved) return;
  }
  await decision.claim(need);
}

/** True when a person approved; false when the request did not reach one, though the client had declared elicitation. */
async function askClient(call: RelayCall, need: ApprovalNeed, params: JsonObject): Promise<boolean> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), need.timeoutMs);
  let result: JsonObject;
  try {
    result = await call.ask({ method: 'elicitation/create', params, signal: timeout.signal });
  } catch (error) {
    if (call.aborted) throw error;
    if (timeout.signal.aborted) throw denied(need, 'Nobody approved it in time.');
    return false;
  } finally {
    clearTimeout(timer);
  }
  const answer = readApprovalAnswer(result);
  if (answer.effect !== 'approve') {
    throw denied(need, answer.reason ? `It was refused: ${answer.reason}` : 'It was refused.');
  }
  return true;
}

const denied = ({ policy, rule, reason }: ApprovalNeed, why: string): Denied =>
  new Denied({
    code: 'SWB_APPROVAL_DENIED',
    policy,
    rule,
    reason: `This call needs the approval of a person (${reason}). ${why}`,
    hidden: false,
  });
