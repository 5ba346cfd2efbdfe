/**
 * Finds the one server whose resources include a URI spelled as that server spells it.
 * @module
 */
import type { Entry } from '../../core/upstream.ts';
import type { ViewMember } from '../members/facts.ts';
import { type CompiledTemplate, templatesOf } from './offered-uris.ts';

interface Listed {
  member: ViewMember;
  entry: Entry;
  /** Another server's entry of the same URI. */
  next: Listed | undefined;
}

/** Whether an entry may lead to this URI. */
type Admits = (kind: 'resources' | 'templates', member: ViewMember, entry: Entry, uri: string) => boolean;

export class OriginalUris {
  readonly #listed = new Map<string, Listed>();
  readonly #templates: (CompiledTemplate & { member: ViewMember })[] = [];

  constructor(members: readonly ViewMember[]) {
    for (const member of members) {
      for (const entry of member.catalog('resources').entries) {
        this.#listed.set(entry.key, { member, entry, next: this.#listed.get(entry.key) });
      }
      for (const template of templatesOf(member.catalog('templates'))) this.#templates.push({ member, ...template });
    }
  }

  /** Undefined when no server, or more than one, has the URI among entries that `admits` accepts. */
  owner(uri: string, admits: Admits): ViewMember | undefined {
    let found: ViewMember | undefined;
    for (let listed = this.#listed.get(uri); listed; listed = listed.next) {
      if (!admits('resources', listed.member, listed.entry, uri)) continue;
      if (found) return undefined;
      found = listed.member;
    }
    if (found) return found;
    for (const { member, entry, matches } of this.#templates) {
      if (member === found || !matches(uri) || !admits('templates', member, entry, uri)) continue;
      if (found) return undefined;
      found = member;
    }
    return found;
  }
}
