/**
 * Globs over names of servers and tools, as everywhere in the configuration: `*`, `?`, `[a-z]`, `{a,b}`.
 * @module
 */
import picomatch from 'picomatch';

/**
 * Names come from servers, and a glob as a regular expression takes time that grows with a power of the name's length. So
 * longer names (2025-11-25 server/tools, "Tool Names") match no glob but `*`.
 */
const MAX_NAME = 128;
const OPTIONS = { bash: true, dot: true } as const;

/** Whether any of the globs matches. No globs match everything. */
export function anyGlob(globs: readonly string[]): (name: string) => boolean {
  if (globs.length === 0 || globs.includes('*')) return () => true;
  const exact = new Set(globs);
  const matchers = globs.map((glob) => picomatch(glob, OPTIONS));
  return (name) => exact.has(name) || (name.length <= MAX_NAME && matchers.some((matches) => matches(name)));
}
