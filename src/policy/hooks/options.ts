/**
 * Checks the options a hook is made with. Messages name the path of an option, never its value.
 * @module
 */
import type { z } from 'zod';
import { configError, pathText } from '../../config/mistakes.ts';
import { nearest } from '../../config/nearest.ts';

/** The options, with defaults. Throws `SWB_CONFIG` with a line for each mistake. */
export function readHookOptions<Schema extends z.ZodObject>(
  schema: Schema,
  options: Readonly<Record<string, unknown>>,
): z.infer<Schema> {
  const read = schema.safeParse(options);
  if (read.success) return read.data;
  throw configError(read.error.issues.map((issue) => lineOf(issue, Object.keys(schema.shape))));
}

/** What a factory throws for a mistake that no schema can find; `path` begins below `options`. */
export const hookOptionError = (path: readonly (string | number)[], problem: string): Error =>
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
