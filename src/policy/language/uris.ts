/**
 * The normal form of resource URIs, in which rules judge them beside the spelling of the request: the case of scheme,
 * host and escapes, escapes of characters that need none, dot segments and empty segments of the path (RFC 3986, 6.2.2),
 * and what the URL Standard reads alike (`file:/a`, `file://localhost/a`, default ports, tabs, IPv4 in other bases).
 * Servers look URIs up in one such form or the other, so spellings that any of them reads alike must be judged alike.
 *
 * Not folded, because servers tell it apart: `%2F`, `%3F`, `%23`, `%25` and `%5C`, the case of paths, forms of Unicode, a
 * slash at the end, the order of a query, the default ports of schemes that the URL Standard does not know. The query and
 * the fragment of a `file:` URI are left out: files have none.
 * @module
 */

const SPECIAL = /^(?:https?|wss?|ftp|file):/i;
const PARTS = /^([A-Za-z][A-Za-z0-9+.-]*:)(\/\/[^/?#]*)?([^?#]*)(\?[^#]*)?(#.*)?$/s;
/** A question mark of a glob is any character. */
const GLOB_PARTS = /^([A-Za-z][A-Za-z0-9+.-]*:)(\/\/[^/#]*)?([^#]*)()(#.*)?$/s;
/** Decoding can make a character that the URL Standard reads otherwise, which happens once at most. */
const MAX_ROUNDS = 6;

const GLOB_CHARACTER = /[*?[\]{}()!\\|"]/;
/** Stay encoded everywhere: they would end a part of the URI or are no text. */
const ENCODED = /[/?#%\\ \u0000-\u001f\u007f-\u009f]/;
/** Stay encoded in a query besides: they separate its members. */
const SEPARATOR = /[&=+;]/;

/** The normal form of a URI or URI template. */
export const normalUri = (uri: string): string => fold(uri, false);

/** The normal form of a glob over URIs: it matches the normal forms of what it means. */
export function normalUriGlob(glob: string): string {
  const negations = /^(?:!(?!\())*/.exec(glob)?.[0] ?? '';
  return negations + fold(glob.slice(negations.length), true);
}

function fold(text: string, isGlob: boolean): string {
  let folded = text;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = foldOnce(folded, isGlob);
    if (next === folded) return folded;
    folded = next;
  }
  return folded;
}

function foldOnce(text: string, isGlob: boolean): string {
  const trimmed = stripped(text);
  const usual = !isGlob && SPECIAL.test(trimmed) ? (URL.parse(trimmed)?.href ?? trimmed) : trimmed;
  const parts = (isGlob ? GLOB_PARTS : PARTS).exec(usual);
  if (!parts) return decoded(usual, isGlob, false);
  const [, scheme = '', authority, path = '', query = '', fragment = ''] = parts;
  const lowerScheme = scheme.toLowerCase();
  const hasTail = lowerScheme !== 'file:' && !lowerScheme.endsWith('+file:');
  return [
    lowerScheme,
    authority === undefined ? '' : foldAuthority(decoded(authority.slice(2), isGlob, false)),
    foldPath(decoded(path, isGlob, false)),
    hasTail ? decoded(query, isGlob, true) : '',
    hasTail ? decoded(fragment, isGlob, true) : '',
  ].join('');
}

/** Without what the URL Standard ignores. No expression does it in linear time. */
function stripped(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) <= 0x20) start += 1;
  while (end > start && text.charCodeAt(end - 1) <= 0x20) end -= 1;
  return text.slice(start, end).replace(/[\t\n\r]+/g, '');
}

function foldAuthority(authority: string): string {
  const host = authority.lastIndexOf('@') + 1;
  return `//${authority.slice(0, host)}${authority.slice(host).toLowerCase()}`;
}

function foldPath(path: string): string {
  const segments: string[] = [];
  const all = path.split('/');
  for (const segment of all) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  const isRooted = path.startsWith('/');
  if (segments.length === 0) return isRooted ? '/' : '';
  const last = all.at(-1);
  const isFolder = last === '' || last === '.' || last === '..';
  return `${isRooted ? '/' : ''}${segments.join('/')}${isFolder ? '/' : ''}`;
}

/** Every character decoded that can stand for itself, and every other encoded with upper-case digits. */
function decoded(text: string, isGlob: boolean, inQuery: boolean): string {
  const keep = (character: string): boolean => ENCODED.test(character) || (inQuery && SEPARATOR.test(character));
  const read = (character: string): string => {
    if (keep(character)) return encodeURIComponent(character);
    return isGlob && GLOB_CHARACTER.test(character) ? `\\${character}` : character;
  };
  return text
    .replace(/[\u0080-\u{10ffff} ]+/gu, (raw) => encodeURIComponent(raw.toWellFormed()))
    .replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => {
      try {
        return Array.from(decodeURIComponent(run), read).join('');
      } catch {
        // Not UTF-8: byte by byte.
        return run.toUpperCase().replace(/%[2-7][0-9A-F]/g, (byte) => read(decodeURIComponent(byte)));
      }
    });
}
