/**
 * Globs over names that others choose: tools of upstreams, URIs, servers.
 *
 * A glob as a backtracking regular expression takes time that grows with a power of the name's length (five `*` and 256
 * characters: 52 s). So globs of stars alone are matched by hand in linear time, and others by an engine that does not
 * backtrack. What neither supports (`!(…)`, `{1..3}`, quotes) is left to picomatch, for names of bounded length.
 *
 * Names are not paths: `*` and `?` also match a slash and a leading dot. `?` is one code point. A leading `!` negates.
 * @module
 */
import picomatch from 'picomatch';
import { RE2JS } from 're2js';

/** 2025-11-25 server/tools, "Tool Names". */
const MAX_TRIED = 128;

/** Undefined: the name is too long to be tried against this glob in bounded time. Callers choose the safe side. */
export type GlobMatcher = (name: string) => boolean | undefined;

export const isGlob = (text: string): boolean => /[*?[\]{}()!\\|"]/.test(text);

export function globMatcher(glob: string): GlobMatcher {
  if (!/[?[\]{}()!\\|"]/.test(glob)) return starMatcher(glob.split('*'));
  const negations = /^(?:!(?!\())*/.exec(glob)?.[0].length ?? 0;
  const negated = negations % 2 === 1;
  const pattern = new Translation(glob.slice(negations)).pattern();
  const expression = pattern === undefined ? undefined : compiled(pattern);
  if (expression) return (name) => expression.matches(name) !== negated;
  // picomatch 4.0.7 loops for ever over a longer run of them at the end.
  if (/\\{3}/.test(glob)) return () => undefined;
  const matches = picomatch(glob, { bash: true, dot: true });
  return (name) => (name.length <= MAX_TRIED ? matches(name) : undefined);
}

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

/** `pieces` stand in this order with anything between them; the first begins the name and the last ends it. */
function starMatcher(pieces: readonly string[]): (name: string) => boolean {
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

const GROUP_SUFFIX: Readonly<Record<string, string>> = { '@': '', '?': '?', '*': '*', '+': '+' };

/** A glob as a regular expression in RE2's syntax. Undefined where it has a sign that has no such form. */
class Translation {
  readonly #glob: string;
  #at = 0;

  constructor(glob: string) {
    this.#glob = glob;
  }

  pattern(): string | undefined {
    const pattern = this.#sequence('');
    return this.#at < this.#glob.length ? undefined : pattern;
  }

  /** Up to the end, or to (and without) one of `ends`. */
  #sequence(ends: string): string | undefined {
    let out = '';
    while (this.#at < this.#glob.length) {
      const sign = this.#glob[this.#at] as string;
      if (ends.includes(sign)) return out;
      const piece = this.#piece(sign);
      if (piece === undefined) return undefined;
      // Stars in a row say no more than one.
      if (piece !== '.*' || !out.endsWith('.*')) out += piece;
    }
    return ends === '' ? out : undefined;
  }

  #piece(sign: string): string | undefined {
    const next = this.#glob[this.#at + 1];
    if (next === '(' && '@?*+!'.includes(sign)) return sign === '!' ? undefined : this.#group(2, sign);
    switch (sign) {
      case '*':
      case '?':
        this.#at += 1;
        return sign === '*' ? '.*' : '.';
      case '\\':
        if (next === undefined) return undefined;
        this.#at += 1;
        return this.#literal();
      case '[':
        return this.#set();
      case '{':
        return this.#braces();
      case '(':
        return this.#group(1, '@');
      case ')':
      case '|':
      case '"':
      case '}':
      case ']':
        return undefined;
      default:
        return this.#literal();
    }
  }

  #literal(): string {
    const sign = String.fromCodePoint(this.#glob.codePointAt(this.#at) as number);
    this.#at += sign.length;
    return RE2JS.quote(sign);
  }

  #group(opening: number, kind: string): string | undefined {
    this.#at += opening;
    const alternatives = this.#alternatives('|', ')');
    return alternatives && `(?:${alternatives.join('|')})${GROUP_SUFFIX[kind]}`;
  }

  /** Braces with one thing in them are braces: `{id}` of a URI template. `{1..3}` is not known here. */
  #braces(): string | undefined {
    this.#at += 1;
    const start = this.#at;
    const alternatives = this.#alternatives(',', '}');
    if (!alternatives || this.#glob.slice(start, this.#at).includes('..')) return undefined;
    return alternatives.length === 1 ? `\\{${alternatives[0]}\\}` : `(?:${alternatives.join('|')})`;
  }

  #alternatives(separator: string, closer: string): string[] | undefined {
    const found: string[] = [];
    for (;;) {
      const sequence = this.#sequence(separator + closer);
      if (sequence === undefined) return undefined;
      found.push(sequence);
      const sign = this.#glob[this.#at];
      this.#at += 1;
      if (sign === closer) return found;
    }
  }

  /** A range that ends before it begins is none: the brackets then stand for themselves. */
  #set(): string | undefined {
    const text = /^\[([!^]?)([^[\]\\]+)\]/u.exec(this.#glob.slice(this.#at));
    if (!text) return undefined;
    const [, negation, members = ''] = text;
    const set = `[${negation ? '^' : ''}${members.replace(/[\^&~]/g, '\\$&')}]`;
    this.#at += text[0].length;
    return compiled(set) ? set : RE2JS.quote(text[0]);
  }
}

function compiled(pattern: string): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch {
    return undefined;
  }
}
