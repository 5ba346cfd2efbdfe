/**
 * What every document that binds a principal says of one thing, ready for lists and calls. Lists and calls ask the same
 * plan, so what is not listed can never be called.
 *
 * Deny wins: of the documents in force any can deny, and a denial beats an approval, which beats an allowance. They are
 * asked step by step, all of them at each step: hidden or denied by default, conditions, approval, limits. Documents in
 * shadow mode are judged in full and change nothing.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import type {
  AppliedRule,
  ApprovalNeed,
  Denial,
  LimitUse,
  SchemaOverlay,
  Subject,
  TraceStep,
  Verdict,
} from '../types.ts';
import type { CompiledDocument } from './compile.ts';
import { Judge, type Visits } from './judge.ts';
import { onePerCount } from './limits.ts';
import { HIDDEN, NO_POLICY } from './pointers.ts';
import { type Redaction, redactionOf } from './redact.ts';

const NONE: readonly never[] = [];
const ALLOWED: Verdict = { effect: 'allow', limits: NONE, shadow: NONE };

export class Plan {
  /** False: the caller must not learn that it exists. */
  readonly knows: boolean;
  /** False for what no arguments could make callable. A rule that always denies is listed and says why. */
  readonly lists: boolean;
  /** What forbids every use of it, whatever the arguments: a rule that denies always, too. */
  readonly denies: Denial | undefined;
  /** The rules that apply, of documents in force and in shadow. */
  readonly rules: readonly AppliedRule[];
  /** What arguments must satisfy beside the tool's own schema. */
  readonly schemas: readonly SchemaOverlay[];
  readonly redactsArguments: boolean;
  readonly redactsResult: boolean;
  readonly #judges: readonly Judge[];
  readonly #enforced: readonly number[];
  readonly #shadows: readonly number[];
  readonly #fixed: Denial | undefined;
  readonly #redaction: Redaction;

  constructor(documents: readonly CompiledDocument[], subject: Subject) {
    const spellings = subject.usual ? [subject, subject.usual] : [subject];
    this.#judges = spellings.flatMap((each) => documents.map((document) => new Judge(document, each)));
    const indices = [...this.#judges.keys()];
    this.#enforced = indices.filter((index) => this.#judges[index]?.document.mode === 'enforce');
    this.#shadows = indices.filter((index) => this.#judges[index]?.document.mode === 'shadow');
    const enforced = this.#judges.filter(({ document }) => document.mode === 'enforce');
    this.#fixed = firstToTell(enforced.flatMap(({ fixed }) => fixed ?? []));
    this.knows = this.#fixed?.hidden !== true;
    this.lists = this.#fixed === undefined;
    this.denies = this.#fixed ?? firstOf(enforced, (judge) => judge.always());
    this.rules = this.#judges.flatMap(({ rule }) => rule ?? []);
    this.schemas = this.rules.flatMap(({ policy, mode, pointer, rule: { schema } }) =>
      schema ? [{ policy, mode, rule: `${pointer}/schema`, schema }] : [],
    );
    this.#redaction = redactionOf(enforced.flatMap(({ rule }) => rule?.rule.redact ?? []));
    this.redactsArguments = this.#redaction.redactsArguments;
    this.redactsResult = this.#redaction.redactsResult;
  }

  /** With `trace` every rule of every document is looked at and added to it; the verdict is the same. */
  decide(args: unknown, caller: Caller, trace?: TraceStep[]): Verdict {
    if (!trace) return this.#verdict(args, caller, undefined);
    const visits = this.#judges.map((): TraceStep[] => []);
    const verdict = this.#verdict(args, caller, visits);
    for (const ofOne of visits) trace.push(...ofOne);
    return verdict;
  }

  /**
   * Of a request that only names it, such as to complete one of its arguments: conditions, approval and limits are about
   * arguments such a request does not have.
   */
  decideNaming(): Verdict {
    const shadow = this.#shadows.flatMap((index) => {
      const judge = this.#judges[index] as Judge;
      return judge.fixed ?? judge.always() ?? [];
    });
    return this.denies ? { effect: 'deny', denial: this.denies, shadow } : { effect: 'allow', limits: NONE, shadow };
  }

  /** A copy without what must not be seen; the same value when there is nothing of it. */
  redactArguments(args: unknown): unknown {
    return this.#redaction.arguments(args);
  }

  /** `result` is the JSON-RPC result. */
  redactResult(result: unknown): unknown {
    return this.#redaction.result(result);
  }

  #verdict(args: unknown, caller: Caller, visits: readonly TraceStep[][] | undefined): Verdict {
    const shadow = this.#shadows.length === 0 ? NONE : this.#inShadow(args, caller, visits);
    const judged = this.#enforced.length === 0 ? ALLOWED : this.#inForce(args, caller, visits);
    return shadow.length === 0 ? judged : { ...judged, shadow };
  }

  #inForce(args: unknown, caller: Caller, visits: readonly TraceStep[][] | undefined): Verdict {
    let denial = this.#fixed;
    if (denial && !visits) return denied(denial);
    /** Documents that have denied: with a trace the others are asked all the same. */
    const over = visits && new Set<number>();
    for (const index of this.#enforced) {
      const judge = this.#judges[index] as Judge;
      const own = visits?.[index];
      const refusal = judge.standing(own) ?? judge.conditions(args, own);
      if (!refusal) continue;
      if (!visits) return denied(refusal);
      denial ??= refusal;
      over?.add(index);
    }
    let need: ApprovalNeed | undefined;
    for (const index of this.#enforced) {
      const judge = this.#judges[index] as Judge;
      const own = visits?.[index];
      if (over?.has(index)) {
        judge.skipApproval(own);
        continue;
      }
      const found = judge.approval(args, own);
      if (!found) continue;
      if (!isDenial(found)) need = stricter(need, found);
      else if (!visits) return denied(found);
      else {
        denial ??= found;
        over?.add(index);
      }
    }
    const uses: LimitUse[] = [];
    for (const index of this.#enforced) {
      const judge = this.#judges[index] as Judge;
      const own = visits?.[index];
      if (over?.has(index)) {
        judge.skipLimits(own);
        continue;
      }
      const refusal = judge.limits(args, caller, uses, own);
      if (refusal && !visits) return denied(refusal);
      denial ??= refusal;
    }
    if (denial) return denied(denial);
    const limits = onePerCount(uses);
    if (need) return { effect: 'approve', need, limits, shadow: NONE };
    return limits.length === 0 ? ALLOWED : { effect: 'allow', limits, shadow: NONE };
  }

  /** What each document in shadow mode would have denied. It counts nothing and asks nobody. */
  #inShadow(args: unknown, caller: Caller, visits: readonly TraceStep[][] | undefined): readonly Denial[] {
    const denials: Denial[] = [];
    for (const index of this.#shadows) {
      const denial = wouldDeny(this.#judges[index] as Judge, args, caller, visits?.[index]);
      if (denial) denials.push(denial);
    }
    return denials;
  }
}

