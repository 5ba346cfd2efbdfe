/**
 * A concluded request as a line of the audit: who, what, how it was decided and how it ended. No values.
 * @module
 */

import { SwitchboardError, UpstreamError } from '../../core/errors.ts';
import type { AuditHasher } from '../../observe/audit/hash.ts';
import type { AuditOutcome, AuditRecord, AuditVerdict } from '../../observe/audit/record.ts';
import { Denied } from '../../policy/denied.ts';
import type { Denial } from '../../policy/types.ts';
import type { Outcome, PolicyDecision } from './admission.ts';

export function auditRecord(hasher: AuditHasher, admission: PolicyDecision, outcome: Outcome): AuditRecord {
  const { caller, subject, given, shadow } = admission;
  const { argKeys, argHash } = hasher.arguments(given);
  const denial = outcome.kind === 'error' && outcome.error instanceof Denied ? outcome.error.denial : undefined;
  const decided = denial ?? admission.asked;
  return {
    time: timeNow(),
    requestId: admission.requestId,
    principal: caller.principal,
    grant: caller.identity.grant,
    session: caller.sessionId === undefined ? undefined : hasher.session(caller.sessionId),
    server: subject.server,
    kind: subject.section,
    name: subject.name,
    method: admission.method,
    era: caller.era,
    verdict: verdictOf(admission, denial),
    policy: decided?.policy,
    rule: decided?.rule,
    queueMs: rounded(admission.queueMs),
    durationMs: rounded(performance.now() - admission.startedAt),
    outcome: outcomeOf(admission, outcome, denial),
    errorCode: outcome.kind === 'error' ? codeOf(outcome.error) : undefined,
    argKeys,
    argHash,
    shadow: shadow.length === 0 ? undefined : shadowed(shadow),
  };
}

/** Each once: documents are asked again about arguments that a hook has changed. */
const shadowed = (shadow: readonly Denial[]): string[] => [
  ...new Set(shadow.map(({ policy, rule }) => `${policy}#${rule}`)),
];

function verdictOf({ asked, shadow }: PolicyDecision, denial: Denial | undefined): AuditVerdict {
  if (denial) return denial.code === 'SWB_APPROVAL_PENDING' ? 'approve' : 'deny';
  if (asked) return 'approve';
  return shadow.length > 0 ? 'shadow' : 'allow';
}

function outcomeOf({ toolFailed }: PolicyDecision, outcome: Outcome, denial: Denial | undefined): AuditOutcome {
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

/** Many calls end within one millisecond, and writing a date out takes half a microsecond. */
function timeNow(): string {
  const now = Date.now();
  if (now !== lastMs) {
    lastMs = now;
    lastTime = new Date(now).toISOString();
  }
  return lastTime;
}

const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000;
