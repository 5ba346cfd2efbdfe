/**
 * Compiles a document: names into tables, conditions into functions, regular expressions, each once.
 * @module
 */

import { isGlob } from '../../core/globs.ts';
import { type CompiledPredicate, compilePredicates } from '../language/conditions.ts';
import { BrokenRule, operatorOf } from '../language/operators.ts';
import { pointerTo } from '../language/pointers.ts';
import {
  type Condition,
  POLICY_SECTIONS,
  type PolicyDocument,
  type PolicySection,
  type Predicate,
  type Rule,
} from '../language/types.ts';
import { normalUri, normalUriGlob } from '../language/uris.ts';
import type { AppliedRule, Subject } from '../types.ts';
import { type CompiledLimit, compileLimits } from './limits.ts';
import { NameTable, type Naming, namesOf, normalForms } from './names.ts';

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
  /** Whether what it hides may be a URI. */
  readonly hidesUris: boolean;
  /** Whether a URI in it is not in its normal form, so that the normal form of a URI is judged even where it was sent. */
  readonly hasOtherUris: boolean;
  standingOf(subject: Pick<Subject, 'section' | 'name' | 'namespaced' | 'template' | 'normal'>): Standing;
}

/** The names of a document, as they are written or (of resources) in their normal form. */
interface Tables {
  hidden: NameTable<true>;
  sections: Readonly<Record<PolicySection, NameTable<CompiledRule>>>;
}

/** Every URI has a colon, which a glob may stand for. */
const mayBeUri = (name: string): boolean => /[:*?[{!]/.test(name);

/** Never fails: a rule that makes no sense denies when it is evaluated. */
export function compileDocument(document: PolicyDocument, naming: Naming): CompiledDocument {
  const { id, mode } = document;
  const written = tablesOf(document, false);
  const { hidden } = written;
  let normal: Tables | undefined;
  const byDefault: Standing = { kind: document.default === 'allow' ? 'allowed' : 'denied' };
  return {
    id,
    mode,
    allowsByDefault: document.default === 'allow' && hidden.rest === undefined,
    allTools: compileLimits(document.allTools, id, pointerTo('all_tools', 'limits')),
    hides: document.hide.length > 0,
    hidesUris: document.hide.some(mayBeUri),
    hasOtherUris: hasOtherUris(document),
    standingOf(subject) {
      if (subject.normal) normal ??= tablesOf(document, true);
      const { hidden, sections } = (subject.normal && normal) || written;
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

const tablesOf = (document: PolicyDocument, normal: boolean): Tables => ({
  hidden: new NameTable(
    document.hide.map((key) => [key, true] as const),
    normal,
  ),
  sections: Object.fromEntries(
    POLICY_SECTIONS.map((section) => [section, ruleTable(document, section, normal)]),
  ) as Record<PolicySection, NameTable<CompiledRule>>,
});

/** Stands for the policy of a grant that has none: every call is denied. */
export const noPolicy = (id: string): CompiledDocument => ({
  id,
  mode: 'enforce',
  allowsByDefault: false,
  allTools: [],
  hides: false,
  hidesUris: false,
  hasOtherUris: false,
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

function ruleTable(
  { id, mode, sections }: PolicyDocument,
  section: PolicySection,
  normal: boolean,
): NameTable<CompiledRule> {
  return new NameTable(
    [...sections[section]].map(
      ([key, rule]) => [key, compileRule(rule, normal, id, mode, pointerTo(section, key))] as const,
    ),
    normal,
  );
}

function compileRule(
  rule: Rule,
  normal: boolean,
  policy: string,
  mode: PolicyDocument['mode'],
  pointer: string,
): CompiledRule {
  const { require, denyIf, approveIf } = normal ? withNormalUris(rule) : rule;
  return {
    policy,
    mode,
    pointer,
    rule,
    require: compilePredicates(require, `${pointer}/require`),
    denyIf: compilePredicates(denyIf, `${pointer}/deny_if`),
    approveIf: compileApprovals({ ...rule, approveIf }, pointer),
    limits: compileLimits(rule.limits, policy, `${pointer}/limits`),
  };
}

function hasOtherUris({ hide, sections }: PolicyDocument): boolean {
  const isOther = (key: string): boolean => normalForms(key, isGlob(key) ? normalUriGlob : normalUri)[0] !== key;
  if (hide.some(isOther) || [...sections.resources.keys()].some(isOther)) return true;
  return [...sections.resources.values()].some((rule) => {
    const { require, denyIf, approveIf } = rule;
    return JSON.stringify({ require, denyIf, approveIf }) !== JSON.stringify(withNormalUris(rule));
  });
}

/** The rule with the URIs that `args.uri` is compared with in their normal form. Parts of URIs and expressions stay. */
function withNormalUris(rule: Rule): Pick<Rule, 'require' | 'denyIf' | 'approveIf'> {
  const folded = (value: unknown): unknown => (typeof value === 'string' ? normalUri(value) : value);
  const ofCondition = (condition: Condition): Condition => {
    const { path, op, value } = condition;
    if (path !== 'args.uri' || !operatorOf(op).wholeValue) return condition;
    return { path, op, value: Array.isArray(value) ? value.map(folded) : folded(value) };
  };
  const ofAll = (predicates: readonly Predicate[]): Predicate[] =>
    predicates.map((predicate) => ({ ...predicate, conditions: predicate.conditions.map(ofCondition) }));
  return { require: ofAll(rule.require), denyIf: ofAll(rule.denyIf), approveIf: ofAll(rule.approveIf) };
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
