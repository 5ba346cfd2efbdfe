/**
 * The audit record of a concluded request. It holds no values of arguments or results.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import type { ConcludedEvent } from '../events.ts';
import type { AuditHasher } from './hash.ts';
import type { AuditRecord } from './record.ts';

/** `at`: when the request was over, in milliseconds since the epoch. */
export function recordOf(event: ConcludedEvent, hasher: AuditHasher, at: number): AuditRecord {
  const { caller } = event;
  const { argKeys, argHash } = hasher.arguments(event.arguments);
  return {
    time: timeOf(at),
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

const SECOND = 1_000;
let lastSecond = Number.NaN;
/** ISO 8601 up to the point before the milliseconds. */
let upToSecond = '';

/** ISO 8601. Formatted once a second but for the milliseconds: formatting costs as much as hashing. */
function timeOf(ms: number): string {
  const second = Math.floor(ms / SECOND);
  if (second !== lastSecond) {
    lastSecond = second;
    upToSecond = new Date(second * SECOND).toISOString().slice(0, -'000Z'.length);
  }
  return `${upToSecond}${String(ms - second * SECOND).padStart(3, '0')}Z`;
}

const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000;
