/**
 * The one order in which policy decides about a request: documents, argument schemas, hooks, and the documents once more
 * when a hook has changed the arguments. The gate and `policy explain` both ask here, so that what is explained is what is
 * done.
 *
 * Deciding takes nothing, asks no person and tells nobody: limits and approval are what it finds, and who decides for
 * real sees to them.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { bothNeeds } from '../../policy/approvals/needs.ts';
import { Denied } from '../../policy/denied.ts';
import type { Plan } from '../../policy/engine/plan.ts';
import type { HookAsked, HookOutcome } from '../../policy/hooks/outcome.ts';
import type { Policy } from '../../policy/policy.ts';
import type { ApprovalNeed, ArgumentCheck, Denial, LimitUse, Subject, TraceStep } from '../../policy/types.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { hookInput, shadowOf } from './screening.ts';

/** Names what it completes, and has none of the arguments that the rules of that are about. */
export const COMPLETION = 'completion/complete';

/** A request that is decided about. What is found out goes into it. */
export interface PolicyRequest {
  readonly caller: Caller;
  readonly subject: Subject;
  /** Undefined: the use of it, by the method there is for that. */
  readonly method?: string;
  readonly plan: Plan;
  /** What goes to the server, after hooks and redaction. */
  args: JsonObject | undefined;
  limits: readonly LimitUse[];
  need: ApprovalNeed | undefined;
  readonly shadow: Denial[];
}

/** One time that the documents and schemas were asked. */
export interface Evaluation {
  /** The arguments they were asked about. */
  args: JsonObject;
  rules: TraceStep[];
  /** Schemas that were reached. */
  schemas: ArgumentCheck[];
}

/** Is told of everything that is looked at. */
export interface Trace {
  readonly passes: Evaluation[];
  readonly hooks: HookAsked[];
}

/** Throws {@link Denied}, or rejects with it. Undefined when it could be decided at once. */
export function decide(policy: Policy, matter: PolicyRequest, witness?: Trace): Promise<void> | undefined {
  askDocuments(policy, matter, witness);
  if (policy.hooks.has('call.before', matter.subject.server)) {
    const hooked = askHooks(policy, matter, witness);
    if (hooked) return hooked.then(() => redact(matter));
  }
  redact(matter);
  return undefined;
}

function askDocuments(policy: Policy, matter: PolicyRequest, witness: Trace | undefined): void {
  const { plan, caller, subject, method, args } = matter;
  const pass = witness && beginPass(witness, args);
  const verdict = method === COMPLETION ? plan.decideNaming() : plan.decide(args ?? {}, caller, pass?.rules);
  matter.shadow.push(...verdict.shadow);
  if (verdict.effect === 'deny') throw new Denied(verdict.denial);
  const misfit = policy.checkArguments(subject, plan, args, matter.shadow, pass?.schemas);
  if (misfit) throw new Denied(misfit);
  matter.limits = verdict.limits;
  matter.need = verdict.effect === 'approve' ? verdict.need : undefined;
}

export function beginPass({ passes }: Trace, args: JsonObject | undefined): Evaluation {
  const pass: Evaluation = { args: args ?? {}, rules: [], schemas: [] };
  passes.push(pass);
  return pass;
}

function askHooks(policy: Policy, matter: PolicyRequest, witness: Trace | undefined): Promise<void> | undefined {
  const { caller, subject, args } = matter;
  const apply = (hooked: HookOutcome): void => {
    matter.shadow.push(...shadowOf(hooked.shadow));
    if (hooked.effect === 'deny') throw new Denied(hooked.denial);
    if (hooked.changes?.args) {
      matter.args = hooked.changes.args;
      // What a hook made of them must satisfy the documents too.
      askDocuments(policy, matter, witness);
    }
    if (hooked.effect === 'approve') matter.need = bothNeeds(matter.need, hooked.need);
  };
  const input = hookInput('call.before', caller, subject, { args: args ?? {} });
  const outcome = policy.hooks.run(input, undefined, witness && ((asked) => witness.hooks.push(asked)));
  if (outcome instanceof Promise) return outcome.then(apply);
  apply(outcome);
  return undefined;
}

function redact(matter: PolicyRequest): void {
  if (matter.plan.redactsArguments && matter.args) {
    matter.args = matter.plan.redactArguments(matter.args) as JsonObject;
  }
}
