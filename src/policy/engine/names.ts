/**
 * Finds the entry of a document for a name: the exact name first, then the first glob in the order of the document, then
 * `*`.
 *
 * Names are compared exactly, code unit by code unit. To upstreams `Delete` and `delete` are different names, and two Unicode
 * forms of one letter may be: a name that looks like an allowed one is not allowed. It is judged in its normal form too
 * (`spellings.ts`), so that one that looks like a forbidden name is forbidden.
 * @module
 */
import { type GlobMatcher, globMatcher, isGlob } from '../../core/globs.ts';
import { BrokenRule } from '../language/broken-rule.ts';
import type { Subject } from '../types.ts';
import type { Spelling } from './spellings.ts';

/**
 * Which names the keys of a document mean: the server's own (`original`, a document of one server), the gateway's
 * (`namespaced`), or both (a grant of exactly one server). For a grant of several servers an own name counts only where it
 * cannot be taken for another server's or for a builtin tool (`reserved`), so that a published document works as it is
 * pasted for each server that has the tool. Own names of servers that clients connect never count there: such a server
 * would get the rights of whatever it names its tools after.
 */
export type Naming = 'original' | 'namespaced' | 'both' | { readonly reserved: ReadonlySet<string> };

export function namesOf(
  naming: Naming,
  { name, namespaced, runtime }: Pick<Subject, 'name' | 'namespaced' | 'runtime'>,
): readonly string[] {
  if (naming === 'original') return [name];
  if (naming === 'namespaced' || name === namespaced) return [namespaced];
  if (naming === 'both') return [namespaced, name];
  const isMistakable = runtime || naming.reserved.has(name) || name.includes('__') || name.includes('+');
  return isMistakable ? [namespaced] : [namespaced, name];
}

interface Entry<T> {
  order: number;
  value: T;
}

export class NameTable<T> {
  /** The value of `*`. */
  readonly rest: T | undefined;
  readonly #exact = new Map<string, Entry<T>>();
  readonly #globs: { matches: GlobMatcher; value: T }[] = [];

  /** `spelling`: the table is asked for normal forms, so that its keys are folded too. */
  constructor(entries: Iterable<readonly [string, T]>, spelling?: Spelling) {
    let order = 0;
    for (const [key, value] of entries) {
      order += 1;
      if (key === '*') {
        this.rest = value;
        continue;
      }
      // URI templates and odd names look like globs; they are tried as names first. Of two keys that fold together the
      // first speaks.
      for (const name of spelling?.keys(key) ?? [key]) {
        if (!spelling || !this.#exact.has(name)) this.#exact.set(name, { order, value });
      }
      if (!isGlob(key)) continue;
      for (const glob of spelling?.globs(key) ?? [key]) {
        this.#globs.push({ matches: globMatcher(glob), value });
      }
    }
  }

  /** Throws {@link BrokenRule} when a name is too long to be tried against a glob that may be meant for it. */
  find(names: readonly string[]): T | undefined {
    return this.#exactly(names) ?? this.#byGlob(names);
  }

  #exactly(names: readonly string[]): T | undefined {
    let found: Entry<T> | undefined;
    for (const name of names) {
      const entry = this.#exact.get(name);
      if (entry && (!found || entry.order < found.order)) found = entry;
    }
    return found?.value;
  }

  #byGlob(names: readonly string[]): T | undefined {
    for (const { matches, value } of this.#globs) {
      for (const name of names) {
        const matched = matches(name);
        if (matched === undefined) throw new BrokenRule('the name is too long for a pattern of the document');
        if (matched) return value;
      }
    }
    return undefined;
  }
}
