/**
 * The audit record of a concluded request: who asked for what, how policy decided and how the call ended. It holds no
 * values of arguments or results.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError, UpstreamError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import type { AuditHasher } from '../../observe/audit/hash.ts';
import type { AuditOutcome, AuditRecord, AuditVerdict } from '../../observe/audit/record.ts';
import type { JsonObject, RequestId } from '../../wire/jsonrpc.ts';
import { outlineOfResult } from '../../wire/raw-result.ts';
import { Denied } from '../denied.ts';
import type { ApprovalNeed, Denial, Subject } from '../types.ts';

/** How a call ended. `asked`: its modern client was answered `input_required` and comes back with another request. */
export type CallOutcome = { kind: 'ok' } | { kind: 'asked' } | { kind: 'error'; error: unknown };

/** The members of a decision that the audit reads. */
export interface AuditedDecision {
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

export function auditRecord(hasher: AuditHasher, decision: AuditedDecision, outcome: CallOutcome): AuditRecord {
  const { caller, subject, given, shadow } = decision;
  const { argKeys, argHash } = hasher.arguments(given);
  const denial = outcome.kind === 'error' && outcome.error instanceof Denied ? outcome.error.denial : undefined;
  const decisive = denial ?? decision.requestedApproval;
  return {
    time: timeNow(),
    requestId: decision.requestId,
    principal: caller.principal,
    grant: caller.identity.grant,
    session: caller.sessionId === undefined ? undefined : hasher.session(caller.sessionId),
    server: subject.server,
    kind: subject.section,
    name: subject.name,
    method: decision.method,
    era: caller.era,
    verdict: verdictOf(decision, denial),
    policy: decisive?.policy,
    rule: decisive?.rule,
    queueMs: rounded(decision.queueMs),
    durationMs: rounded(performance.now() - decision.startedAt),
    outcome: outcomeOf(decision, outcome, denial),
    errorCode: outcome.kind === 'error' ? codeOf(outcome.error) : undefined,
    argKeys,
    argHash,
    shadow: shadow.length === 0 ? undefined : shadowRules(shadow),
  };
}

/** Each rule once: documents judge again when a hook has changed the arguments. */
const shadowRules = (shadow: readonly Denial[]): string[] => [
  ...new Set(shadow.map(({ policy, rule }) => `${policy}#${rule}`)),
];

function verdictOf({ requestedApproval, shadow }: AuditedDecision, denial: Denial | undefined): AuditVerdict {
  if (denial) return denial.code === 'SWB_APPROVAL_PENDING' ? 'approve' : 'deny';
  if (requestedApproval) return 'approve';
  return shadow.length > 0 ? 'shadow' : 'allow';
}

function outcomeOf({ toolFailed }: AuditedDecision, outcome: CallOutcome, denial: Denial | undefined): AuditOutcome {
  if (outcome.kind === 'ok') return toolFailed ? 'tool-error' : 'ok';
  if (outcome.kind === 'asked') return 'pending';
  if (denial) return denial.code === 'SWB_APPROVAL_PENDING' ? 'pending' : 'denied';
  if (!(outcome.error instanceof SwitchboardError)) return 'error';
  const { code } = outcome.error;
  if (code === 'SWB_CANCELLED') return 'cancelled';
  return code === 'SWB_CALL_TIMEOUT' || code === 'SWB_QUEUE_TIMEOUT' ? 'timeout' : 'error';
}

function codeOf(error: unknown): string | number {
  if (error instanceof SwitchboardError) return error.code;
  return error instanceof UpstreamError ? error.rpcCode : 'SWB_INTERNAL';
}

let lastMs = 0;
let lastTime = '';

/** The time of day, formatted once per millisecond: many calls end within one, and formatting takes half a microsecond. */
function timeNow(): string {
  const now = Date.now();
  if (now !== lastMs) {
    lastMs = now;
    lastTime = new Date(now).toISOString();
  }
  return lastTime;
}

const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000;

/** Whether the result of a tool is an error of the tool's own (`isError`). */
export function isToolError(reply: Reply): boolean {
  if ('value' in reply) return reply.value.isError === true;
  if ('inputRequired' in reply) return false;
  return (reply.members ?? outlineOfResult(reply.raw)).isError;
}
