/**
 * Documents, subjects and callers for tests, with what a test does not care about filled in.
 * @module
 */

import type { Caller } from '../../../core/caller.ts';
import { identityOf } from '../../../core/identity.ts';
import type { ConditionOperator } from '../../language/operators.ts';
import {
  type Condition,
  type Limit,
  POLICY_SECTIONS,
  type PolicyDocument,
  type PolicySection,
  type Predicate,
  type Rule,
} from '../../language/types.ts';
import type { Denial, Subject, Verdict } from '../../types.ts';
import { compileDocument } from '../compile.ts';
import type { Naming } from '../names.ts';
import type { Plan } from '../plan.ts';
import { PolicySet } from '../policy-set.ts';

export const rule = (part: Partial<Rule> = {}): Rule => ({
  action: 'allow',
  reason: undefined,
  require: [],
  denyIf: [],
  approveIf: [],
  approvalTimeoutMs: 600_000,
  approver: 'client',
  limits: [],
  redact: [],
  schema: undefined,
  ...part,
});

export const limit = (part: Partial<Limit> = {}): Limit => ({
  counter: 'calls',
  windowMs: 60_000,
  windowName: 'minute',
  sliding: false,
  max: 10,
  scope: 'grant',
  increment: 1,
  incrementFrom: undefined,
  onDeny: undefined,
  ...part,
});

export const when = (path: string, op: ConditionOperator, value: unknown): Condition => ({ path, op, value });

export const predicate = (conditions: Condition[], part: Partial<Predicate> = {}): Predicate => ({
  name: undefined,
  conditions,
  onDeny: undefined,
  ...part,
});

type Rules = Readonly<Record<string, Partial<Rule>>>;

export type DocumentPart = Partial<Omit<PolicyDocument, 'sections'>> & Partial<Record<PolicySection, Rules>>;

export function document(part: DocumentPart = {}): PolicyDocument {
  const sections = POLICY_SECTIONS.map((section) => {
    const rules = Object.entries(part[section] ?? {});
    return [section, new Map(rules.map(([name, of]) => [name, rule(of)]))];
  });
  return {
    id: part.id ?? 'server:s',
    description: undefined,
    mode: part.mode ?? 'enforce',
    default: part.default ?? 'deny',
    hide: part.hide ?? [],
    allTools: part.allTools ?? [],
    sections: Object.fromEntries(sections),
  };
}

export const subject = (name: string, part: Partial<Subject> = {}): Subject => ({
  server: 's',
  section: 'tools',
  name,
  namespaced: `s__${name}`,
  builtin: false,
  entry: undefined,
  ...part,
});

export const caller = (principal = 'team', key = 'session-1'): Caller => ({
  key,
  principal,
  identity: identityOf(principal),
  era: 'modern',
  protocolVersion: '2026-07-28',
  capabilities: {},
  clientInfo: undefined,
  logLevel: undefined,
  sessionId: undefined,
});

export const setOf = (documents: readonly PolicyDocument[], naming: Naming = 'original'): PolicySet =>
  new PolicySet(documents.map((one) => compileDocument(one, naming)));

/** One document's plan for one tool. */
export const planOf = (part: DocumentPart, name = 'tool', naming: Naming = 'original'): Plan =>
  setOf([document(part)], naming).planFor(subject(name));

/** The denial of a verdict; throws when there is none. */
export function denialOf(verdict: Verdict): Denial {
  if (verdict.effect !== 'deny') throw new Error(`Not denied: ${verdict.effect}`);
  return verdict.denial;
}
