/**
 * The decision of all documents that bind a principal about one subject. Lists and calls use the same plan, so what is not
 * listed can never be called.
 *
 * Deny wins: any enforced document can deny, and a denial beats an approval, which beats an allowance. The documents are
 * evaluated step by step, all of them at each step: hidden or denied by default, conditions, approval, limits. Documents in
 * shadow mode are evaluated in full and change nothing.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { stricterNeed } from '../approval-needs.ts';
import { HIDDEN, NO_POLICY } from '../language/pointers.ts';
import type { AppliedRule, ApprovalNeed, Denial, LimitUse, SchemaOverlay, Subject, Verdict } from '../types.ts';
import { agentPaths } from './agent-arguments.ts';
import type { CompiledDocument, Standing } from './compile.ts';
import { onePerCount } from './limits.ts';
import { type Redaction, redactionOf } from './redact.ts';
import { inNormalForm, isUndecidable, spellingOf } from './spellings.ts';
import { rulesFor, SubjectRules } from './subject-rules.ts';

const NONE: readonly never[] = [];
const ALLOWED: Verdict = { effect: 'allow', limits: NONE, shadow: NONE };

export class Plan {
  /** False: the caller must not learn that the subject exists. */
  readonly knows: boolean;
  /** False where no arguments could make it callable. A subject whose rule always denies is listed, and the rule says why. */
  readonly lists: boolean;
  /** The denial of every use, whatever the arguments; also of a rule that always denies. */
  readonly denies: Denial | undefined;
  /** The rules that apply, of enforced documents and of those in shadow mode. */
  readonly rules: readonly AppliedRule[];
  /** Schemas that arguments must satisfy beside the tool's own. */
  readonly schemas: readonly SchemaOverlay[];
  /** Whether any enforced document binds the call, with or without a rule for its subject. */
  readonly governed: boolean;
  /** Whether any rule, also one in shadow mode, depends on the arguments: by a condition, an approval of them, or an amount. */
  readonly readsArguments: boolean;
  readonly redactsArguments: boolean;
  readonly redactsResult: boolean;
  /** One for each document, in their order: for `policy explain`. */
  readonly ofDocuments: readonly SubjectRules[];
  readonly #enforced: readonly SubjectRules[];
  readonly #shadows: readonly SubjectRules[];
  readonly #fixed: Denial | undefined;
  readonly #redaction: Redaction;

  constructor(documents: readonly CompiledDocument[], subject: Subject) {
    this.ofDocuments = [
      ...documents.flatMap((document) => rulesFor(document, subject)),
      ...inNormalFormToo(documents, subject),
    ];
    const enforced = this.ofDocuments.filter(({ document }) => document.mode === 'enforce');
    this.#enforced = enforced;
    this.governed = enforced.length > 0;
    this.#shadows = this.ofDocuments.filter(({ document }) => document.mode === 'shadow');
    this.#fixed = denialToReport(enforced.flatMap(({ fixed }) => fixed ?? []));
    this.knows = this.#fixed?.hidden !== true;
    this.lists = this.#fixed === undefined;
    this.denies = this.#fixed ?? firstOf(enforced, (rules) => rules.always());
    this.rules = this.ofDocuments.flatMap(({ rule }) => rule ?? []);
    this.schemas = this.rules.flatMap(({ policy, mode, pointer, rule: { schema } }) =>
      schema ? [{ policy, mode, rule: `${pointer}/schema`, schema }] : [],
    );
    this.readsArguments = this.ofDocuments.some((rules) => rules.readsArguments);
    const redacted = enforced.flatMap(({ rule }) => rule?.rule.redact ?? []);
    this.#redaction = redactionOf(subject.section === 'agents' ? agentPaths(redacted) : redacted);
    this.redactsArguments = this.#redaction.redactsArguments;
    this.redactsResult = this.#redaction.redactsResult;
  }

  /** What all documents together decide about a call with these arguments. */
  decide(args: unknown, caller: Caller): Verdict {
    const shadow = this.#shadows.length === 0 ? NONE : this.#inShadow(args, caller);
    const enforced = this.#enforced.length === 0 ? ALLOWED : this.#inForce(args, caller);
    return shadow.length === 0 ? enforced : { ...enforced, shadow };
  }

  /**
   * Decides about a request that only names the subject, such as one to complete an argument: it has no arguments for
   * conditions, approval and limits.
   */
  decideNaming(): Verdict {
    const shadow = this.#shadows.flatMap((rules) => rules.fixed ?? rules.always() ?? []);
    return this.denies ? { effect: 'deny', denial: this.denies, shadow } : { effect: 'allow', limits: NONE, shadow };
  }

  /** A copy with redacted values, or the same value when there is nothing to redact. */
  redactArguments(args: unknown): unknown {
    return this.#redaction.arguments(args);
  }

  /** `result` is the JSON-RPC result. */
  redactResult(result: unknown): unknown {
    return this.#redaction.result(result);
  }

  #inForce(args: unknown, caller: Caller): Verdict {
    if (this.#fixed) return denied(this.#fixed);
    for (const rules of this.#enforced) {
      const refusal = rules.refusal(args);
      if (refusal) return denied(refusal);
    }
    let need: ApprovalNeed | undefined;
    for (const rules of this.#enforced) {
      const found = rules.approval(args);
      if (!found) continue;
      if (isDenial(found)) return denied(found);
      need = stricterNeed(need, found);
    }
    const uses: LimitUse[] = [];
    for (const rules of this.#enforced) {
      const refusal = rules.reserving(args, caller, uses);
      if (refusal) return denied(refusal);
    }
    const limits = onePerCount(uses);
    if (need) return { effect: 'approve', need, limits, shadow: NONE };
    return limits.length === 0 ? ALLOWED : { effect: 'allow', limits, shadow: NONE };
  }

  /** What each document in shadow mode would have denied. It counts nothing and needs no approval. */
  #inShadow(args: unknown, caller: Caller): readonly Denial[] {
    const denials: Denial[] = [];
    for (const rules of this.#shadows) {
      const denial = rules.refusal(args) ?? denialIn(rules.approval(args)) ?? rules.reserving(args, caller, []);
      if (denial) denials.push(denial);
    }
    return denials;
  }
}

