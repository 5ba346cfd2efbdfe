/**
 * The audit record of a concluded request. It holds no values of arguments or results.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import type { ConcludedEvent } from '../events.ts';
import type { AuditHasher } from './hash.ts';
import type { AuditRecord } from './record.ts';

export function recordOf(event: ConcludedEvent, hasher: AuditHasher): AuditRecord {
  const { caller } = event;
  const { argKeys, argHash } = hasher.arguments(event.arguments);
  return {
    time: timeNow(),
    requestId: event.requestId,
    principal: event.principal,
    grant: event.grant,
    lent: lentOf(caller),
    session: caller.sessionId === undefined ? undefined : hasher.session(caller.sessionId),
    server: event.server,
    kind: event.section,
    name: event.name,
    method: event.method,
    era: caller.era,
    verdict: event.verdict,
    policy: event.policy,
    rule: event.rule,
    queueMs: rounded(event.queueMs),
    durationMs: rounded(event.durationMs),
    outcome: event.outcome,
    errorCode: event.errorCode,
    argKeys,
    argHash,
    shadow: event.shadow,
  };
}

const lentOf = ({ identity: { lent } }: Caller): AuditRecord['lent'] => lent && { key: lent.id, to: lent.to };

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
