/**
 * Reads one section of the file: variables are expanded, keys and types checked.
 * @module
 */
import type { z } from 'zod';
import { type Environment, type ExpandProblem, expand } from './expand.ts';
import { explain, valueAt } from './explain.ts';
import { type JsonPath, pathKey } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import type { SchemaWords } from './schema/words.ts';

export interface Section<T> {
  value: T;
  /** Paths (`pathKey`) of strings left as they are, because a variable in them is not set. */
  unresolved: ReadonlySet<string>;
}

export class SectionReader {
  readonly env: Environment;
  readonly #findings: Findings;
  readonly #words: SchemaWords;

  /** `words` describe the whole file. */
  constructor(env: Environment, findings: Findings, words: SchemaWords) {
    this.env = env;
    this.#findings = findings;
    this.#words = words;
  }

  /**
   * Returns undefined, and reports every mistake, when there is any. `matters` decides which problems of expansion are
   * mistakes: a server that is disabled may name variables that are not set. `envOf` gives members of the section an
   * environment of their own.
   */
  read<T>(
    schema: z.ZodType<T>,
    raw: unknown,
    path: JsonPath,
    matters: (problem: ExpandProblem) => boolean = () => true,
    envOf?: (member: string) => Environment | undefined,
  ): Section<T> | undefined {
    const { value, expanded, unresolved, problems } = expand(raw, path, this.env, envOf);
    for (const problem of problems) if (matters(problem)) this.#findings.mistake(problem.path, problem.problem);
    let result = schema.safeParse(value);
    if (!result.success && settle(result.error.issues, value, path, expanded, unresolved))
      result = schema.safeParse(value);
    if (result.success) return { value: result.data, unresolved };
    explain(result.error.issues, path, value, expanded, this.#findings, this.#words);
    return undefined;
  }
}

/**
 * Variables are text. Where a number or a boolean must be and the text of a variable is one, it is converted:
 * `"port": "${PORT:-7300}"`. Text written in the file itself is not converted; there it is a mistake. Strings with unset
 * variables are removed: they are reported already, or do not matter. Returns whether anything changed.
 */
function settle(
  issues: readonly z.core.$ZodIssue[],
  root: unknown,
  base: JsonPath,
  expanded: ReadonlySet<string>,
  unresolved: ReadonlySet<string>,
): boolean {
  let changed = false;
  for (const issue of issues) {
    const path = issue.path as (string | number)[];
    const key = path.at(-1);
    if (key === undefined) continue;
    const text = valueAt(root, path);
    const parent = valueAt(root, path.slice(0, -1)) as Record<string | number, unknown>;
    const converted = expanded.has(pathKey([...base, ...path])) ? convert(text, issue) : undefined;
    if (converted !== undefined) parent[key] = converted;
    else if (unresolved.has(pathKey([...base, ...path]))) delete parent[key];
    else continue;
    changed = true;
  }
  return changed;
}

function convert(text: unknown, issue: z.core.$ZodIssue): number | boolean | undefined {
  if (issue.code !== 'invalid_type') return undefined;
  if (issue.expected === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  if (issue.expected === 'number' && typeof text === 'string' && /^-?\d+$/.test(text)) return Number(text);
  return undefined;
}
