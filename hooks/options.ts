/**
 * Options of built-in hooks, checked against their schema. What is wrong is said by its path, never by its value.
 * @module
 */
import type { z } from 'zod';
import { configError, pathText } from '../src/config/mistakes.ts';
import { nearest } from '../src/config/nearest.ts';

/** Throws `SWB_CONFIG` with a line for each mistake. */
export function readOptions<Schema extends z.ZodObject>(
  schema: Schema,
  options: Readonly<Record<string, unknown>>,
): z.infer<Schema> {
  const read = schema.safeParse(options);
  if (read.success) return read.data;
  throw configError(read.error.issues.map((issue) => lineOf(issue, Object.keys(schema.shape))));
}

/** A mistake that no schema can find. */
export const optionMistake = (path: readonly (string | number)[], problem: string): Error =>
  configError([`${pathText(['options', ...path])}: ${problem}.`]);

function lineOf(issue: z.core.$ZodIssue, known: readonly string[]): string {
  const where = pathText(['options', ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))]);
  if (issue.code !== 'unrecognized_keys') return `${where}: ${issue.message}.`;
  const hints = issue.keys.map((key) => {
    const near = issue.path.length === 0 ? nearest(key, known) : undefined;
    return `${JSON.stringify(key.slice(0, 80))}${near === undefined ? '' : ` (did you mean "${near}"?)`}`;
  });
  return `${where}: there is no option ${hints.join(', ')}.`;
}
