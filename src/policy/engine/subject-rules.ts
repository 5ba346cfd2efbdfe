/**
 * What one document decides about one subject: its standing, then its rule's decision about a call, step by step.
 * Every step returns a denial or nothing; an error in a step is a denial.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import type { CompiledPredicate } from '../language/conditions.ts';
import { DEFAULT_DENY, HIDDEN, NO_POLICY, pointerTo } from '../language/pointers.ts';
import type { ApprovalNeed, Denial, LimitUse, Subject } from '../types.ts';
import { withMessage } from './agent-arguments.ts';
import { type CompiledDocument, type CompiledRule, type Standing, whyBroken } from './compile.ts';
import type { CompiledLimit } from './limits.ts';
import { type Spelling, spellingOf, withNormalUri } from './spellings.ts';

/** Why a rule cannot be evaluated. */
export interface Broken {
  why: string;
}

export class SubjectRules {
  readonly document: CompiledDocument;
  readonly rule: CompiledRule | undefined;
  /** The denial that no argument can change. */
  readonly fixed: Denial | undefined;
  /** The limits of every call of a tool, then those of the rule. */
  readonly limits: readonly CompiledLimit[];
  readonly #server: string;
  /** Of a subject in its normal form. */
  readonly #spelling: Spelling | undefined;
  readonly #isAgent: boolean;

  /** `standing`: where it is not the document's own about this subject alone. */
  constructor(document: CompiledDocument, subject: Subject, standing = document.standingOf(subject)) {
    const { server, section } = subject;
    this.#isAgent = section === 'agents' || subject.tool !== undefined;
    this.document = document;
    this.#server = server;
    this.#spelling = subject.normal ? spellingOf(subject) : undefined;
    this.rule = standing.kind === 'listed' ? standing.rule : undefined;
    const ofAll = section === 'tools' ? document.allTools : [];
    this.limits = this.rule ? [...ofAll, ...this.rule.limits] : ofAll;
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

  /** The arguments as the conditions of these rules see them. */
  seen(args: unknown): unknown {
    const spelled = this.#spelling ? withNormalUri(args, this.#spelling) : args;
    return this.#isAgent ? withMessage(spelled) : spelled;
  }

  /** Whether its decision depends on the arguments, or a person approves them. */
  get readsArguments(): boolean {
    const { rule, limits } = this;
    if (limits.some(({ limit }) => limit.incrementFrom !== undefined)) return true;
    if (!rule) return false;
    return rule.approveIf.length > 0 || [...rule.require, ...rule.denyIf].some(({ always }) => !always);
  }

  /** Hidden or denied by default; then `require`, `deny_if`, `action`. */
  refusal(given: unknown): Denial | undefined {
    const args = this.seen(given);
    const { rule } = this;
    if (this.fixed || !rule) return this.fixed;
    for (const predicate of rule.require) {
      const denial = this.#refusalBy(rule, predicate, args, false);
      if (denial) return denial;
    }
    for (const predicate of rule.denyIf) {
      const denial = this.#refusalBy(rule, predicate, args, true);
      if (denial) return denial;
    }
    return this.#byAction(rule);
  }

  /** The denial of a rule that denies whatever the arguments are. */
  always(): Denial | undefined {
    const { rule } = this;
    if (!rule) return undefined;
    const unconditional = rule.denyIf.find(({ always }) => always);
    return unconditional ? this.#refusalBy(rule, unconditional, {}, true) : this.#byAction(rule);
  }

  /** The first predicate that needs a person's approval; the others are not evaluated. */
  approval(given: unknown): ApprovalNeed | Denial | undefined {
    const args = this.seen(given);
    const { rule } = this;
    if (!rule) return undefined;
    for (const predicate of rule.approveIf) {
      const held = evaluate(predicate, args);
      if (held === false) continue;
      if (held !== true) return this.#broken(predicate.rule, held.why);
      const { approvalTimeoutMs: timeoutMs, approver } = rule.rule;
      const policy = this.document.id;
      const reason =
        predicate.reason ??
        rule.rule.reason ??
        `A person has to approve this call: rule ${predicate.rule} of the policy "${policy}".`;
      return { policy, rule: predicate.rule, reason, timeoutMs, approver };
    }
    return undefined;
  }

  /** Adds what the call takes of each limit to `uses`, or returns the denial of a limit whose amount cannot be determined. */
  reserving(given: unknown, caller: Caller, uses: LimitUse[]): Denial | undefined {
    const args = this.seen(given);
    for (const limit of this.limits) {
      const amount = amountOf(limit, args);
      const { rule } = limit;
      if (typeof amount === 'object') return this.#broken(rule, amount.why);
      if (typeof amount === 'string')
        return this.#denial(rule, `${amount} (Rule ${rule} of the policy "${this.document.id}".)`);
      uses.push(limit.use(amount, caller, this.#server));
    }
    return undefined;
  }

  /** `denies`: the predicate denies when it holds; otherwise when it does not. */
  #refusalBy(of: CompiledRule, predicate: CompiledPredicate, args: unknown, denies: boolean): Denial | undefined {
    const held = evaluate(predicate, args);
    if (held === !denies) return undefined;
    const { rule, reason } = predicate;
    if (typeof held === 'object') return this.#broken(rule, held.why);
    return this.#denial(rule, reason ?? of.rule.reason ?? this.#byRule(rule));
  }

  #byAction({ pointer, rule: { action, reason } }: CompiledRule): Denial | undefined {
    if (action !== 'deny') return undefined;
    const rule = `${pointer}/action`;
    return this.#denial(rule, reason ?? this.#byRule(rule));
  }

  #byRule = (rule: string): string => `Denied by the rule ${rule} of the policy "${this.document.id}".`;

  #broken = (rule: string, why: string): Denial =>
    this.#denial(
      rule,
      `The rule ${rule} of the policy "${this.document.id}" cannot be evaluated (${why}), so the call is denied.`,
    );

