/**
 * Describes what is wrong with the arguments of a builtin tool: where, what was found, what is allowed. Values are quoted only
 * where the allowed ones are a fixed list: others may be secrets or whole prompts.
 * @module
 */

import type { z } from 'zod';
import { nearest } from '../config/nearest.ts';
import { shorten } from '../core/text.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';

export interface ArgumentProblem {
  /** `messages[0].role`; `arguments` for the whole. */
  path: string;
  /** What was found there and what is allowed. */
  problem: string;
}

/** More would not help anyone mend them. */
const MAX_PROBLEMS = 20;

/** More members than any argument has: checking each of a million takes seconds. */
const MAX_MEMBERS = 1_000;

/** Arguments too many to be checked one by one. */
export function memberCountProblem(given: JsonObject): ArgumentProblem | undefined {
  for (const [path, value] of [['arguments', given] as const, ...Object.entries(given).slice(0, MAX_MEMBERS)]) {
    const count = isObject(value) ? Object.keys(value).length : 0;
    if (count > MAX_MEMBERS) {
      return { path: shorten(path, 60), problem: foundAndAllowed(`${count} members`, `at most ${MAX_MEMBERS}`) };
    }
  }
  return undefined;
}

export function argumentProblems(error: z.ZodError, given: JsonObject, schema: z.ZodObject): ArgumentProblem[] {
  return error.issues.flatMap((issue) => problemsOf(issue, given, schema)).slice(0, MAX_PROBLEMS);
}

function problemsOf(issue: z.core.$ZodIssue, given: JsonObject, schema: z.ZodObject): ArgumentProblem[] {
  const path = pathText(issue.path);
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], given);
  const problem = (found: string, allowed: string): ArgumentProblem[] => [
    { path, problem: foundAndAllowed(found, allowed) },
  ];
  const found = typeName(value);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownArgument([...issue.path, key], schema));
    case 'invalid_type':
      return problem(found, issue.expected === 'record' ? 'object' : issue.expected);
    case 'invalid_value':
      return problem(quoted(value), issue.values.map(quoted).join(', '));
    case 'too_small':
      return problem(sized(value), `at least ${issue.minimum} ${unit(issue.origin)}`.trimEnd());
    case 'too_big':
      return problem(sized(value), `at most ${issue.maximum} ${unit(issue.origin)}`.trimEnd());
    case 'invalid_union':
      return problem(found, alternatives(issue));
    case 'custom':
      // Ours, a whole sentence part.
      return [{ path, problem: issue.message }];
    default:
      return problem(found, issue.message);
  }
}

const foundAndAllowed = (found: string, allowed: string): string => `found ${found}; allowed: ${allowed}`;

function unknownArgument(path: readonly PropertyKey[], schema: z.ZodObject): ArgumentProblem {
  const [key = '', ...inner] = path.map(String).reverse();
  // Aliases are understood, not advertised.
  const names = Object.entries(schema.shape)
    .filter(([, field]) => field.meta()?.deprecated !== true)
    .map(([name]) => name);
  const known = inner.length > 0 ? [] : names;
  const meant = nearest(key, known);
  const allowed = meant ? `${meant}, most likely` : known.length > 0 ? known.join(', ') : 'no further members';
  return { path: pathText(path), problem: foundAndAllowed('an unknown argument', allowed) };
}

function alternatives(issue: z.core.$ZodIssueInvalidUnion): string {
  const allowed = issue.errors.flatMap((errors) => {
    const [first] = errors;
    if (first === undefined) return [];
    if (first.code === 'invalid_type') return [first.expected === 'record' ? 'object' : first.expected];
    return [first.code === 'invalid_value' ? first.values.map(quoted).join(', ') : first.message];
  });
  return [...new Set(allowed)].join(' or ');
}

function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'arguments';
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? shorten(String(key), 60) : `${text}.${shorten(String(key), 60)}`;
  }, '');
}

function typeName(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : isObject(value) ? 'object' : typeof value;
}

function sized(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'an empty string' : `a string of ${value.length} characters`;
  if (Array.isArray(value)) return `${value.length} items`;
  return typeof value === 'number' ? String(value) : typeName(value);
}

const unit = (origin: string): string => (origin === 'string' ? 'characters' : origin === 'array' ? 'items' : '');

const quoted = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? shorten(JSON.stringify(value), 60)
    : typeName(value);
