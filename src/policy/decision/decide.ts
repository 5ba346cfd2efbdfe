/**
 * The order in which policy decides about one request: documents, argument schemas, hooks of `call.before`, the documents
 * and schemas again when a hook has changed the arguments, and last the redaction of arguments. The gate enforces it, and
 * `policy explain` runs the same function.
 *
 * Deciding has no effect beyond the request: it finds the limits and the approval that a call needs, and
 * {@link PolicyDecision} reserves and asks for them later (approval first, then limits, then the queue).
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { bothNeeds } from '../approval-needs.ts';
import { Denied } from '../denied.ts';
import type { Plan } from '../engine/plan.ts';
import type { HookAnswered, HookOutcome } from '../hooks/outcome.ts';
import type { Policy } from '../policy.ts';
import type { ApprovalNeed, Denial, LimitUse, Subject } from '../types.ts';
import { hookInput, shadowOf } from './screening.ts';

/** A completion names a prompt or template and has none of its arguments, so rules about arguments do not apply. */
export const COMPLETION = 'completion/complete';

/** A request under decision. The decision writes what it finds into the members that are not `readonly`. */
export interface PolicyRequest {
  readonly caller: Caller;
  readonly subject: Subject;
  /** Undefined: the method by which such a subject is used. */
  readonly method?: string;
  readonly plan: Plan;
  /** The arguments as they were sent. */
  readonly given: JsonObject | undefined;
  /** The same with numbers that no double holds as they are spelled: documents judge these. */
  readonly exact: JsonObject | undefined;
  /** The arguments for the server, after hooks and redaction. */
  args: JsonObject | undefined;
  limits: readonly LimitUse[];
  need: ApprovalNeed | undefined;
  /** What documents and hooks in shadow mode would have denied. */
  readonly shadow: Denial[];
}

/** Observes a decision for `policy explain`. */
export interface DecisionObserver {
  /** The documents are about to judge these arguments, and schemas these with doubles for exact numbers. */
  documents(args: JsonObject | undefined): void;
  hook(asked: HookAnswered): void;
}

/** Throws {@link Denied}, or rejects with it. Returns undefined when no hook needed time. */
export function decide(policy: Policy, request: PolicyRequest, observer?: DecisionObserver): Promise<void> | undefined {
  judge(policy, request, observer);
  if (policy.hooks.has('call.before', request.subject.server)) {
    const hooked = runHooks(policy, request, observer);
    if (hooked) return hooked.then(() => redact(request));
  }
  redact(request);
  return undefined;
}

/** Documents, then the tool's own schema and those of rules. */
function judge(policy: Policy, request: PolicyRequest, observer: DecisionObserver | undefined): void {
  const { plan, caller, subject, method, args, shadow } = request;
  // What a hook made is written anew, with doubles.
  const judged = args === request.given ? request.exact : args;
  observer?.documents(judged);
  const verdict = method === COMPLETION ? plan.decideNaming() : plan.decide(judged ?? {}, caller);
  shadow.push(...verdict.shadow);
  if (verdict.effect === 'deny') throw new Denied(verdict.denial);
  const invalid = policy.checkArguments(subject, plan, args, shadow);
  if (invalid) throw new Denied(invalid);
  request.limits = verdict.limits;
  request.need = verdict.effect === 'approve' ? verdict.need : undefined;
}

function runHooks(
  policy: Policy,
  request: PolicyRequest,
  observer: DecisionObserver | undefined,
): Promise<void> | undefined {
  const { caller, subject, args } = request;
  const apply = (hooked: HookOutcome): void => {
    request.shadow.push(...shadowOf(hooked.shadow));
    if (hooked.effect === 'deny') throw new Denied(hooked.denial);
    if (hooked.changes?.args) {
      request.args = hooked.changes.args;
      judge(policy, request, observer);
    }
    if (hooked.effect === 'approve') request.need = bothNeeds(request.need, hooked.need);
  };
  const input = hookInput('call.before', caller, subject, { args: args ?? {} });
  const outcome = policy.hooks.run(input, undefined, observer && ((asked) => observer.hook(asked)));
  if (outcome instanceof Promise) return outcome.then(apply);
  apply(outcome);
  return undefined;
}

function redact(request: PolicyRequest): void {
  if (request.plan.redactsArguments && request.args) {
    request.args = request.plan.redactArguments(request.args) as JsonObject;
  }
}
