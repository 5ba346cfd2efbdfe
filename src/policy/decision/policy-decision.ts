/**
 * What policy decided about one request that may go on, and what follows from it until the call is over: the limits it
 * reserves, the approval it rests on, the screening of its reply and notifications, its line in the audit.
 *
 * Invariants: limits are reserved once, just before the queue, and given back when the request never left the gateway; so
 * is a claimed approval. A decision is concluded exactly once.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { UpstreamError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import { CHANNELS } from '../../observe/events.ts';
import type { Reservation } from '../../state/state.ts';
import type { JsonObject, Notification, RequestId } from '../../wire/jsonrpc.ts';
import { Denied } from '../denied.ts';
import type { Plan } from '../engine/plan.ts';
import type { Policy } from '../policy.ts';
import type { ApprovalNeed, Denial, LimitUse, Subject } from '../types.ts';
import { type CallOutcome, concludedEvent, isToolError } from './conclusion.ts';
import { decide, type PolicyRequest } from './decide.ts';
import { NotificationOrder } from './notification-order.ts';
import { screenNotification, screenReply } from './screening.ts';

/** Screens the outcome of a task, the bytes of a result, for its creator. */
export type OutcomeFilter = (result: Buffer) => Buffer | Promise<Buffer>;

/** The request that is decided about. */
export interface RequestFacts {
  caller: Caller;
  subject: Subject;
  method: string;
  /** The client's id of the request; undefined for a subcall and a notification. */
  requestId: RequestId | undefined;
  /** Numbers the request's events. */
  trace?: { readonly call: number } | undefined;
  /** The arguments as the client sent them. */
  given: JsonObject | undefined;
}

export class PolicyDecision implements PolicyRequest {
  readonly caller: Caller;
  readonly subject: Subject;
  readonly method: string;
  readonly requestId: RequestId | undefined;
  readonly trace: { readonly call: number } | undefined;
  readonly plan: Plan;
  /** The arguments as the client sent them, which the audit is about. */
  readonly given: JsonObject | undefined;
  /** The same with numbers that no double holds as they are spelled, which documents judge and an approval is about. */
  exact: JsonObject | undefined;
  /** The arguments for the server, after hooks and redaction. */
  args: JsonObject | undefined;
  readonly startedAt = performance.now();
  limits: readonly LimitUse[] = [];
  /** The approval that is still missing. */
  need: ApprovalNeed | undefined;
  /** The approval that was needed, once the gateway has asked for it. */
  requestedApproval: ApprovalNeed | undefined;
  readonly shadow: Denial[] = [];
  /** Whether hooks see the notifications of the call. */
  readonly screensNotifications: boolean;
  queueMs = 0;
  /** The client was answered `input_required` and comes back with another request. */
  asksClient = false;
  /** The tool's result is an error of its own. */
  toolFailed = false;
  readonly #policy: Policy;
  /** The version of the rules that the decision was made by. */
  readonly #version: string;
  readonly #screensResults: boolean;
  #reservation: Reservation | undefined;
  #approval: { release(): void } | undefined;
  #left = false;
  #concluded = false;
  #notifications: NotificationOrder | undefined;

  constructor(policy: Policy, { caller, subject, method, requestId, trace, given }: RequestFacts) {
    const plan = policy.planFor(caller.identity.grant, subject);
    this.#policy = policy;
    this.#version = policy.version;
    this.caller = caller;
    this.subject = subject;
    this.method = method;
    this.requestId = requestId;
    this.trace = trace;
    this.plan = plan;
    this.given = given;
    this.exact = given;
    this.args = given;
    this.#screensResults = plan.redactsResult || policy.hooks.has('call.after', subject.server);
    this.screensNotifications = policy.hooks.has('notify', subject.server);
  }

