/**
 * Recognises documents of Intercept. They look like published ones and mean something else (rules with `conditions` that
 * must hold, limits as text, YAML), so they are refused with messages that help to rewrite them.
 * @module
 */

import type { Mistake } from '../../config/mistakes.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { POLICY_SECTIONS } from './types.ts';

const UNITS = new Set(['second', 'minute', 'hour', 'day']);

/** The first part of the document in Intercept's dialect. */
export function interceptDialect(root: unknown): Mistake | undefined {
  if (!isObject(root)) return undefined;
  for (const section of POLICY_SECTIONS) {
    const names = root[section];
    if (!isObject(names)) continue;
    for (const [name, rule] of Object.entries(names)) {
      if (!isObject(rule)) continue;
      const found = inRule(name, rule);
      if (found !== undefined) return { path: [section, name, ...found.path], problem: found.problem };
    }
  }
  if (Object.hasOwn(root, 'approvals')) {
    return {
      path: ['approvals'],
      problem: `${dialect('a top-level "approvals"')}; write "approve" in the rule of each tool`,
    };
  }
  return undefined;
}

function inRule(name: string, rule: Record<string, unknown>): Mistake | undefined {
  if (typeof rule.rate_limit === 'string') return { path: ['rate_limit'], problem: textLimit(name, rule.rate_limit) };
  if (!Array.isArray(rule.rules)) return undefined;
  for (const [index, item] of rule.rules.entries()) {
    if (!isObject(item)) continue;
    const path = ['rules', index];
    if (item.state !== undefined) {
      return {
        path: [...path, 'state'],
        problem: `${dialect('"state"')}; write "limits": [{"counter": "…", "window": "hour", "max": 1}] beside "tools.${name}.require"`,
      };
    }
    if (typeof item.rate_limit === 'string') {
      return { path: [...path, 'rate_limit'], problem: textLimit(name, item.rate_limit) };
    }
    const sign = ['conditions', 'on_deny', 'name'].find((key) => Object.hasOwn(item, key));
    if (sign !== undefined || item.action === 'evaluate') {
      const what = sign === undefined ? '"action": "evaluate"' : `"${sign}" inside "rules"`;
      return {
        path,
        problem:
          `${dialect(what)}; its conditions must all hold for a call to pass: write ` +
          `"require": [{"conditions": […], "on_deny": "…"}] instead of "rules", and ` +
          `"deny_if": [{"conditions": []}] for "action": "deny"`,
      };
    }
  }
  return undefined;
}

const dialect = (what: string): string => `${what} is the dialect of Intercept’s YAML, which is not read`;

function textLimit(name: string, limit: string): string {
  const [, max = '5', unit = ''] = /^\s*(\d{1,15})\s*\/\s*([a-z]+?)s?\s*$/.exec(limit) ?? [];
  const window = UNITS.has(unit) ? unit : 'hour';
  const counter = JSON.stringify(`${name.slice(0, 80).toLowerCase()}_rate`);
  return (
    `${dialect('a "rate_limit" as text')}; write ` +
    `"limits": [{"counter": ${counter}, "window": "${window}", "max": ${max}}]`
  );
}

/** Whether text that is no JSON is YAML: its first line that is no comment is a key or a document marker. */
export function looksLikeYaml(text: string): boolean {
  const line = text.split(/\r?\n/, 200).find((candidate) => /^\s*[^\s#]/.test(candidate));
  return line !== undefined && /^(---|%YAML|[\w$-]{1,100}\s{0,8}:(\s|$))/.test(line.trim());
}
