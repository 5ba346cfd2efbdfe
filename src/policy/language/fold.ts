/**
 * Turns a checked document into a {@link PolicyDocument}: aliases are folded into one form, units become milliseconds, and
 * defaults are chosen.
 * @module
 */
import type { JsonPath } from '../../config/jsonc.ts';
import type { Findings } from '../../config/mistakes.ts';
import { DAY_MS } from '../../config/schema/fields.ts';
import type { PredicateEntry } from './schema/document.ts';
import {
  type LimitEntry,
  MAX_RULES,
  type PolicyEntry,
  type RateLimitEntry,
  type RuleEntry,
  WINDOW_MS,
} from './schema/document.ts';
import { type Limit, POLICY_SECTIONS, type PolicyDocument, type Predicate, type Rule } from './types.ts';

const UNIT_OF_DURATION: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** `id` is for counters, audit and messages. */
export function foldDocument(entry: PolicyEntry, id: string, findings: Findings): PolicyDocument {
  const sections = Object.fromEntries(
    POLICY_SECTIONS.map((section) => {
      const rules = Object.entries(entry[section] ?? {});
      if (rules.length > MAX_RULES) {
        findings.mistake([section], `found ${rules.length} names; allowed: ${MAX_RULES} at most`);
      }
      return [section, new Map(rules.map(([name, rule]) => [name, foldRule(name, rule, [section, name], findings)]))];
    }),
  ) as unknown as PolicyDocument['sections'];
  return {
    id,
    description: entry.description,
    mode: entry.mode,
    default: entry.default,
    hide: [...new Set(entry.hide)],
    allTools: foldLimits(entry.all_tools?.limits, ['all_tools', 'limits'], findings),
    sections,
  };
}

function foldRule(name: string, entry: RuleEntry, path: JsonPath, findings: Findings): Rule {
  const older = [{ action: entry.action, reason: entry.reason, rate_limit: entry.rate_limit }, ...(entry.rules ?? [])];
  const { action, reason } = strictest(older);
  const rates = older.flatMap(({ rate_limit }) => (rate_limit === undefined ? [] : [rateLimit(name, rate_limit)]));
  if (entry.approve !== undefined && entry.approve_if !== undefined) {
    findings.mistake([...path, 'approve_if'], 'found besides approve, which it is another name of; write one of them');
  }
  const approvals = foldApproval(entry.approve ?? entry.approve_if);
  return {
    action,
    reason,
    require: (entry.require ?? []).map(foldPredicate),
    denyIf: (entry.deny_if ?? []).map(foldPredicate),
    approveIf: action === 'require_approval' ? [always(reason), ...approvals] : approvals,
    approvalTimeoutMs: durationMs(entry.approval_timeout, [...path, 'approval_timeout'], findings),
    approver: entry.approver,
    limits: [...foldLimits(entry.limits, [...path, 'limits'], findings), ...leastOfEach(rates)],
    redact: [...new Set(entry.redact)],
    schema: entry.schema,
  };
}

const STRICTNESS = { allow: 0, require_approval: 1, deny: 2 } as const;

/** Of several older rules for one name, the strictest holds: the first that is as strict as any. */
function strictest(rules: readonly Pick<RuleEntry, 'action' | 'reason'>[]): Pick<Rule, 'action' | 'reason'> {
  let best: Pick<Rule, 'action' | 'reason'> = { action: 'allow', reason: undefined };
  for (const { action = 'allow', reason } of rules) {
    if (STRICTNESS[action] > STRICTNESS[best.action]) best = { action, reason };
    else if (action === best.action) best.reason ??= reason;
  }
  return best;
}

const always = (reason: string | undefined): Predicate => ({ name: undefined, conditions: [], onDeny: reason });

function foldApproval(approval: RuleEntry['approve']): Predicate[] {
  if (approval === undefined) return [];
  if (approval === true) return [always(undefined)];
  return Array.isArray(approval) ? approval.map(foldPredicate) : [foldPredicate(approval)];
}

function foldPredicate(entry: PredicateEntry): Predicate {
  const conditions =
    'conditions' in entry ? entry.conditions : [{ path: entry.path, op: entry.op, value: entry.value }];
  return { name: entry.name, conditions, onDeny: entry.on_deny };
}

function foldLimits(entries: readonly LimitEntry[] = [], path: JsonPath, findings: Findings): Limit[] {
  const seen = new Set<string>();
  return entries.map((entry, index) => {
    const limit = foldLimit(entry);
    const key = JSON.stringify([limit.counter, limit.windowMs, limit.sliding, limit.scope]);
    if (seen.has(key)) {
      findings.mistake(
        [...path, index, 'counter'],
        'found the same counter, window and scope a second time in one list; a call would count twice',
      );
    }
    seen.add(key);
    return limit;
  });
}

const foldLimit = (entry: LimitEntry): Limit => ({
  counter: entry.counter,
  windowMs: WINDOW_MS[entry.window],
  windowName: entry.window,
  sliding: entry.sliding,
  max: entry.max,
  scope: entry.scope === 'all' ? 'global' : entry.scope,
  increment: entry.increment,
  incrementFrom: entry.increment_from,
  onDeny: entry.on_deny,
  onStateFailure: entry.on_state_failure,
});

/** The published counter of a tool's `rate_limit`. */
function rateLimit(name: string, { max, window }: RateLimitEntry): Limit {
  const windowMs = typeof window === 'number' ? window * 1_000 : WINDOW_MS[window];
  return {
    counter: `${name.toLowerCase()}_rate`,
    windowMs,
    windowName: nameOfWindow(windowMs),
    sliding: false,
    max,
    scope: 'grant',
    increment: 1,
    incrementFrom: undefined,
    onDeny: undefined,
    onStateFailure: undefined,
  };
}

function nameOfWindow(windowMs: number): string {
  const unit = Object.entries(WINDOW_MS).find(([, length]) => length === windowMs)?.[0];
  return unit ?? `${windowMs / 1_000} seconds`;
}

/** Several rate limits of one window are one: a call must not count twice. */
function leastOfEach(limits: readonly Limit[]): Limit[] {
  const byWindow = new Map<number, Limit>();
  for (const limit of limits) {
    const other = byWindow.get(limit.windowMs);
    if (other === undefined || limit.max < other.max) byWindow.set(limit.windowMs, limit);
  }
  return [...byWindow.values()];
}

/** `10m`; the pattern is checked before. */
function durationMs(text: string, path: JsonPath, findings: Findings): number {
  const ms = Number(text.slice(0, -1)) * (UNIT_OF_DURATION[text.slice(-1)] ?? 0);
  if (ms < 1_000 || ms > DAY_MS) findings.mistake(path, `found ${JSON.stringify(text)}; allowed: from 1s to 24h`);
  return ms;
}
