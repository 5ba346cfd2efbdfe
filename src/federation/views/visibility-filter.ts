/**
 * What somebody may know of, as far as names and URIs are found by it.
 * @module
 */
import type { Member, ViewFilter } from '../types.ts';

export type VisibilityFilter = Pick<ViewFilter, 'reaches' | 'knows' | 'knowsUri'>;

/** A filter as it judges; of several, nobody says that they changed but they themselves. */
export type VisibilityRules = Omit<ViewFilter, 'onChanged'>;

/** Nothing is kept from whoever holds the view itself. */
export const EVERYTHING: VisibilityFilter = { reaches: () => true, knows: () => true, knowsUri: () => true };

/** What both let through. */
export function both(one: VisibilityRules, other: VisibilityRules): VisibilityRules {
  return {
    reaches: (member) => one.reaches(member) && other.reaches(member),
    knows: (...thing) => one.knows(...thing) && other.knows(...thing),
    lists: (...thing) => one.lists(...thing) && other.lists(...thing),
    knowsUri: (...thing) => one.knowsUri(...thing) && other.knowsUri(...thing),
    showsInstructions: (...said) => showsInstructions(one, ...said) && showsInstructions(other, ...said),
    prepare(kind, routes) {
      const first = one.prepare?.(kind, routes);
      const second = other.prepare?.(kind, routes);
      return first && second ? Promise.all([first, second]).then(() => {}) : (first ?? second);
    },
  };
}

export const showsInstructions = (filter: VisibilityRules, member: Member, text: string): boolean =>
  filter.showsInstructions?.(member, text) ?? true;
