/**
 * What every document says about a call, rule by rule, for `policy explain`. A second evaluation, off the way of calls: it
 * asks the same compiled rules as `engine/subject-rules.ts` does, and also names what a call never reaches because a rule before
 * it denied.
 * @module
 */

import type { Plan } from '../engine/plan.ts';
import { amountOf, evaluate, type SubjectRules } from '../engine/subject-rules.ts';
import type { CompiledPredicate } from '../language/conditions.ts';
import { DEFAULT_ALLOW, HIDDEN } from '../language/pointers.ts';

/** One rule that was evaluated. */
export interface TraceStep {
  policy: string;
  mode: 'enforce' | 'shadow';
  rule: string;
  /** `passed`: it has nothing against the call; `skipped`: it does not apply. */
  outcome: 'passed' | 'denied' | 'approval' | 'limit' | 'skipped';
  detail: string;
}

/** All steps of all documents, in the order of the documents. */
export const tracePlan = ({ ofDocuments }: Plan, args: unknown): TraceStep[] =>
  ofDocuments.flatMap((rules) => new DocumentTrace(rules).evaluate(args));

class DocumentTrace {
  readonly #rules: SubjectRules;
  readonly #steps: TraceStep[] = [];
  /** The document has denied: what comes after is not reached. */
  #denied = false;

  constructor(rules: SubjectRules) {
    this.#rules = rules;
  }

  evaluate(given: unknown): TraceStep[] {
    const args = this.#rules.seen(given);
    const { document, rule, fixed, limits } = this.#rules;
    if (document.hides && fixed?.rule !== HIDDEN) this.#add(HIDDEN, 'passed', 'not hidden');
    if (fixed) this.#add(fixed.rule, 'denied', fixed.reason);
    else if (rule) this.#add(rule.pointer, 'passed', 'listed');
    else this.#add(DEFAULT_ALLOW, 'passed', 'not listed');
    if (fixed) return this.#steps;
    for (const predicate of rule?.require ?? []) this.#predicate(predicate, args, false, 'denied');
    for (const predicate of rule?.denyIf ?? []) this.#predicate(predicate, args, true, 'denied');
    if (rule?.rule.action === 'deny') this.#unlessDenied(`${rule.pointer}/action`, () => ['denied', 'deny']);
    // The first that holds decides; the others are not reached.
    let approves = false;
    for (const predicate of rule?.approveIf ?? []) {
      if (approves) this.#unreached(predicate.rule);
      else approves = this.#predicate(predicate, args, true, 'approval');
    }
    for (const limit of limits) {
      this.#unlessDenied(limit.rule, () => {
        const amount = amountOf(limit, args);
        if (typeof amount === 'object') return ['denied', `cannot be evaluated: ${amount.why}`];
        if (typeof amount === 'string') return ['denied', amount];
        const { max, windowName, scope } = limit.limit;
        return ['limit', `adds ${amount} of ${max} per ${windowName}, one count per ${scope}`];
      });
    }
    return this.#steps;
  }

  /** `when`: which value of the predicate leads to `outcome`. Returns whether it did. */
  #predicate(predicate: CompiledPredicate, args: unknown, when: boolean, outcome: 'denied' | 'approval'): boolean {
    const { rule, text } = predicate;
    return this.#unlessDenied(rule, () => {
      const held = evaluate(predicate, args);
      if (typeof held === 'object') return ['denied', `cannot be evaluated: ${held.why}`];
      return [held === when ? outcome : 'passed', `${text}: ${held ? 'holds' : 'does not hold'}`];
    });
  }

  #unlessDenied(rule: string, step: () => [TraceStep['outcome'], string]): boolean {
    if (this.#denied) {
      this.#unreached(rule);
      return false;
    }
    const [outcome, detail] = step();
    this.#add(rule, outcome, detail);
    return outcome !== 'passed';
  }

  #unreached(rule: string): void {
    this.#add(rule, 'skipped', 'not reached: denied or decided before');
  }

  #add(rule: string, outcome: TraceStep['outcome'], detail: string): void {
    const { id: policy, mode } = this.#rules.document;
    if (outcome === 'denied') this.#denied = true;
    this.#steps.push({ policy, mode, rule, outcome, detail });
  }
}
