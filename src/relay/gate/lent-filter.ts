/**
 * What the holder of a lent key sees: the tools it was lent, of those its lender may know, and nothing else.
 * @module
 */
import { globMatcher, isGlob } from '../../core/globs.ts';
import type { Identity, Lent } from '../../core/identity.ts';
import type { CatalogKind, Entry } from '../../core/upstream.ts';
import { nameCandidates } from '../../federation/names/naming.ts';
import type { Member, View, ViewFilter } from '../../federation/types.ts';
import type { Gate } from './gate.ts';

/** Requests that a lent key may make. */
const METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'server/discover',
  'ping',
  'logging/setLevel',
  'tools/list',
  'tools/call',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'subscriptions/listen',
]);

export const isOpenToLent = (method: string): boolean => METHODS.has(method);

/** The view as an identity may know it. */
export function viewFor(gate: Partial<Pick<Gate, 'viewFor'>> | undefined, identity: Identity, view: View): View {
  const own = gate?.viewFor?.(identity, view) ?? view;
  return identity.lent ? own.restricted(filterOf(identity.lent)) : own;
}

/** A filter ends with its key: views are kept by it. */
const filters = new WeakMap<Lent, LentFilter>();

function filterOf(lent: Lent): LentFilter {
  let filter = filters.get(lent);
  if (!filter) {
    filter = new LentFilter(lent);
    filters.set(lent, filter);
  }
  return filter;
}

class LentFilter implements ViewFilter {
  /** For each list whether it has a tool of this name. */
  readonly #lists: readonly ((name: string, isBuiltin: boolean) => boolean)[];

  constructor({ tools }: Lent) {
    this.#lists = tools.map(listed);
  }

  #has(name: string, isBuiltin: boolean): boolean {
    return this.#lists.every((has) => has(name, isBuiltin));
  }

  reaches(member: Member): boolean {
    const { name, builtin, config } = member;
    const isKnown = ({ key }: Entry): boolean => {
      const names = builtin ? [key] : nameCandidates(config.namespace, name, key);
      for (const exposed of names) if (this.#has(exposed, builtin)) return true;
      return false;
    };
    const agents = member.agentTools?.().byAgent.values() ?? [];
    return member.catalog('tools').entries.some(isKnown) || [...agents].some(isKnown);
  }

  /** Its tools are not known yet. */
  mayReach(): boolean {
    return true;
  }

  /** Agents by the name of their tool: for `callAgent`, where that is lent too. */
  knows(kind: CatalogKind, { builtin }: Member, _entry: Entry, exposed: string): boolean {
    return (kind === 'tools' || kind === 'agents') && this.#has(exposed, builtin);
  }

  lists(kind: CatalogKind, member: Member, entry: Entry, exposed: string): boolean {
    return this.knows(kind, member, entry, exposed);
  }

  knowsUri(): boolean {
    return false;
  }

  showsInstructions(): boolean {
    return false;
  }

  /** What was lent never changes. */
  onChanged(): () => void {
    return () => {};
  }
}

/** A glob never means a builtin tool: those change the gateway itself. */
function listed(names: readonly string[]): (name: string, isBuiltin: boolean) => boolean {
  const exact = new Set(names);
  const globs = names.filter(isGlob).map(globMatcher);
  return (name, isBuiltin) => exact.has(name) || (!isBuiltin && globs.some((matches) => matches(name) === true));
}
