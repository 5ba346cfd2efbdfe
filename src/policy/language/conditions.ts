/**
 * Conditions and predicates as functions of the arguments. A predicate is conditions that hold together, under a name of
 * their own.
 *
 * A missing argument is `undefined` and satisfies no operator but `exists`, so that a `deny_if` does not match it and a
 * `require` is not met.
 * @module
 */
import { shorten } from '../../core/text.ts';
import { operatorOf } from './operators.ts';
import { parsePath, valueAt } from './paths.ts';
import { pointerTo } from './pointers.ts';
import type { Condition, Predicate } from './types.ts';

/** Throws `BrokenRule` when it cannot be evaluated. */
export type Test = (args: unknown) => boolean;

export interface CompiledPredicate {
  /** JSON pointer. */
  readonly rule: string;
  /** The document's reason for the caller. */
  readonly reason: string | undefined;
  /** Its conditions, for `policy explain`. */
  readonly text: string;
  readonly holds: Test;
  /** It has no conditions: it holds whatever the arguments are. */
  readonly always: boolean;
}

/** `pointer` is the list's. Two predicates of one list never share a name. */
export function compilePredicates(predicates: readonly Predicate[], pointer: string): CompiledPredicate[] {
  const taken = new Set<string>();
  return predicates.map((predicate, index) => {
    let name = nameOf(predicate, index);
    if (taken.has(name)) name = `${name}#${index}`;
    taken.add(name);
    return {
      rule: pointer + pointerTo(name),
      reason: predicate.onDeny,
      text: textOf(predicate),
      holds: allOf(predicate.conditions.map(compileCondition)),
      always: predicate.conditions.length === 0,
    };
  });
}

/** Never fails: a condition that makes no sense is a `BrokenRule` when it is evaluated. */
export function compileCondition({ path, op, value }: Condition): Test {
  const names = parsePath(path);
  const { compile, seesMissing } = operatorOf(op);
  const satisfies = compile(value);
  if (seesMissing) return (args) => satisfies(valueAt(args, names));
  return (args) => {
    const found = valueAt(args, names);
    return found !== undefined && satisfies(found);
  };
}

function allOf(tests: readonly Test[]): Test {
  const [only] = tests;
  if (only && tests.length === 1) return only;
  return (args) => {
    for (const test of tests) if (!test(args)) return false;
    return true;
  };
}

function nameOf({ name, conditions }: Predicate, index: number): string {
  if (name) return name;
  return conditions.map(({ path, op }) => `${path}-${op}`).join('+') || String(index);
}

const MAX_SHOWN = 200;

function textOf({ conditions }: Predicate): string {
  if (conditions.length === 0) return 'always';
  const text = conditions.map(({ path, op, value }) => `${path} ${op} ${JSON.stringify(value)}`).join(' and ');
  return shorten(text, MAX_SHOWN);
}
