/**
 * Compiles a document: names into tables, conditions into functions, regular expressions, each once.
 * @module
 */

import { type CompiledPredicate, compilePredicates } from '../language/conditions.ts';
import { BrokenRule } from '../language/operators.ts';
import { pointerTo } from '../language/pointers.ts';
import { POLICY_SECTIONS, type PolicyDocument, type PolicySection, type Rule } from '../language/types.ts';
import type { AppliedRule, Subject } from '../types.ts';
import { type CompiledLimit, compileLimits } from './limits.ts';
import { NameTable, type Naming, namesOf } from './names.ts';

export interface CompiledRule extends AppliedRule {
  readonly require: readonly CompiledPredicate[];
  readonly denyIf: readonly CompiledPredicate[];
  readonly approveIf: readonly CompiledPredicate[];
  readonly limits: readonly CompiledLimit[];
}

/** What a document decides about a subject before it sees arguments. `broken`: a rule cannot be evaluated, so every call is denied. */
export type Standing =
  | { kind: 'hidden' | 'allowed' | 'denied' | 'no-policy' }
  | { kind: 'listed'; rule: CompiledRule }
  | { kind: 'broken'; why: string };

export interface CompiledDocument {
  readonly id: string;
  readonly mode: PolicyDocument['mode'];
  /** Whether a name without a rule is known and allowed. */
  readonly allowsByDefault: boolean;
  /** Limits of every call in the section `tools`. */
  readonly allTools: readonly CompiledLimit[];
  /** Whether it hides anything at all. */
  readonly hides: boolean;
  standingOf(subject: Pick<Subject, 'section' | 'name' | 'namespaced' | 'template'>): Standing;
}

/** Never fails: a rule that makes no sense denies when it is evaluated. */
export function compileDocument(document: PolicyDocument, naming: Naming): CompiledDocument {
  const { id, mode } = document;
  const hidden = new NameTable(document.hide.map((key) => [key, true] as const));
  const sections = Object.fromEntries(
    POLICY_SECTIONS.map((section) => [section, ruleTable(document, section)]),
  ) as Record<PolicySection, NameTable<CompiledRule>>;
  const byDefault: Standing = { kind: document.default === 'allow' ? 'allowed' : 'denied' };
  return {
    id,
    mode,
    allowsByDefault: document.default === 'allow' && hidden.rest === undefined,
    allTools: compileLimits(document.allTools, id, pointerTo('all_tools', 'limits')),
    hides: document.hide.length > 0,
    standingOf(subject) {
      const names = namesOf(naming, subject);
      const template = subject.template && namesOf(naming, subject.template);
      if (hidden.rest || isHidden(hidden, names) || (template && isHidden(hidden, template))) return { kind: 'hidden' };
      try {
        const table = sections[subject.section];
        const listed = table.find(names) ?? (template && table.find(template));
        const rule = listed ?? restOf(table, subject.section, document.default);
        return rule ? { kind: 'listed', rule } : byDefault;
      } catch (error) {
        return { kind: 'broken', why: whyBroken(error) };
      }
    },
  };
}

/** Stands for the policy of a grant that has none: every call is denied. */
export const noPolicy = (id: string): CompiledDocument => ({
  id,
  mode: 'enforce',
  allowsByDefault: false,
  allTools: [],
  hides: false,
  standingOf: () => ({ kind: 'no-policy' }),
});

/** For the caller: the message of a {@link BrokenRule}, nothing of other errors. */
export const whyBroken = (error: unknown): string => (error instanceof BrokenRule ? error.message : 'it failed');

/** A name that cannot be matched in bounded time counts as hidden. */
function isHidden(hidden: NameTable<true>, names: readonly string[]): boolean {
  try {
    return hidden.find(names) === true;
  } catch {
    return true;
  }
}

/**
 * The rule of `*`. Under `default: deny` it lists no tool: in the published evaluator `tools."*"` is about the tools that
 * are listed by name and does not rescue the others, and a document written for it must not open the whole server here.
 * Narrower globs list what they match, and so does `*` in the sections the published format does not have.
 */
function restOf(
  table: NameTable<CompiledRule>,
  section: PolicySection,
  byDefault: PolicyDocument['default'],
): CompiledRule | undefined {
  return section === 'tools' && byDefault === 'deny' ? undefined : table.rest;
}

function ruleTable({ id, mode, sections }: PolicyDocument, section: PolicySection): NameTable<CompiledRule> {
  return new NameTable(
    [...sections[section]].map(([key, rule]) => [key, compileRule(rule, id, mode, pointerTo(section, key))] as const),
  );
}

function compileRule(rule: Rule, policy: string, mode: PolicyDocument['mode'], pointer: string): CompiledRule {
  return {
    policy,
    mode,
    pointer,
    rule,
    require: compilePredicates(rule.require, `${pointer}/require`),
    denyIf: compilePredicates(rule.denyIf, `${pointer}/deny_if`),
    approveIf: compileApprovals(rule, pointer),
    limits: compileLimits(rule.limits, policy, `${pointer}/limits`),
  };
}

/** `action: require_approval` comes first, and may stand in the list already, as a predicate without conditions. */
function compileApprovals({ action, reason, approveIf }: Rule, pointer: string): readonly CompiledPredicate[] {
  const list = `${pointer}/approve`;
  if (action !== 'require_approval') return compilePredicates(approveIf, list);
  const [first, ...others] = approveIf;
  const isThere = first !== undefined && first.name === undefined && first.conditions.length === 0;
  const always = {
    rule: `${pointer}/action`,
    reason: isThere ? (first.onDeny ?? reason) : reason,
    text: 'always',
    holds: () => true,
    always: true,
  };
  return [always, ...compilePredicates(isThere ? others : approveIf, list)];
}
