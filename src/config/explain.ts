/**
 * Turns zod's issues into messages people can act on: what was found, what is allowed, and the nearest known word. zod's own
 * `prettifyError` has neither the whole range, nor the known keys, and of a union only "Invalid input".
 * @module
 */

import type { z } from 'zod';
import { shorten } from '../core/text.ts';
import { ExactNumber } from '../wire/json/exact.ts';
import { isObject } from '../wire/jsonrpc.ts';
import { type JsonPath, pathKey } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import { nearest } from './nearest.ts';
import type { SchemaWords } from './schema/words.ts';

/** Below these keys, values are never quoted: they hold credentials, or text with credentials in it. */
const HIDDEN = new Set([
  'adminToken',
  'args',
  'auth',
  'broker',
  'clientSecret',
  'command',
  'credentials',
  'env',
  'grants',
  'headers',
  'httpUrl',
  'issuer',
  'key',
  'oauth',
  'options',
  'serverUrl',
  'state',
  'token',
  'url',
]);

type Issue = z.core.$ZodIssue;

/**
 * Reports every issue of one section. `base` is the section's path in the document that `words` speak of, `expanded` the
 * paths whose text came from ${…}.
 */
export function explain(
  issues: readonly Issue[],
  base: JsonPath,
  section: unknown,
  expanded: ReadonlySet<string>,
  findings: Findings,
  words: SchemaWords,
): void {
  const reported = new Set<string>();
  for (const issue of issues) {
    const inner = issue.path as (string | number)[];
    const path = [...base, ...inner];
    // An empty token is too short and has no allowed characters: one mistake.
    if (reported.has(pathKey(path)) && issue.code !== 'unrecognized_keys') continue;
    reported.add(pathKey(path));
    const alternative = issue.code === 'invalid_union' ? closestAlternative(issue) : undefined;
    if (alternative !== undefined) {
      explain(alternative, path, valueAt(section, inner), expanded, findings, words);
    } else if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) findings.mistake([...path, key], unknownKey(key, words.keysAt(path)));
    } else if (issue.code === 'custom') {
      findings.mistake(path, issue.message);
    } else if (issue.code === 'invalid_key') {
      findings.mistake(path, `found a name that is ${issue.path.at(-1) === '' ? 'empty' : 'too long'}; choose another`);
    } else {
      const value = valueAt(section, inner);
      findings.mistake(path, wrongValue(path, value, issue, expanded.has(pathKey(path)), words.allowedAt(path)));
    }
  }
}

export function unknownKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  return `found an unknown key${hint === '' ? ';' : hint} allowed: ${known.join(', ')}`;
}

function wrongValue(path: JsonPath, value: unknown, issue: Issue, isExpanded: boolean, allowed: string): string {
  let near: string | undefined;
  if (typeof value === 'string' && !isExpanded) {
    near = nearest(
      value,
      [...allowed.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? ''),
    );
  }
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  return `found ${found(path, value, isExpanded)}${whatIsWrong(value, issue)}${hint === '' ? ';' : hint} allowed: ${allowed}`;
}

/** Which rule a text that is not quoted, or a list, breaks. */
function whatIsWrong(value: unknown, issue: Issue): string {
  if (typeof value === 'number' || value === '' || (Array.isArray(value) && value.length === 0)) return '';
  if (issue.code === 'too_small') return ' that is too short';
  if (issue.code === 'too_big') return ' that is too long';
  return issue.code === 'invalid_format' ? ' with other characters' : '';
}

/** The type of a value, or the value itself when it is short and no secret. */
export function found(path: JsonPath, value: unknown, isExpanded = false): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (isObject(value) && !(value instanceof ExactNumber)) return 'an object';
  if (value === '') return 'an empty string';
  if (isExpanded) return 'another text in the variable';
  if (path.some((part) => typeof part === 'string' && HIDDEN.has(part)))
    return value instanceof ExactNumber ? 'a number' : `a ${typeof value}`;
  return shown(value);
}

export function shown(value: unknown): string {
  if (value instanceof ExactNumber)
    return `the number ${shorten(value.text, 40)}, which no double-precision number holds`;
  const text = JSON.stringify(value) ?? typeof value;
  return shorten(text, 60);
}

/** The alternative of a union whose shape fits and that has the fewest issues, when these lie inside it. */
function closestAlternative(issue: Extract<Issue, { code: 'invalid_union' }>): readonly Issue[] | undefined {
  const fitting = issue.errors.filter((issues) =>
    issues.every((inner) => inner.path.length > 0 || !isTypeIssue(inner)),
  );
  return fitting.reduce<readonly Issue[] | undefined>(
    (best, issues) => (best === undefined || wrongCount(issues) < wrongCount(best) ? issues : best),
    undefined,
  );
}

const wrongCount = (issues: readonly Issue[]): number =>
  issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1), 0);

const isTypeIssue = (issue: Issue): boolean => issue.code === 'invalid_type' || issue.code === 'invalid_value';

export function valueAt(root: unknown, path: JsonPath): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
