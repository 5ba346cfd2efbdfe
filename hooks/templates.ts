/**
 * Templates in values that are written into arguments: `{{session}}`, `{{grant}}`, `{{principal}}`, `{{value}}` (what stood
 * there before), and alternatives of which the first that is known is taken: `{{session|principal}}`. Braces of their own,
 * because `${…}` in the configuration is a variable of the environment, which arguments never see.
 * @module
 */

import type { HookInput } from '../src/policy/hooks/contract.ts';
import { isObject } from './json.ts';

const WORDS = ['session', 'grant', 'principal', 'value'] as const;
type Word = (typeof WORDS)[number];

const TEMPLATE = /\{\{([^{}]{0,200})\}\}/g;

export type Known = Readonly<Record<Word, string | undefined>>;

/** The values of templates for this call. `value` is known only where text or a number stood. */
export const knownOf = ({ session, grant, principal }: HookInput, value: unknown): Known => ({
  session,
  grant,
  principal,
  value: typeof value === 'string' || typeof value === 'number' ? String(value) : undefined,
});

/** What is wrong with the templates anywhere in a value, or undefined. */
export function templateProblem(value: unknown): string | undefined {
  for (const text of textsIn(value)) {
    for (const [whole, inner = ''] of text.matchAll(TEMPLATE)) {
      const strange = inner.split('|').find((word) => !WORDS.includes(word.trim() as Word));
      if (strange !== undefined)
        return `${whole} is no template; allowed: ${WORDS.map((word) => `{{${word}}}`).join(', ')}`;
    }
  }
  return undefined;
}

/** Whether a value holds `{{value}}` without an alternative. */
export const needsValue = (value: unknown): boolean =>
  textsIn(value).some((text) => [...text.matchAll(TEMPLATE)].some(([, inner]) => inner?.trim() === 'value'));

/** The first template without a known value. */
export class Unfilled extends Error {}

/** A copy with every template filled. Throws {@link Unfilled}. Inserted values are not searched for templates. */
export function fill(value: unknown, known: Known): unknown {
  if (typeof value === 'string') {
    return value.replaceAll(TEMPLATE, (whole, inner: string) => {
      for (const word of inner.split('|')) {
        const text = known[word.trim() as Word];
        if (text !== undefined) return text;
      }
      throw new Unfilled(whole);
    });
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, known));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, known)]));
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsIn);
  return isObject(value) ? Object.values(value).flatMap(textsIn) : [];
}