  #denial = (rule: string, reason: string, hidden = false): Denial => ({
    code: 'SWB_DENIED',
    policy: this.document.id,
    rule,
    reason,
    hidden,
  });
}

/**
 * The rules of one document about a subject. An agent and the tool that stands for it are one thing: a rule about either is
 * about both, and allows it under `default: deny`. `tools."*"` is about agents for which `agents` has no rule.
 */
export function rulesFor(document: CompiledDocument, subject: Subject): readonly SubjectRules[] {
  const { tool } = subject;
  const own = document.standingOf(subject);
  if (!tool) return [new SubjectRules(document, subject, own)];
  const asTool: Subject = { ...subject, section: 'tools', name: tool.name, namespaced: tool.namespaced };
  const other = document.standingOf(asTool);
  const isAllowed = own.kind === 'listed' || (other.kind === 'listed' && !tool.isTentative);
  const settled = (standing: Standing): Standing =>
    standing.kind === 'denied' && isAllowed ? { kind: 'allowed' } : standing;
  const isMeant = other.kind !== 'listed' || !other.isRest || own.kind !== 'listed';
  return [
    new SubjectRules(document, subject, settled(own)),
    new SubjectRules(document, asTool, isMeant ? settled(other) : { kind: 'allowed' }),
  ];
}

/** Whether the conditions of a predicate hold. */
export function evaluate({ holds }: CompiledPredicate, args: unknown): boolean | Broken {
  try {
    return holds(args);
  } catch (error) {
    return { why: whyBroken(error) };
  }
}

/** What a call adds to a limit, or in a sentence why its arguments do not say. */
export function amountOf({ amount }: CompiledLimit, args: unknown): number | string | Broken {
  try {
    return amount(args);
  } catch (error) {
    return { why: whyBroken(error) };
  }
}
