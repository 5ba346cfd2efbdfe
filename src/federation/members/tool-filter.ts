/**
 * Which tools of a server exist for the gateway, by the globs of its entry.
 * @module
 */
import type { ServerConfig } from '../../config/types.ts';
import { globMatcher } from '../../core/globs.ts';

/**
 * Undefined when everything is shown. Exclusion wins; no include globs means all. A name too long to be tried against a
 * glob is not included by it, and is excluded by it.
 */
export function toolFilter({ include, exclude }: ServerConfig['tools']): ((name: string) => boolean) | undefined {
  if (include.length === 0 && exclude.length === 0) return undefined;
  const included = include.map(globMatcher);
  const excluded = exclude.map(globMatcher);
  return (name) =>
    (included.length === 0 || included.some((matches) => matches(name) === true)) &&
    excluded.every((matches) => matches(name) === false);
}
