/**
 * Redacts values that are secret because of their member's name, also in JSON inside a string: `"{\"password\":\"…\"}"`.
 * @module
 */
import type { Markers } from './credentials.ts';

export interface NamedSecrets {
  /** The marker's name for values under this member name; undefined where they are no secret. */
  nameOf(name: string): string | undefined;
  /** Replaces values under such names in JSON inside text. */
  redactText(text: string, markers: Markers): string;
}

/** Whether a value was replaced already. */
export const isMarker = (text: string, name: string): boolean => text === `<${name}>` || /^\*{0,3}$/.test(text);

/** `api_key`, `apiKey` and `API-Key` are one name. */
const plainName = (name: string): string => name.toLowerCase().replaceAll(/[-_ ]/g, '');

/** `API_KEY` for `api_key`. */
const shownName = (name: string): string =>
  name
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, '_')
    .slice(0, 40);

export function namedSecrets(names: readonly string[]): NamedSecrets | undefined {
  if (names.length === 0) return undefined;
  const shown = new Map(names.map((name) => [plainName(name), shownName(name)]));
  const nameOf = (name: string): string | undefined => (name.length > 100 ? undefined : shown.get(plainName(name)));
  return { nameOf, redactText: (text, markers) => redactMembers(text, nameOf, markers) };
}

/** A member's name and its colon, in JSON or in JSON inside JSON; and then a quote or the first character of a number. */
const MEMBER = /(\\{0,7})"([A-Za-z0-9_ -]{1,100})\1"\s{0,20}:\s{0,20}(?=\\{0,7}"|-?\d)/g;
const NUMBER = /-?\d[\d.eE+-]*/y;
const QUOTE = /\\{0,7}"/y;

function redactMembers(text: string, nameOf: NamedSecrets['nameOf'], markers: Markers): string {
  if (!text.includes('"')) return text;
  let redacted = '';
  let copied = 0;
  MEMBER.lastIndex = 0;
  for (let member = MEMBER.exec(text); member !== null; member = MEMBER.exec(text)) {
    const name = nameOf(member[2] ?? '');
    if (name === undefined) continue;
    const value = valueAt(text, MEMBER.lastIndex);
    const secret = text.slice(value.from, value.to);
    if (isMarker(secret, name)) continue;
    // A number becomes a string; the quotes are spelt as those of the name are.
    const quote = value.quoted ? '' : `${member[1] ?? ''}"`;
    redacted += `${text.slice(copied, value.from)}${quote}${markers.marker(name, secret)}${quote}`;
    copied = value.to;
    MEMBER.lastIndex = copied;
  }
  return redacted + text.slice(copied);
}

/** The span of a value without its quotes; a value without an end goes on to the end of the text. */
function valueAt(text: string, at: number): { from: number; to: number; quoted: boolean } {
  QUOTE.lastIndex = at;
  if (!QUOTE.test(text)) {
    NUMBER.lastIndex = at;
    NUMBER.test(text);
    return { from: at, to: NUMBER.lastIndex, quoted: false };
  }
  const from = QUOTE.lastIndex;
  const depth = from - at - 1;
  // A quote of the value itself has more backslashes before it than the one that opened it.
  for (let quote = text.indexOf('"', from); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (quote - backslashes > from && text[quote - backslashes - 1] === '\\') backslashes++;
    if (closes(backslashes, depth)) return { from, to: quote - Math.min(depth, backslashes), quoted: true };
  }
  return { from, to: text.length, quoted: true };
}

/**
 * Whether a quote after so many backslashes ends a string whose own quotes have `depth` of them. Backslashes of the value come
 * in groups of `2 * (depth + 1)`; a quote of the value has `2 * depth + 1` besides, and everything else ends the string, or
 * the one it stands in.
 */
const closes = (backslashes: number, depth: number): boolean => backslashes % (2 * (depth + 1)) !== 2 * depth + 1;
