/**
 * Finds the one server whose resources include a URI spelled as that server spells it.
 * @module
 */
import type { ViewMember } from './facts.ts';
import { compileTemplate } from './uri-template.ts';

/** Templates of one server that are tried; matching is linear in their number. */
const MAX_TEMPLATES = 500;

export class OriginalUris {
  /** `null`: listed by more than one server. */
  readonly #listed = new Map<string, ViewMember | null>();
  readonly #templates: { member: ViewMember; matches: (uri: string) => boolean }[] = [];

  constructor(members: readonly ViewMember[]) {
    for (const member of members) {
      for (const { key } of member.catalog('resources').entries) {
        this.#listed.set(key, this.#listed.has(key) ? null : member);
      }
      for (const { key } of member.catalog('templates').entries.slice(0, MAX_TEMPLATES)) {
        const matches = compileTemplate(key);
        if (matches) this.#templates.push({ member, matches });
      }
    }
  }

  /** Undefined when no server owns the URI, or more than one does: never a guess. */
  owner(uri: string): ViewMember | undefined {
    const listed = this.#listed.get(uri);
    if (listed !== undefined) return listed ?? undefined;
    let found: ViewMember | undefined;
    for (const { member, matches } of this.#templates) {
      if (member === found || !matches(uri)) continue;
      if (found) return undefined;
      found = member;
    }
    return found;
  }
}
