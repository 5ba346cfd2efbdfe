/**
 * The normal form of resource URIs, in which rules judge them beside the spelling of the request: the case of scheme,
 * host and escapes, escapes of characters that need none, dot segments and empty segments of the path (RFC 3986, 6.2.2),
 * what the URL Standard reads alike (`file:/a`, `file://localhost/a`, tabs), spellings of one host, ports that the scheme
 * has anyway, and letters that are composed of several characters (NFC; file systems fold them).
 * Servers look URIs up in one such form or the other, so spellings that any of them reads alike must be judged alike.
 *
 * Not folded, because servers tell it apart: `%2F`, `%3F`, `%23`, `%25` and `%5C`, the case of paths, a slash at the end, the
 * order of a query. The query and the fragment of a `file:` URI are left out: files have none.
 * @module
 */
import { normalHost } from './hosts.ts';

const SPECIAL = /^(?:https?|wss?|ftp|file):/i;
const PARTS = /^([A-Za-z][A-Za-z0-9+.-]*:)(\/\/[^/?#]*)?([^?#]*)(\?[^#]*)?(#.*)?$/s;
/** A question mark of a glob is any character. */
const GLOB_PARTS = /^([A-Za-z][A-Za-z0-9+.-]*:)(\/\/[^/#]*)?([^#]*)()(#.*)?$/s;
/** Decoding can make a character that the URL Standard reads otherwise, which happens once at most. */
const MAX_ROUNDS = 6;

const GLOB_CHARACTER = /[*?[\]{}()!\\|"]/;
/** Stay encoded everywhere: they would end a part of the URI or are no text. */
const ENCODED = /[/?#%\\ \u0000-\u001f\u007f-\u009f]/;
/** Are drawn as nothing, and skipped by some file systems. */
const UNSEEN = /\p{Default_Ignorable_Code_Point}+/gu;
/** Stay encoded in a query besides: they separate its members. */
const SEPARATOR = /[&=+;]/;

/**
 * Ports of schemes whose authority is a host of the internet. In other schemes it is a name like any other (`demo://1/`), and
 * only its case, its dot at the end and IPv6 are folded.
 */
const PORTS: Readonly<Record<string, number | undefined>> = {
  amqp: 5672,
  amqps: 5671,
  file: 0,
  ftp: 21,
  ftps: 990,
  git: 9418,
  http: 80,
  https: 443,
  ldap: 389,
  ldaps: 636,
  mongodb: 27017,
  mqtt: 1883,
  mqtts: 8883,
  mysql: 3306,
  nats: 4222,
  postgres: 5432,
  postgresql: 5432,
  redis: 6379,
  rediss: 6379,
  sftp: 22,
  smb: 445,
  ssh: 22,
  ws: 80,
  wss: 443,
};

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
    authority === undefined ? '' : foldAuthority(decoded(authority.slice(2), isGlob, false), lowerScheme, isGlob),
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

const HOST_AND_PORT = /^(\[[^\]]*\]|[^:[\]]*)(?::0*(\d*))?$/;

function foldAuthority(authority: string, scheme: string, isGlob: boolean): string {
  const at = authority.lastIndexOf('@');
  // `user:@` is `user@`, and an empty user none.
  const user = authority.slice(0, Math.max(at, 0)).replace(/:$/, '');
  const name = scheme.slice(scheme.lastIndexOf('+') + 1, -1);
  return `//${user === '' ? '' : `${user}@`}${foldHost(authority.slice(at + 1), name, isGlob)}`;
}

function foldHost(text: string, scheme: string, isGlob: boolean): string {
  const [, host, port = ''] = HOST_AND_PORT.exec(text) ?? [];
  // A glob over hosts is no host.
  if (host === undefined || (isGlob && GLOB_CHARACTER.test(host))) return text.toLowerCase();
  const ownPort = Object.hasOwn(PORTS, scheme) ? PORTS[scheme] : undefined;
  const isInternet = ownPort !== undefined || host.startsWith('[');
  const folded = (isInternet ? normalHost(host) : undefined) ?? host.toLowerCase().replace(/(?<=[^.])\.$/, '');
  return port === '' || Number(port) === ownPort ? folded : `${folded}:${port}`;
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
  const plain = text
    .replace(/[\u0080-\u{10ffff} ]+/gu, (raw) => encodeURIComponent(raw.toWellFormed()))
    .replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => {
      try {
        return Array.from(decodeURIComponent(run), read).join('');
      } catch {
        // Not UTF-8: byte by byte.
        return run.toUpperCase().replace(/%[2-7][0-9A-F]/g, (byte) => read(decodeURIComponent(byte)));
      }
    });
  return /^[\0-\x7f]*$/.test(plain) ? plain : composed(plain);
}

/** Letters in their composed form. An escape is no letter: no accent joins its last digit. */
const composed = (text: string): string =>
  text
    .replace(UNSEEN, '')
    .split(/(%[0-9A-F]{2})/)
    .map((part, index) => (index % 2 === 1 ? part : part.normalize('NFC')))
    .join('');
