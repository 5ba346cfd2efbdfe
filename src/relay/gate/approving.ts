/**
 * A call waits for a person. Who can be asked at the client is asked there, as a server would ask (a legacy client on
 * the stream of its call, a modern one by `input_required`); for everybody else the call is denied for now with the id of
 * an approval, and the same call goes through once when somebody has given it.
 *
 * No place in a queue is held meanwhile: nothing has been sent.
 * @module
 */
import { readApprovalAnswer } from '../../policy/approvals/form.ts';
import { Denied } from '../../policy/denied.ts';
import type { ApprovalNeed } from '../../policy/types.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { declares } from '../asks/capabilities.ts';
import type { RelayCall } from '../call.ts';
import type { PolicyDecision } from './admission.ts';

/** Resolves when the call may go on; throws {@link Denied} when it may not, or not yet. */
export async function approve(call: RelayCall, admission: PolicyDecision): Promise<void> {
  const { need } = admission;
  if (!need) return;
  // Once for a call, however many rounds it takes upstream.
  admission.need = undefined;
  admission.asked = need;
  const ask = { method: 'elicitation/create', params: admission.question(need) } as const;
  if (need.approver === 'client' && call.canAsk(ask.method) && declares(call.caller.capabilities, ask)) {
    const answered = await askClient(call, need, ask.params);
    // It may be forbidden by now.
    if (!admission.isCurrent) throw denied(need, 'The policy was changed meanwhile: make the call again.');
    if (answered) return;
  }
  await admission.claim(need);
}

/** False when the question did not reach a person, though the client had declared that it would. */
async function askClient(call: RelayCall, need: ApprovalNeed, params: JsonObject): Promise<boolean> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), need.timeoutMs);
  let answer: JsonObject;
  try {
    answer = await call.ask({ method: 'elicitation/create', params, signal: timeout.signal });
  } catch (error) {
    if (call.aborted) throw error;
    if (timeout.signal.aborted) throw denied(need, 'Nobody approved it in time.');
    return false;
  } finally {
    clearTimeout(timer);
  }
  const read = readApprovalAnswer(answer);
  if (read.effect !== 'approve') {
    throw denied(need, read.reason ? `It was refused: ${read.reason}` : 'It was refused.');
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
