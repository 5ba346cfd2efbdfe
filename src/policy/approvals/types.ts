/**
 * Approvals: a person's permission for one call, given outside that call.
 * @module
 */
import type { PolicySection } from '../language/types.ts';
import type { ApprovalNeed, Subject } from '../types.ts';

/** `pending` → `approved`, `denied` or `expired`; `approved` → `spent` or `expired`; `denied` → `expired`. */
export const APPROVAL_STATES = ['pending', 'approved', 'denied', 'expired', 'spent'] as const;

export type ApprovalState = (typeof APPROVAL_STATES)[number];

/** As people see it. Texts of others are on one line, without control characters, and bounded. */
export interface Approval {
  /** `apr_` and 128 random bits. */
  readonly id: string;
  readonly state: ApprovalState;
  /** The caller: `local`, or the name of a grant. */
  readonly principal: string;
  readonly server: string;
  readonly section: PolicySection;
  /** The server's own name for it. */
  readonly name: string;
  /** The document that wants a person to decide, its rule, and why. */
  readonly policy: string;
  readonly rule: string;
  readonly reason: string;
  /** Redacted, as JSON text; shortened where it was too long. */
  readonly arguments: string;
  readonly argumentsShortened: boolean;
  /** Milliseconds since the epoch, like all times here. */
  readonly createdAt: number;
  /** Until when it can be decided; once decided, until when the decision holds. */
  readonly expiresAt: number;
  readonly decidedAt: number | undefined;
  readonly by: string | undefined;
  readonly note: string | undefined;
}

/** A call that needs an approval. Everything but `need` and `shown` is what the approval is bound to. */
export interface ApprovalRequest {
  readonly principal: string;
  readonly subject: Pick<Subject, 'server' | 'section' | 'name' | 'builtin'>;
  /** As the client sent them. They are not kept. */
  readonly arguments: unknown;
  /** Changes when the rules change: an approval under other rules is none. */
  readonly policyVersion: string;
  readonly need: ApprovalNeed;
  /** The arguments as people may see them. */
  readonly shown: unknown;
}

export type Claim =
  | {
      status: 'approved';
      approval: Approval;
      /**
       * Resolves when the state holds that the approval is spent: from then on not even a crash lets it be used again.
       * Rejects with `SWB_STATE` when that cannot be written, and with `SWB_APPROVAL_DECIDED` when another gateway on
       * the same state has used it first. The call may leave only after it has resolved.
       */
      durable: Promise<void>;
      /** The call never left: the approval can be used again, as long as it holds. Once; later calls do nothing. */
      release(): void;
    }
  | { status: 'denied'; approval: Approval; by: string; note: string | undefined }
  | { status: 'pending'; approval: Approval };

export interface Decision {
  effect: 'approve' | 'deny';
  by: string;
  note?: string | undefined;
}

export interface Approvals {
  /**
   * Spends the approval of this call if there is one. A denial holds until it expires. Otherwise the call becomes
   * pending, once however often it is claimed. Throws `SWB_RATE_LIMITED` when as many calls of the principal wait as may.
   */
  claim(request: ApprovalRequest): Claim;
  /** Oldest first. */
  list(): Approval[];
  get(id: string): Approval | undefined;
  /**
   * Resolves when the decision is durable. Rejects with `SWB_UNKNOWN_APPROVAL`, `SWB_APPROVAL_DECIDED`,
   * `SWB_APPROVAL_EXPIRED`, and with `SWB_STATE` when it cannot be written (then nothing was decided).
   */
  decide(id: string, decision: Decision): Promise<Approval>;
  /** Reads what other gateways on the same state have added and decided. A message on the bus does the same. */
  refresh(): Promise<void>;
  /** Called with every approval that is new or whose state has changed. Returns a function that removes the listener. */
  onChange(listener: (approval: Approval) => void): () => void;
  /** Writes what is still to be written. */
  close(): Promise<void>;
}

export interface ApprovalLimits {
  /** Calls of one principal that wait at a time. More are refused. */
  pendingPerPrincipal: number;
  /** Of one principal, with those that are decided and not used yet. Ended ones, which count too, make room. */
  perPrincipal: number;
  total: number;
  /** Of redacted arguments. */
  argumentBytes: number;
  /** Milliseconds for which those that have ended are still listed. */
  keepEndedMs: number;
}

export const APPROVAL_LIMITS: ApprovalLimits = {
  pendingPerPrincipal: 32,
  perPrincipal: 64,
  total: 512,
  argumentBytes: 16 * 1024,
  keepEndedMs: 60 * 60_000,
};