  /** Runs the decision. Throws, or rejects with, the {@link Denied} that the audit then has. Undefined: no hook needed time. */
  decide(): Promise<void> | undefined {
    try {
      const deciding = decide(this.#policy, this);
      if (!deciding) this.#publishDecision(undefined);
      return deciding?.then(
        () => this.#publishDecision(undefined),
        (error: unknown) => this.#denied(error),
      );
    } catch (error) {
      return this.#denied(error);
    }
  }

  /** Hooks or redaction have changed the arguments: those that were sent must not be passed on. */
  get changesArguments(): boolean {
    return this.args !== this.given;
  }

  /**
   * Takes what the call needs of every limit, or throws {@link Denied}. Returns a promise only where the state has to ask
   * another replica; it rejects likewise.
   */
  reserve(): Promise<void> | undefined {
    if (this.#reservation || this.limits.length === 0) return undefined;
    const reserved = this.#policy.reserve(this.limits);
    if (reserved instanceof Promise) return reserved.then((reservation) => this.#reserved(reservation));
    this.#reservation = reserved;
    return undefined;
  }

  /** The client may have left meanwhile. */
  #reserved(reservation: Reservation): void {
    if (this.#concluded) reservation.rollback();
    else this.#reservation = reservation;
  }

  /** Whether the rules are still those of the decision. */
  get isCurrent(): boolean {
    return this.#policy.version === this.#version;
  }

  /** Params of the elicitation that asks a person at the client for the approval. */
  approvalForm(need: ApprovalNeed): JsonObject {
    return this.#policy.question(need, this.subject, this.plan, this.exact);
  }

  /** Claims an approval given elsewhere, or throws {@link Denied} while there is none. */
  async claim(need: ApprovalNeed): Promise<void> {
    const { caller, subject, plan, exact } = this;
    const approval = await this.#policy.claim(caller.principal, subject, plan, exact, need);
    // The client may have left while the claim was written.
    if (this.#concluded && !this.#left) approval.release();
    else this.#approval = approval;
  }

  /** The reply as the caller may see it, after all notifications that came before it. */
  screen(reply: Reply): Reply | Promise<Reply> {
    if (CHANNELS.concluded.hasSubscribers) this.toolFailed = this.method === 'tools/call' && isToolError(reply);
    const screened = this.#screensResults ? screenReply(this.#policy.hooks, this, reply) : reply;
    const pending = this.#notifications?.pending;
    if (!pending) return screened;
    // A hook may reject before anything awaits `screened`, which would be an unhandled rejection.
    if (screened instanceof Promise) screened.catch(() => {});
    return pending.then(() => screened);
  }

  /** For a call that became a task: screens its outcome. Undefined: nothing needs screening. */
  outcomeFilter(): OutcomeFilter | undefined {
    if (!this.#screensResults) return undefined;
    return async (raw) => {
      const screened = await screenReply(this.#policy.hooks, this, { raw });
      if ('raw' in screened && screened.raw) return screened.raw;
      return Buffer.from(JSON.stringify('value' in screened ? screened.value : {}));
    };
  }

  /** Delivers a notification of the call as the caller may see it, in order. */
  notify(sent: Notification, deliver: (sent: Notification) => void): void {
    this.#notifications ??= new NotificationOrder();
    this.#notifications.pass(screenNotification(this.#policy.hooks, this, sent), deliver);
  }

  /** The request leaves for the server: its reservation is committed. */
  left(): void {
    if (this.#left) return;
    this.#left = true;
    this.#reservation?.commit();
  }

  /** The request failed. An error of the server's own shows that the request had left. */
  failed(error: unknown): void {
    if (error instanceof UpstreamError) this.left();
    if (this.#left) return;
    this.#reservation?.rollback();
    this.#reservation = undefined;
  }

  conclude(outcome: CallOutcome = { kind: this.asksClient ? 'asked' : 'ok' }): void {
    if (this.#concluded) return;
    this.#concluded = true;
    if (outcome.kind === 'error') this.failed(outcome.error);
    else this.left();
    if (!this.#left) this.#approval?.release();
    if (CHANNELS.concluded.hasSubscribers) {
      CHANNELS.concluded.publish(concludedEvent(this.#policy.instance, this, outcome));
    }
  }

  #denied(error: unknown): never {
    this.#publishDecision(error instanceof Denied ? error.denial : undefined);
    this.conclude({ kind: 'error', error });
    throw error;
  }

  /** `denial`: it is denied now; otherwise it may go on, maybe after an approval. */
  #publishDecision(denial: Denial | undefined): void {
    if (!CHANNELS.decision.hasSubscribers) return;
    const { caller, subject, method, trace, need } = this;
    const effect = denial ? 'deny' : need ? 'approve' : 'allow';
    CHANNELS.decision.publish({
      instance: this.#policy.instance,
      call: trace?.call,
      principal: caller.principal,
      grant: caller.identity.grant,
      server: subject.server,
      section: subject.section,
      name: subject.name,
      method,
      effect,
      policy: (denial ?? need)?.policy,
      rule: (denial ?? need)?.rule,
    });
  }
}
