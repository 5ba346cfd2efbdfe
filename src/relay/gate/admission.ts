/**
 * One request that was let in, until it is over: its place in the limits, the approval it rests on, what may be seen of
 * its reply, and its line in the audit.
 *
 * Invariants: limits are reserved once for a call, just before the server's queue admits it, and given back when the
 * request never left the gateway; so is a spent approval. A call is concluded exactly once.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { UpstreamError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import type { Plan } from '../../policy/engine/plan.ts';
import type { ApprovalNeed, Denial, LimitUse, Subject } from '../../policy/types.ts';
import type { JsonObject, Notification, RequestId } from '../../wire/jsonrpc.ts';
import { isFailure } from '../asks/undeclared.ts';
import type { OutcomeFilter } from '../tasks/task-owners.ts';
import { InOrder } from './in-order.ts';

/** What a reservation of limits gives. */
export interface Held {
  commit(): void;
  rollback(): void;
}

export interface AdmissionHost {
  /** Throws or rejects with {@link Denied} when a limit is reached. */
  reserve(limits: readonly LimitUse[]): Held | Promise<Held>;
  /** The approval somebody gave for this very call elsewhere, spent; throws {@link Denied} while there is none. */
  claim(admission: PolicyDecision, need: ApprovalNeed): Promise<{ release(): void }>;
  /** Another one for other rules. */
  readonly policyVersion: string;
  /** The params of the question that asks a person at the client. */
  question(admission: PolicyDecision, need: ApprovalNeed): JsonObject;
  /** A reply as hooks and documents let it be seen. */
  screen(admission: PolicyDecision, reply: Reply): Reply | Promise<Reply>;
  /** A notification of the call as hooks let it be seen; undefined: not at all. */
  screenNote(
    admission: PolicyDecision,
    sent: Notification,
  ): Notification | undefined | Promise<Notification | undefined>;
  concluded(admission: PolicyDecision, outcome: Outcome): void;
}

/** `asked`: a modern client was answered with questions of the server's and comes back. */
export type Outcome = { kind: 'ok' } | { kind: 'asked' } | { kind: 'error'; error: unknown };

export class PolicyDecision {
  readonly caller: Caller;
  readonly subject: Subject;
  readonly method: string;
  /** The client's id of the request; undefined for a call inside another one. */
  readonly requestId: RequestId | undefined;
  readonly plan: Plan;
  /** What goes to the server, after hooks and redaction. */
  args: JsonObject | undefined;
  /** As the client sent them: what an approval and the audit are about. */
  readonly given: JsonObject | undefined;
  readonly startedAt = performance.now();
  limits: readonly LimitUse[] = [];
  /** A person has to approve before the request leaves. */
  need: ApprovalNeed | undefined;
  /** The need there was, once it is seen to. */
  asked: ApprovalNeed | undefined;
  /** What documents and hooks in shadow mode would have denied. */
  readonly shadow: Denial[] = [];
  /** Whether results have to be looked at before they are passed on. */
  screensResults = false;
  /** The same for notifications that belong to the call. */
  screensNotes = false;
  queueMs = 0;
  /** The answer is questions: a modern client comes back with another request. */
  asksClient = false;
  /** The tool itself said that it failed. */
  toolFailed = false;
  readonly #host: AdmissionHost;
  /** The rules it was let in by. */
  readonly #policyVersion: string;
  #held: Held | undefined;
  #approval: { release(): void } | undefined;
  #left = false;
  #concluded = false;
  /** Its notifications that hooks look at. */
  #notes: InOrder | undefined;

  constructor(
    host: AdmissionHost,
    of: Pick<PolicyDecision, 'caller' | 'subject' | 'method' | 'requestId' | 'plan' | 'given'>,
  ) {
    this.#host = host;
    this.#policyVersion = host.policyVersion;
    this.caller = of.caller;
    this.subject = of.subject;
    this.method = of.method;
    this.requestId = of.requestId;
    this.plan = of.plan;
    this.given = of.given;
    this.args = of.given;
  }

  /**
   * Just before the server's queue: takes what the call needs of every limit, or throws {@link Denied}. Returns a promise
   * only where it has to wait for another replica, which rejects likewise.
   */
  reserve(): Promise<void> | undefined {
    if (this.#held || this.limits.length === 0) return undefined;
    const reserved = this.#host.reserve(this.limits);
    if (reserved instanceof Promise) return reserved.then((held) => this.#reserved(held));
    this.#held = reserved;
    return undefined;
  }

  /** The client may have gone meanwhile. */
  #reserved(held: Held): void {
    if (this.#concluded) held.rollback();
    else this.#held = held;
  }

  /** The rules that let it in still hold: a person was asked about a call under these, and no others. */
  get isCurrent(): boolean {
    return this.#host.policyVersion === this.#policyVersion;
  }

  /** Params of the question whether this call may go on. */
  question(need: ApprovalNeed): JsonObject {
    return this.#host.question(this, need);
  }

  /** Spends an approval given elsewhere, or throws {@link Denied}. It is given back when the call never leaves. */
  async claim(need: ApprovalNeed): Promise<void> {
    const approval = await this.#host.claim(this, need);
    // The client may have gone while it was written that the approval is spent.
    if (this.#concluded && !this.#left) approval.release();
    else this.#approval = approval;
  }

  /** The reply as it may be seen, once everything said before it has been said. */
  screen(reply: Reply): Reply | Promise<Reply> {
    const screened = this.#host.screen(this, reply);
    const passing = this.#notes?.passing;
    if (!passing) return screened;
    // A hook may refuse it while nobody waits for it yet, which would be a fault of the process.
    if (screened instanceof Promise) screened.catch(() => {});
    return passing.then(() => screened);
  }

  /** For a call that became a task: how its outcome may be seen. Undefined: as it is. */
  outcomeFilter(): OutcomeFilter | undefined {
    if (!this.screensResults) return undefined;
    return async (raw) => {
      const seen = await this.#host.screen(this, { raw });
      if ('raw' in seen && seen.raw) return seen.raw;
      return Buffer.from(JSON.stringify('value' in seen ? seen.value : {}));
    };
  }

  /** Notes whether a tool says that it failed, for the audit. */
  saw(reply: Reply): void {
    this.toolFailed = this.method === 'tools/call' && isFailure(reply);
  }

  /** Passes a notification on as it may be seen, in order. */
  note(sent: Notification, deliver: (sent: Notification) => void): void {
    this.#notes ??= new InOrder();
    this.#notes.pass(this.#host.screenNote(this, sent), deliver);
  }

  /** The request is on its way: what it took is taken. */
  left(): void {
    if (this.#left) return;
    this.#left = true;
    this.#held?.commit();
  }

  /** The request came back with this error. An error of the server's own shows that it was there. */
  failed(error: unknown): void {
    if (error instanceof UpstreamError) this.left();
    if (this.#left) return;
    this.#held?.rollback();
    this.#held = undefined;
  }

  conclude(outcome: Outcome): void {
    if (this.#concluded) return;
    this.#concluded = true;
    if (outcome.kind === 'error') this.failed(outcome.error);
    else this.left();
    if (!this.#left) this.#approval?.release();
    this.#host.concluded(this, outcome);
  }
}
