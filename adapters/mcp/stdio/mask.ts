/**
 * What a child writes to stderr goes to the log, and programs repeat what they were given: a key they could not use, the
 * command line they were started with. The values of the configuration are taken out of it.
 * @module
 */
import type { Target } from '../../../src/core/adapter.ts';

/** Shorter values are words and numbers of everyday use, and no secret worth the name. */
const SHORTEST = 8;
const MASK = '[redacted]';

/** Takes the environment values of a target, and those of its arguments that name no file, out of a line. */
export function masking({ env, args }: Target & { transport: 'stdio' }): (line: string) => string {
  const values = new Set([...Object.values(env), ...args.map(secretOf)].filter((value) => value.length >= SHORTEST));
  // Of two values one may be part of the other.
  const longestFirst = [...values].sort((a, b) => b.length - a.length);
  return (line) => longestFirst.reduce((masked, value) => masked.replaceAll(value, MASK), line);
}

/** `--key=value` is its value. Options and paths are what makes a message useful; keys are neither. */
function secretOf(arg: string): string {
  const value = arg.startsWith('-') ? arg.slice(arg.indexOf('=') + 1 || arg.length) : arg;
  return /^[.~]?[\\/]|^[A-Za-z]:[\\/]|^[\w@./\\-]+\.[a-z]{1,4}$/.test(value) ? '' : value;
}
