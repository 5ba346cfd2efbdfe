/**
 * The hook `rewrite-arguments`: changes the arguments of tools before they leave. The rules that match a tool are applied in
 * order; within one rule members are renamed, then removed, then given defaults, then set. Values may hold templates for the
 * caller's identity (`templates.ts`); the environment and files are never inserted.
 * @module
 */
import { z } from 'zod';
import {
  anyGlob,
  type Hook,
  type HookDecision,
  type HookInput,
  hookOptionError,
  readHookOptions,
} from '../src/policy/hooks/contract.ts';
import type { JsonObject } from './json.ts';
import { type Path, parsePath, pathProblem, removeAt, setAt, valueAt } from './paths.ts';
import { fill, knownOf, needsValue, templateProblem, Unfilled } from './templates.ts';

const MAX_MEMBERS = 100;
const valuesByPath = () => z.record(z.string(), z.json()).default({});

const optionsSchema = z.strictObject({
  rules: z
    .array(
      z.strictObject({
        /** Globs of the server's own names of tools (and prompts, agents). Default: all. */
        tools: z.array(z.string().min(1).max(256)).max(MAX_MEMBERS).default([]),
        /** From path to path; what is not there is not renamed. A member of the new name is replaced. */
        rename: z.record(z.string(), z.string()).default({}),
        remove: z.array(z.string()).max(MAX_MEMBERS).default([]),
        /** For members that are absent. null is a value. */
        default: valuesByPath(),
        /** Whatever was there. A value with `{{value}}` is only set where something was. */
        set: valuesByPath(),
      }),
    )
    .min(1)
    .max(MAX_MEMBERS),
});

type RuleOptions = z.infer<typeof optionsSchema>['rules'][number];

interface RewriteRule {
  concerns: (name: string) => boolean;
  rename: readonly (readonly [Path, Path])[];
  remove: readonly Path[];
  default: readonly (readonly [Path, unknown])[];
  set: readonly (readonly [Path, unknown])[];
}

export function rewriteArguments(given: Readonly<Record<string, unknown>>): Hook {
  const rules = readHookOptions(optionsSchema, given).rules.map(compile);
  return { name: 'rewrite-arguments', phases: ['call.before'], decide: (input) => decide(rules, input) };
}

function compile(rule: RuleOptions, index: number): RewriteRule {
  const path = (member: string, text: string): Path => {
    const problem = pathProblem(text);
    if (problem !== undefined) throw hookOptionError(['rules', index, member, text], problem);
    return parsePath(text);
  };
  const values = (member: 'default' | 'set') =>
    Object.entries(rule[member]).map(([text, value]) => {
      const problem = templateProblem(value);
      if (problem !== undefined) throw hookOptionError(['rules', index, member, text], problem);
      return [path(member, text), value] as const;
    });
  return {
    concerns: anyGlob(rule.tools),
    rename: Object.entries(rule.rename).map(([from, to]) => [path('rename', from), path('rename', to)] as const),
    remove: rule.remove.map((text) => path('remove', text)),
    default: values('default'),
    set: values('set'),
  };
}

function decide(rules: readonly RewriteRule[], input: HookInput): HookDecision | undefined {
  const matching = rules.filter(({ concerns }) => concerns(input.name));
  if (matching.length === 0) return undefined;
  const args = structuredClone(input.args ?? {}) as JsonObject;
  try {
    for (const rule of matching) rewrite(rule, args, input);
  } catch (error) {
    if (error instanceof Unfilled) return denied(`${error.message}, which this caller does not have`);
    if (error instanceof InTheWay) return denied(`"${error.message}", and something else is in the way`);
    throw error;
  }
  return { effect: 'allow', args };
}

const denied = (what: string): HookDecision => ({
  effect: 'deny',
  reason: `The gateway writes into the arguments of this call: ${what}.`,
});

/** A path through a value that is no object, or to an item the array does not have: the rule cannot be enforced. */
class InTheWay extends Error {}

function write(args: JsonObject, path: Path, value: unknown): void {
  if (!setAt(args, path, value)) throw new InTheWay(path.join('.'));
}

function rewrite(rule: RewriteRule, args: JsonObject, input: HookInput): void {
  for (const [from, to] of rule.rename) {
    const value = removeAt(args, from);
    if (value !== undefined) write(args, to, value);
  }
  for (const path of rule.remove) removeAt(args, path);
  for (const [path, value] of rule.default) {
    if (valueAt(args, path) === undefined) write(args, path, fill(value, knownOf(input, undefined)));
  }
  for (const [path, value] of rule.set) {
    const known = knownOf(input, valueAt(args, path));
    if (known.value === undefined && needsValue(value)) continue;
    write(args, path, fill(value, known));
  }
}