function firstOf<T, R>(items: readonly T[], of: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = of(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function wouldDeny(judge: Judge, args: unknown, caller: Caller, visits: Visits): Denial | undefined {
  const refusal = judge.standing(visits) ?? judge.conditions(args, visits);
  if (refusal) judge.skipApproval(visits);
  const asked = refusal ? undefined : judge.approval(args, visits);
  const denial = refusal ?? (asked && isDenial(asked) ? asked : undefined);
  if (!denial) return judge.limits(args, caller, [], visits);
  judge.skipLimits(visits);
  return denial;
}

const denied = (denial: Denial): Verdict => ({ effect: 'deny', denial, shadow: NONE });

const isDenial = (found: ApprovalNeed | Denial): found is Denial => 'code' in found;

/** What must stay secret before what is only forbidden; a missing policy before the defaults of others. */
function firstToTell(denials: readonly Denial[]): Denial | undefined {
  return denials.find(({ rule }) => rule === HIDDEN) ?? denials.find(({ rule }) => rule === NO_POLICY) ?? denials[0];
}

/** One person decides once, and that satisfies every document: the most that any of them wants. */
function stricter(one: ApprovalNeed | undefined, other: ApprovalNeed): ApprovalNeed {
  if (!one) return other;
  const chosen = one.approver === 'client' && other.approver === 'operator' ? other : one;
  return { ...chosen, timeoutMs: Math.min(one.timeoutMs, other.timeoutMs) };
}
