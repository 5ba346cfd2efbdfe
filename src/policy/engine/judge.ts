/**
 * One document's judgement of one thing: its standing, then what its rule says of a call, step by step in the order of the
 * design. Every step answers with a denial or nothing; an error in a step is a denial.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import type { CompiledPredicate } from '../language/predicates.ts';
import type { ApprovalNeed, Denial, LimitUse, Subject, TraceStep } from '../types.ts';
import { type CompiledDocument, type CompiledRule, whyBroken } from './compile.ts';
import type { CompiledLimit } from './limits.ts';
import { DEFAULT_ALLOW, DEFAULT_DENY, HIDDEN, NO_POLICY, pointerTo } from './pointers.ts';

/** Where visits go; undefined when nobody wants to know. */
export type Visits = TraceStep[] | undefined;

type Outcome = TraceStep['outcome'];

export class Judge {
  readonly document: CompiledDocument;
  readonly rule: CompiledRule | undefined;
  /** What no argument can change. */
  readonly fixed: Denial | undefined;
  readonly #subject: Pick<Subject, 'server' | 'section'>;
  readonly #limits: readonly CompiledLimit[];

  constructor(document: CompiledDocument, subject: Subject) {
    const standing = document.standingOf(subject);
    const { server, section } = subject;
    this.document = document;
    this.#subject = { server, section };
    this.rule = standing.kind === 'listed' ? standing.rule : undefined;
    const ofAll = section === 'tools' ? document.allTools : [];
    this.#limits = this.rule ? [...ofAll, ...this.rule.limits] : ofAll;
    const { id } = document;
    switch (standing.kind) {
      case 'hidden':
        this.fixed = this.#denial(HIDDEN, `Hidden by the policy "${id}".`, true);
        break;
      case 'denied':
        this.fixed = this.#denial(DEFAULT_DENY, `Not allowed: the policy "${id}" denies what it does not list.`);
        break;
      case 'no-policy':
        this.fixed = this.#denial(
          NO_POLICY,
          'Not allowed: this grant has no policy, and a grant without one denies every call.',
        );
        break;
      case 'broken':
        this.fixed = this.#broken(pointerTo(section), standing.why);
        break;
      default:
        this.fixed = undefined;
    }
  }

  /** Hidden or denied by default. */
  standing(visits: Visits): Denial | undefined {
    if (!visits) return this.fixed;
    if (this.document.hides && this.fixed?.rule !== HIDDEN) this.#visit(visits, HIDDEN, 'passed', 'not hidden');
    if (this.fixed) this.#visit(visits, this.fixed.rule, 'denied', this.fixed.reason);
    else if (this.rule) this.#visit(visits, this.rule.pointer, 'passed', 'listed');
    else this.#visit(visits, DEFAULT_ALLOW, 'passed', 'not listed');
    return this.fixed;
  }

  /** `require`, `deny_if`, `action`. With visits, what comes after a denial is named as not reached. */
  conditions(args: unknown, visits: Visits): Denial | undefined {
    const { rule } = this;
    if (!rule) return undefined;
    let denial: Denial | undefined;
    for (const predicate of rule.require) {
      if (denial) this.#unreached(visits, predicate.rule);
      else denial = this.#refusal(predicate, args, false, visits);
      if (denial && !visits) return denial;
    }
    for (const predicate of rule.denyIf) {
      if (denial) this.#unreached(visits, predicate.rule);
      else denial = this.#refusal(predicate, args, true, visits);
      if (denial && !visits) return denial;
    }
    if (rule.rule.action !== 'deny') return denial;
    const pointer = `${rule.pointer}/action`;
    if (denial) {
      this.#unreached(visits, pointer);
      return denial;
    }
    this.#visit(visits, pointer, 'denied', 'deny');
    return this.#denial(pointer, rule.rule.reason ?? this.#byRule(pointer));
  }

  /** The denial of a rule that denies whatever the arguments are. */
  always(): Denial | undefined {
    const { rule } = this;
    const unconditional = rule?.denyIf.find(({ always }) => always);
    if (unconditional) return this.#refusal(unconditional, {}, true, undefined);
    if (rule?.rule.action !== 'deny') return undefined;
    const pointer = `${rule.pointer}/action`;
    return this.#denial(pointer, rule.rule.reason ?? this.#byRule(pointer));
  }

  /** The first predicate that asks for a person; the others are not asked. */
  approval(args: unknown, visits: Visits): ApprovalNeed | Denial | undefined {
    const { rule } = this;
    if (!rule) return undefined;
    let found: ApprovalNeed | Denial | undefined;
    for (const predicate of rule.approveIf) {
      if (found) this.#unreached(visits, predicate.rule);
      else found = this.#approvalBy(rule, predicate, args, visits);
      if (found && !visits) return found;
    }
    return found;
  }

  /** Adds what the call takes of each limit to `uses`, or says why that cannot be told. */
  limits(args: unknown, caller: Caller, uses: LimitUse[], visits: Visits): Denial | undefined {
    let denial: Denial | undefined;
    for (const limit of this.#limits) {
      if (denial) {
        this.#unreached(visits, limit.rule);
        continue;
      }
      const amount = this.#amount(limit, args, visits);
      if (typeof amount !== 'number') {
        denial = amount;
        if (!visits) return denial;
        continue;
      }
      uses.push(limit.use(amount, caller, this.#subject.server));
      const { max, windowName, scope } = limit.limit;
      this.#visit(visits, limit.rule, 'limit', `adds ${amount} of ${max} per ${windowName}, one count per ${scope}`);
    }
    return denial;
  }

  /** After a denial: what is not looked at any more. */
  skipApproval(visits: Visits): void {
    for (const { rule } of this.rule?.approveIf ?? []) this.#unreached(visits, rule);
  }

  skipLimits(visits: Visits): void {
    if (!this.fixed) for (const { rule } of this.#limits) this.#unreached(visits, rule);
  }

  #amount({ rule, amount }: CompiledLimit, args: unknown, visits: Visits): number | Denial {
    try {
      const found = amount(args);
      if (typeof found === 'number') return found;
      this.#visit(visits, rule, 'denied', found);
      return this.#denial(rule, `${found} (Rule ${rule} of the policy "${this.document.id}".)`);
    } catch (error) {
      return this.#broken(rule, whyBroken(error), visits);
    }
  }

  /** `denies`: it denies when it holds; otherwise when it does not. */
  #refusal(predicate: CompiledPredicate, args: unknown, denies: boolean, visits: Visits): Denial | undefined {
    const { rule, reason, text } = predicate;
    try {
      if (predicate.holds(args) !== denies) {
        if (visits) this.#visit(visits, rule, 'passed', `${text}: ${denies ? 'does not hold' : 'holds'}`);
        return undefined;
      }
    } catch (error) {
      return this.#broken(rule, whyBroken(error), visits);
    }
    if (visits) this.#visit(visits, rule, 'denied', `${text}: ${denies ? 'holds' : 'does not hold'}`);
    return this.#denial(rule, reason ?? this.rule?.rule.reason ?? this.#byRule(rule));
  }

  #approvalBy(
    { rule: { approvalTimeoutMs: timeoutMs, approver, reason } }: CompiledRule,
    predicate: CompiledPredicate,
    args: unknown,
    visits: Visits,
  ): ApprovalNeed | Denial | undefined {
    const { rule, text } = predicate;
    try {
      if (!predicate.holds(args)) {
        if (visits) this.#visit(visits, rule, 'passed', `${text}: does not hold`);
        return undefined;
      }
    } catch (error) {
      return this.#broken(rule, whyBroken(error), visits);
    }
    if (visits) this.#visit(visits, rule, 'approval', `${text}: holds`);
    const policy = this.document.id;
    const why =
      predicate.reason ?? reason ?? `A person has to approve this call: rule ${rule} of the policy "${policy}".`;
    return { policy, rule, reason: why, timeoutMs, approver };
  }

  #byRule = (rule: string): string => `Denied by the rule ${rule} of the policy "${this.document.id}".`;

  #broken(rule: string, why: string, visits?: Visits): Denial {
    this.#visit(visits, rule, 'denied', `cannot be evaluated: ${why}`);
    return this.#denial(
      rule,
      `The rule ${rule} of the policy "${this.document.id}" cannot be evaluated (${why}), so the call is denied.`,
    );
  }

  #denial = (rule: string, reason: string, hidden = false): Denial => ({
    code: 'SWB_DENIED',
    policy: this.document.id,
    rule,
    reason,
    hidden,
  });

  #unreached(visits: Visits, rule: string): void {
    this.#visit(visits, rule, 'skipped', 'not reached: denied or decided before');
  }

  #visit(visits: Visits, rule: string, outcome: Outcome, detail: string): void {
    visits?.push({ policy: this.document.id, mode: this.document.mode, rule, outcome, detail });
  }
}
