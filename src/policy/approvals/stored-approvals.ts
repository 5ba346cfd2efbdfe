/**
 * An approval as the state stores it: what people see of it, and the fingerprint of the call it is bound to.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { JsonValue } from '../../state/state.ts';
import { canonicalDigest } from '../../wire/json/digest.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { POLICY_SECTIONS } from '../language/types.ts';
import { oneLine, shownJson } from './shown.ts';
import { APPROVAL_STATES, type Approval, type ApprovalRequest } from './types.ts';

export interface StoredApproval {
  readonly approval: Approval;
  readonly fingerprint: string;
  /** How long it can be decided, and how long a decision holds. */
  readonly timeoutMs: number;
  /** When it was spent or expired. */
  readonly endedAt: number | undefined;
}

const MAX_NAME = 1_024;
const MAX_TEXT = 1_000;
export const MAX_BY = 128;
export const MAX_NOTE = 1_000;

const ID = /^apr_[A-Za-z0-9_-]{22}$/;

/** A call that differs in any of these is another call. */
export function fingerprintOf({ principal, subject, arguments: args, policyVersion }: ApprovalRequest): string {
  const { server, builtin, section, name } = subject;
  return canonicalDigest([principal, builtin, server, section, name, args, policyVersion]);
}

/** Pending from now on. */
export function newApproval(
  request: ApprovalRequest,
  fingerprint: string,
  now: number,
  argumentBytes: number,
): StoredApproval {
  const { principal, subject, need, shown } = request;
  const { text, shortened } = shownJson(shown, argumentBytes);
  return {
    fingerprint,
    timeoutMs: need.timeoutMs,
    endedAt: undefined,
    approval: {
      id: `apr_${randomBytes(16).toString('base64url')}`,
      state: 'pending',
      principal: oneLine(principal, MAX_NAME),
      server: oneLine(subject.server, MAX_NAME),
      section: subject.section,
      name: oneLine(subject.name, MAX_NAME),
      policy: oneLine(need.policy, MAX_NAME),
      rule: oneLine(need.rule, MAX_NAME),
      reason: oneLine(need.reason, MAX_TEXT),
      arguments: text,
      argumentsShortened: shortened,
      createdAt: now,
      expiresAt: now + need.timeoutMs,
      decidedAt: undefined,
      by: undefined,
      note: undefined,
    },
  };
}

/** Not spent and not expired. */
export const isLive = ({ approval: { state } }: StoredApproval): boolean =>
  state === 'pending' || state === 'approved' || state === 'denied';

export const toRecord = ({ approval, fingerprint, timeoutMs }: StoredApproval): JsonValue => {
  const { decidedAt, by, note, ...rest } = approval;
  return {
    ...rest,
    fingerprint,
    timeoutMs,
    ...(decidedAt === undefined ? {} : { decidedAt }),
    ...(by === undefined ? {} : { by }),
    ...(note === undefined ? {} : { note }),
  };
};

const TEXTS = ['principal', 'server', 'name', 'policy', 'rule', 'reason', 'arguments', 'fingerprint'] as const;
const NUMBERS = ['createdAt', 'expiresAt', 'timeoutMs'] as const;

/** Undefined for anything that {@link toRecord} does not write. */
export function fromRecord(id: string, record: unknown): StoredApproval | undefined {
  if (!isObject(record) || record.id !== id || !ID.test(id)) return undefined;
  if (!TEXTS.every((key) => typeof record[key] === 'string')) return undefined;
  if (!NUMBERS.every((key) => Number.isFinite(record[key]))) return undefined;
  const state = APPROVAL_STATES.find((each) => each === record.state);
  const section = POLICY_SECTIONS.find((each) => each === record.section);
  if (state === undefined || section === undefined) return undefined;
  const { fingerprint, timeoutMs, ...approval } = record as unknown as Approval &
    Pick<StoredApproval, 'fingerprint' | 'timeoutMs'>;
  return {
    fingerprint,
    timeoutMs,
    endedAt: undefined,
    approval: {
      ...approval,
      argumentsShortened: approval.argumentsShortened === true,
      decidedAt: approval.decidedAt,
      by: approval.by,
      note: approval.note,
    },
  };
}