const TWO_WAYS: Standing = { kind: 'broken', why: 'servers read the dot segments of its URI in two ways' };

/** What the documents say of the normal form of the subject, where that can be something else. */
function inNormalFormToo(documents: readonly CompiledDocument[], subject: Subject): SubjectRules[] {
  const normal = inNormalForm(subject);
  if (!normal) return [];
  const spelling = spellingOf(subject);
  const isSame = normal.name === subject.name;
  const judging = isSame ? documents.filter((document) => document.hasOtherSpellings(spelling)) : documents;
  const undecided = isUndecidable(subject) ? documents : [];
  return [
    ...judging.flatMap((document) => rulesFor(document, normal)),
    ...undecided.map((document) => new SubjectRules(document, normal, TWO_WAYS)),
  ];
}

function firstOf<T, R>(items: readonly T[], of: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = of(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

const denied = (denial: Denial): Verdict => ({ effect: 'deny', denial, shadow: NONE });

const isDenial = (found: ApprovalNeed | Denial): found is Denial => 'code' in found;

const denialIn = (found: ApprovalNeed | Denial | undefined): Denial | undefined =>
  found && isDenial(found) ? found : undefined;

/** The denial to report: a hidden name first, then a missing policy, then the first of the others. */
function denialToReport(denials: readonly Denial[]): Denial | undefined {
  return denials.find(({ rule }) => rule === HIDDEN) ?? denials.find(({ rule }) => rule === NO_POLICY) ?? denials[0];
}
