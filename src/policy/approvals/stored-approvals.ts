/**
 * An approval as the state stores it: what people see of it, and the fingerprint of the call it is bound to.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { JsonValue } from '../../state/state.ts';
import { canonicalDigest } from '../../wire/json/digest.ts';
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

/** Members that are undefined have no place in JSON. */
export const toRecord = ({ approval, fingerprint, timeoutMs }: StoredApproval): JsonValue =>
  ({ ...approval, fingerprint, timeoutMs }) as unknown as JsonValue;

const TEXT = z.string();
const RECORD = z.object({
  id: z.string().regex(/^apr_[A-Za-z0-9_-]{22}$/),
  state: z.enum(APPROVAL_STATES),
  section: z.enum(POLICY_SECTIONS),
  principal: TEXT,
  server: TEXT,
  name: TEXT,
  policy: TEXT,
  rule: TEXT,
  reason: TEXT,
  arguments: TEXT,
  argumentsShortened: z.boolean(),
  createdAt: z.number(),
  expiresAt: z.number(),
  decidedAt: z.number().optional(),
  by: TEXT.optional(),
  note: TEXT.optional(),
  fingerprint: TEXT,
  timeoutMs: z.number(),
});

/** Undefined for anything that {@link toRecord} does not write. */
export function fromRecord(id: string, record: unknown): StoredApproval | undefined {
  const { data } = RECORD.safeParse(record);
  if (data?.id !== id) return undefined;
  const { fingerprint, timeoutMs, ...approval } = data;
  const undecided = { decidedAt: undefined, by: undefined, note: undefined };
  return { fingerprint, timeoutMs, endedAt: undefined, approval: { ...undecided, ...approval } };
}
