/**
 * Which tools of a server exist for the gateway: include and exclude globs over their original names.
 *
 * Names come from upstreams, and a glob as a regular expression takes time that grows with a power of the name's length
 * (five `*` and 256 characters: 52 s). So globs of stars alone are matched by hand in linear time, and the others only
 * against names of the length the specification allows.
 * @module
 */
import picomatch from 'picomatch';
import type { ServerConfig } from '../config/types.ts';

/** 2025-11-25 server/tools, "Tool Names". A longer one matches no glob that is not stars alone. */
const MAX_NAME = 128;

// Names are not paths: `*` also matches a slash and a leading dot.
const OPTIONS = { bash: true, dot: true } as const;

type Matcher = (name: string) => boolean;

/** Undefined when everything is shown. Exclusion wins; no include globs means all. */
export function toolFilter({ include, exclude }: ServerConfig['tools']): Matcher | undefined {
  if (include.length === 0 && exclude.length === 0) return undefined;
  const included = include.map(globMatcher);
  const excluded = exclude.map(globMatcher);
  return (name) =>
    (included.length === 0 || included.some((matches) => matches(name))) && !excluded.some((matches) => matches(name));
}

function globMatcher(glob: string): Matcher {
  if (/^[\w *.:/-]*$/.test(glob)) return starMatcher(glob.split('*'));
  const matches = picomatch(glob, OPTIONS);
  return (name) => name.length <= MAX_NAME && matches(name);
}

/** `pieces` stand in this order with anything between them; the first begins the name and the last ends it. */
function starMatcher(pieces: readonly string[]): Matcher {
  const [first = '', ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return (name) => name === first;
  return (name) => {
    if (!name.startsWith(first) || !name.endsWith(last)) return false;
    let at = first.length;
    for (const piece of rest) {
      const found = name.indexOf(piece, at);
      if (found === -1) return false;
      at = found + piece.length;
    }
    return at + last.length <= name.length;
  };
}
