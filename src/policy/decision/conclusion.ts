/**
 * How a decided request ended, as the event `concluded`, which the audit is written from.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { errorCodeOf, SwitchboardError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import type { AuditOutcome, AuditVerdict } from '../../observe/audit/record.ts';
import type { ConcludedEvent } from '../../observe/events.ts';
import type { JsonObject, RequestId } from '../../wire/jsonrpc.ts';
import { outlineOfResult } from '../../wire/raw-result.ts';
import { Denied } from '../denied.ts';
import type { ApprovalNeed, Denial, Subject } from '../types.ts';

/** How a call ended. `asked`: its modern client was answered `input_required` and comes back with another request. */
export type CallOutcome = { kind: 'ok' } | { kind: 'asked' } | { kind: 'error'; error: unknown };

/** The members of a decision that its event is made of. */
export interface ConcludedDecision {
  readonly trace: { readonly call: number } | undefined;
  readonly caller: Caller;
  readonly subject: Subject;
  readonly method: string;
  readonly requestId: RequestId | undefined;
  readonly given: JsonObject | undefined;
  readonly startedAt: number;
  readonly requestedApproval: ApprovalNeed | undefined;
  readonly shadow: readonly Denial[];
  readonly queueMs: number;
  readonly toolFailed: boolean;
}

export function concludedEvent(instance: string, decision: ConcludedDecision, outcome: CallOutcome): ConcludedEvent {
  const { caller, subject, shadow } = decision;
  const denial = outcome.kind === 'error' && outcome.error instanceof Denied ? outcome.error.denial : undefined;
  const decisive = denial ?? decision.requestedApproval;
  return {
    instance,
    call: decision.trace?.call,
    requestId: decision.requestId,
    caller,
    principal: caller.principal,
    grant: caller.identity.grant,
    server: subject.server,
    section: subject.section,
    name: subject.name,
    namespaced: subject.namespaced,
    method: decision.method,
    arguments: decision.given,
    verdict: verdictOf(decision, denial),
    policy: decisive?.policy,
    rule: decisive?.rule,
    queueMs: decision.queueMs,
    durationMs: performance.now() - decision.startedAt,
    outcome: outcomeOf(decision, outcome, denial),
    errorCode: outcome.kind === 'error' ? errorCodeOf(outcome.error) : undefined,
    shadow: shadow.length === 0 ? undefined : shadowRules(shadow),
  };
}

/** Each rule once: documents judge again when a hook has changed the arguments. */
const shadowRules = (shadow: readonly Denial[]): string[] => [
  ...new Set(shadow.map(({ policy, rule }) => `${policy}#${rule}`)),
];

function verdictOf({ requestedApproval, shadow }: ConcludedDecision, denial: Denial | undefined): AuditVerdict {
  if (denial) return denial.code === 'SWB_APPROVAL_PENDING' ? 'approve' : 'deny';
  if (requestedApproval) return 'approve';
  return shadow.length > 0 ? 'shadow' : 'allow';
}

function outcomeOf({ toolFailed }: ConcludedDecision, outcome: CallOutcome, denial: Denial | undefined): AuditOutcome {
  if (outcome.kind === 'ok') return toolFailed ? 'tool-error' : 'ok';
  if (outcome.kind === 'asked') return 'pending';
  if (denial) return denial.code === 'SWB_APPROVAL_PENDING' ? 'pending' : 'denied';
  if (!(outcome.error instanceof SwitchboardError)) return 'error';
  const { code } = outcome.error;
  if (code === 'SWB_CANCELLED') return 'cancelled';
  return code === 'SWB_CALL_TIMEOUT' || code === 'SWB_QUEUE_TIMEOUT' ? 'timeout' : 'error';
}

/** Whether the result of a tool is an error of the tool's own (`isError`). */
export function isToolError(reply: Reply): boolean {
  if ('value' in reply) return reply.value.isError === true;
  if ('inputRequired' in reply) return false;
  return (reply.members ?? outlineOfResult(reply.raw)).isError;
}
