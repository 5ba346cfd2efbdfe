/**
 * Checks arguments against the schema of a tool, and against the schemas of rules.
 *
 * A tool's own schema is its server's claim, and the server checks it again: where it cannot be used, or exceeds its budget,
 * the call passes and a warning is logged once. A rule's schema is the operator's: what it does not clearly allow is denied.
 * @module
 */

import type { Log } from '../../core/log.ts';
import type { Entry } from '../../core/upstream.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { problemsOf } from './problems.ts';
import { hasContent } from './schema-bounds.ts';
import type { Validator } from './validator.ts';
import { VALIDATOR_LIMITS, type ValidatorLimits, Validators } from './validators.ts';

/** Whose arguments, for the log. */
export interface CheckedTool {
  server: string;
  tool: string;
}

const NO_ARGUMENTS = Object.freeze({});
/** Arguments of at most this many parts are checked to the end, so that a model can correct everything at once. */
const SMALL = 500;
const MAX_WARNED = 1_000;

export class ArgumentChecks {
  readonly #log: Log;
  readonly #validators: Validators;
  readonly #warned = new Set<string>();

  constructor(log: Log, limits: ValidatorLimits = VALIDATOR_LIMITS) {
    this.#log = log;
    this.#validators = new Validators(limits);
  }

  /** What does not fit the `inputSchema` of a tool, at most ten; undefined when there is nothing against the call. */
  ofTool(entry: Entry, args: unknown, server: string): readonly string[] | undefined {
    const schema = entry.value.inputSchema;
    if (!hasContent(schema)) return undefined;
    const about = { server, tool: entry.key };
    const validator = this.#validators.get(entry, schema);
    if ('fault' in validator) {
      this.#warnOnce(about, validator.fault, 'The arguments of a tool are not checked: its schema cannot be used.');
      return undefined;
    }
    for (const pattern of validator.skipped) {
      this.#warnOnce(
        about,
        pattern.slice(0, 200),
        'A pattern in the schema of a tool cannot be run safely and is not checked.',
      );
    }
    try {
      const problems = problemsIn(validator, args);
      const given = problems && withoutOptionalNulls(schema, args);
      return given ? problemsIn(validator, given) : problems;
    } catch (error) {
      this.#warnOnce(about, whyOf(error), 'The arguments of a tool were not checked: there was no answer in time.');
      return undefined;
    }
  }

  /** The same for the schema of a policy's rule. `schema` is that of the document: the same object every time. */
  ofRule(schema: Readonly<JsonObject>, args: unknown, about: CheckedTool): readonly string[] | undefined {
    if (!hasContent(schema)) return undefined;
    const validator = this.#validators.get(schema, schema);
    const fault = 'fault' in validator ? validator.fault : faultOf(validator);
    if (fault !== undefined || 'fault' in validator) {
      this.#warnOnce(about, fault ?? '', "The schema of a policy's rule cannot be used: its calls are denied.");
      return ['args: the policy has a schema for them that cannot be used'];
    }
    try {
      return problemsIn(validator, args);
    } catch (error) {
      this.#warnOnce(about, whyOf(error), "Arguments were denied: a rule's schema had no answer in time.");
      return ['args: too large or too deep to be checked'];
    }
  }

  #warnOnce({ server, tool }: CheckedTool, why: string, message: string): void {
    const key = JSON.stringify([server, tool, why, message]);
    if (this.#warned.has(key)) return;
    if (this.#warned.size >= MAX_WARNED) this.#warned.clear();
    this.#warned.add(key);
    this.#log.warn({ server, tool, why }, message);
  }
}

function faultOf({ skipped: [pattern] }: Validator): string | undefined {
  return pattern === undefined
    ? undefined
    : `the pattern ${JSON.stringify(pattern.slice(0, 100))} cannot be run safely`;
}

/**
 * Clients and models write `null` for an argument that is not given (the official suite's client test does, SEP-2243), and
 * many servers accept it. Where the schema does not require the argument, the server decides whether it may be `null`.
 * Undefined: there is no such argument.
 */
function withoutOptionalNulls(schema: unknown, args: unknown): JsonObject | undefined {
  if (!isObject(args) || !isObject(schema)) return undefined;
  const required: readonly unknown[] = Array.isArray(schema.required) ? schema.required : [];
  const given = Object.entries(args).filter(([key, value]) => value !== null || required.includes(key));
  return given.length === Object.keys(args).length ? undefined : Object.fromEntries(given);
}

function problemsIn(validator: Validator, args: unknown = NO_ARGUMENTS): readonly string[] | undefined {
  const first = validator.firstErrors(args);
  if (first === undefined) return undefined;
  return problemsOf((isSmall(args) ? everything(validator, args) : undefined) ?? first);
}

function everything(validator: Validator, args: unknown): ReturnType<Validator['allErrors']> {
  try {
    return validator.allErrors(args);
  } catch {
    // The first error stands.
    return undefined;
  }
}

function isSmall(args: unknown): boolean {
  const open: unknown[] = [args];
  for (let parts = 1; open.length > 0; parts++) {
    const value = open.pop();
    const members = typeof value === 'object' && value !== null ? Object.values(value) : [];
    if (parts + open.length + members.length > SMALL) return false;
    open.push(...members);
  }
  return true;
}

/** Endless recursion in a schema ends with a stack overflow. */
const whyOf = (error: unknown): string => (error instanceof Error ? error.message : 'it failed');
