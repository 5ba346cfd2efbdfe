/**
 * Globs over names of servers and tools, as everywhere in the configuration: `*`, `?`, `[a-z]`, `{a,b}`.
 * @module
 */
import { globMatcher } from '../../core/globs.ts';

/**
 * Whether any of the globs matches. No globs match everything. Names come from servers: one too long to be tried is
 * concerned too, so that no name is a way around a hook.
 */
export function anyGlob(globs: readonly string[]): (name: string) => boolean {
  if (globs.length === 0 || globs.includes('*')) return () => true;
  const exact = new Set(globs);
  const matchers = globs.map(globMatcher);
  return (name) => exact.has(name) || matchers.some((matches) => matches(name) !== false);
}
