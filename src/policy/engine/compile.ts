/**
 * Compiles a document: names into tables, conditions into functions, regular expressions, each once.
 * @module
 */

import { isGlob } from '../../core/globs.ts';
import { BrokenRule } from '../language/broken-rule.ts';
import { type CompiledPredicate, compilePredicates } from '../language/conditions.ts';
import { operatorOf } from '../language/operators.ts';
import { pointerTo } from '../language/pointers.ts';
import {
  type Condition,
  POLICY_SECTIONS,
  type PolicyDocument,
  type PolicySection,
  type Predicate,
  type Rule,
} from '../language/types.ts';
import type { AppliedRule, Subject } from '../types.ts';
import { type CompiledLimit, compileLimits } from './limits.ts';
import { NameTable, type Naming, namesOf } from './names.ts';
import { type Spelling, spellingOf, type UriArgument } from './spellings.ts';

export interface CompiledRule extends AppliedRule {
  readonly require: readonly CompiledPredicate[];
  readonly denyIf: readonly CompiledPredicate[];
  readonly approveIf: readonly CompiledPredicate[];
  readonly limits: readonly CompiledLimit[];
}

/** What a document decides about a subject before it sees arguments. `broken`: a rule cannot be evaluated, so every call is denied. */
export type Standing =
  | { kind: 'hidden' | 'allowed' | 'denied' | 'no-policy' }
  /** `isRest`: by `*` alone. */
  | { kind: 'listed'; rule: CompiledRule; isRest: boolean }
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
  /** Whether a name or URI in it is not in its normal form, so that the normal form of a subject is judged even where it came in that. */
  hasOtherSpellings(spelling: Spelling): boolean;
  standingOf(subject: Pick<Subject, 'section' | 'name' | 'namespaced' | 'template' | 'normal' | 'builtin'>): Standing;
}

/** The names of a document, as they are written or in one of their normal forms. */
interface Tables {
  hidden: NameTable<true>;
  sections: Readonly<Record<PolicySection, NameTable<CompiledRule>>>;
}

/** Every URI has a colon, which a glob may stand for. */
const mayBeUri = (name: string): boolean => /[:*?[{!]/.test(name);

/** Never fails: a rule that makes no sense denies when it is evaluated. */
export function compileDocument(document: PolicyDocument, naming: Naming): CompiledDocument {
  const { id, mode } = document;
  const written = tablesOf(document);
  const { hidden } = written;
  const normal = new Map<Spelling, Tables>();
  const others = new Map<Spelling, boolean>();
  const tablesIn = (spelling: Spelling): Tables => kept(normal, spelling, () => tablesOf(document, spelling));
  const byDefault: Standing = { kind: document.default === 'allow' ? 'allowed' : 'denied' };
  return {
    id,
    mode,
    allowsByDefault: document.default === 'allow' && hidden.rest === undefined,
    allTools: compileLimits(document.allTools, id, pointerTo('all_tools', 'limits')),
    hides: document.hide.length > 0,
    hidesUris: document.hide.some(mayBeUri),
    hasOtherSpellings: (spelling) => kept(others, spelling, () => hasOther(document, spelling)),
    standingOf(subject) {
      const { hidden, sections } = subject.normal ? tablesIn(spellingOf(subject)) : written;
      const names = namesOf(naming, subject);
      const template = subject.template && namesOf(naming, subject.template);
      if (hidden.rest || isHidden(hidden, names) || (template && isHidden(hidden, template))) return { kind: 'hidden' };
      try {
        const table = sections[subject.section];
        const listed = table.find(names) ?? (template && table.find(template));
        const rule = listed ?? restOf(table, subject.section, document.default);
        return rule ? { kind: 'listed', rule, isRest: listed === undefined } : byDefault;
      } catch (error) {
        return { kind: 'broken', why: whyBroken(error) };
      }
    },
  };
}

function kept<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

const tablesOf = (document: PolicyDocument, spelling?: Spelling): Tables => ({
  hidden: new NameTable(
    document.hide.map((key) => [key, true] as const),
    spelling,
  ),
  sections: Object.fromEntries(
    POLICY_SECTIONS.map((section) => [section, ruleTable(document, section, spelling)]),
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
  hasOtherSpellings: () => false,
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
  spelling: Spelling | undefined,
): NameTable<CompiledRule> {
  return new NameTable(
    [...sections[section]].map(
      ([key, rule]) => [key, compileRule(rule, spelling, id, mode, pointerTo(section, key))] as const,
    ),
    spelling,
  );
}

function compileRule(
  rule: Rule,
  spelling: Spelling | undefined,
  policy: string,
  mode: PolicyDocument['mode'],
  pointer: string,
): CompiledRule {
  const { require, denyIf, approveIf } = withNormalUris(rule, spelling);
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

function hasOther({ hide, sections }: PolicyDocument, spelling: Spelling): boolean {
  // What looks like a glob is tried as a name too.
  const isOther = (key: string): boolean =>
    [...spelling.keys(key), ...(isGlob(key) ? spelling.globs(key) : [])].some((form) => form !== key);
  const about = POLICY_SECTIONS.filter((section) => spelling.sections.includes(section)).map(
    (section) => sections[section],
  );
  if (hide.some(isOther) || about.some((rules) => [...rules.keys()].some(isOther))) return true;
  const { uri } = spelling;
  if (!uri) return false;
  return about.some((rules) =>
    [...rules.values()].some(({ require, denyIf, approveIf }) =>
      [...require, ...denyIf, ...approveIf].some(({ conditions }) =>
        conditions.some((condition) => {
          if (condition.path !== `args.${uri.argument}`) return false;
          // Where the argument is the subject's name, it is in its normal form when the subject is.
          return !uri.isName || JSON.stringify(withNormalUri(condition, uri)) !== JSON.stringify(condition);
        }),
      ),
    ),
  );
}

/** The rule with the URIs that the argument is compared with in their normal form. Parts of URIs and expressions stay. */
function withNormalUris(rule: Rule, spelling: Spelling | undefined): Pick<Rule, 'require' | 'denyIf' | 'approveIf'> {
  const { require, denyIf, approveIf } = rule;
  const uri = spelling?.uri;
  if (!uri) return { require, denyIf, approveIf };
  const ofAll = (predicates: readonly Predicate[]): Predicate[] =>
    predicates.map((predicate) => ({
      ...predicate,
      conditions: predicate.conditions.map((condition) => withNormalUri(condition, uri)),
    }));
  return { require: ofAll(require), denyIf: ofAll(denyIf), approveIf: ofAll(approveIf) };
}

function withNormalUri(condition: Condition, { argument, fold }: UriArgument): Condition {
  const { path, op, value } = condition;
  if (path !== `args.${argument}` || !operatorOf(op).wholeValue) return condition;
  const folded = (each: unknown): unknown => (typeof each === 'string' ? fold(each) : each);
  return { path, op, value: Array.isArray(value) ? value.map(folded) : folded(value) };
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
