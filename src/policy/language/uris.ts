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
/** A question mark of a glob is any character; with a backslash before it, it begins the query. */
const GLOB_PARTS = /^([A-Za-z][A-Za-z0-9+.-]*:)(\/\/(?:(?!\\\?)[^/#])*)?((?:(?!\\\?)[^#])*)(\\\?[^#]*)?(#.*)?$/s;
/** A glob whose first question mark is meant as the beginning of the query. */
const QUERY_GLOB_PARTS = /^([A-Za-z][A-Za-z0-9+.-]*:)(\/\/[^/?#\\]*)?([^?#\\]*)(\?[^#]*)(#.*)?$/s;
/** Decoding can make a character that the URL Standard reads otherwise, which happens once at most. */
const MAX_ROUNDS = 6;

const GLOB_CHARACTER = /[*?[\]{}()!\\|"]/;
/** Stay encoded everywhere: they would end a part of the URI or are no text. */
const ENCODED = /[/?#%\\ \u0000-\u001f\u007f-\u009f]/;
/** The escapes of one character in UTF-8. */
const ESCAPED_CHARACTER =
  /%[0-7][0-9A-F]|%[CD][0-9A-F]%[89AB][0-9A-F]|%E[0-9A-F](?:%[89AB][0-9A-F]){2}|%F[0-7](?:%[89AB][0-9A-F]){3}/g;
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
export const normalUri = (uri: string): string => fold(uri, PARTS);

/**
 * The normal forms of a glob over URIs, which match the normal forms of what it means. A question mark may be any character
 * of a path, or begin a query, where empty segments are none.
 */
export function normalUriGlobs(glob: string): readonly string[] {
  const negations = /^(?:!(?!\())*/.exec(glob)?.[0] ?? '';
  const own = glob.slice(negations.length);
  const forms = [fold(own, GLOB_PARTS)];
  if (QUERY_GLOB_PARTS.test(own) && !isFile(own)) forms.push(fold(own, QUERY_GLOB_PARTS));
  return [...new Set(forms)].map((form) => negations + form);
}

/** `file:`, also behind a server's label or another scheme. */
const isFile = (uri: string): boolean => /^(?:[^:]*\+)?file:/i.test(uri);

function fold(text: string, parts: RegExp): string {
  let folded = text;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = foldOnce(folded, parts);
    if (next === folded) return folded;
    folded = next;
  }
  return folded;
}

function foldOnce(text: string, pattern: RegExp): string {
  const isGlob = pattern !== PARTS;
  const trimmed = stripped(text);
  const usual = !isGlob && SPECIAL.test(trimmed) ? (URL.parse(trimmed)?.href ?? trimmed) : trimmed;
  const parts = pattern.exec(usual);
  if (!parts) return decoded(usual, isGlob, false);
  const [, scheme = '', authority, path = '', query = '', fragment = ''] = parts;
  const lowerScheme = scheme.toLowerCase();
  const hasTail = !isFile(lowerScheme);
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
  const userInfo = authority.slice(0, Math.max(at, 0));
  const isWithoutPassword = userInfo !== '' && userInfo.indexOf(':') === userInfo.length - 1;
  const sent = isWithoutPassword ? userInfo.slice(0, -1) : userInfo;
  const user = isGlob ? sent : sent.replaceAll('\\', '%5C');
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

/** Dot segments as the URL Standard has them, where an empty segment is one like any other; then without empty segments. */
const foldPath = (path: string): string => withoutEmpty(withoutDots(path.split('/')));

/** Dot segments as file systems have them: there `a//..` is nothing, and not `a`. */
const foldFilePath = (path: string): string => withoutEmpty(withoutDots(path.split(/\/+/)));

/**
 * Whether the dot segments of a URI lead to two places: one for servers that read it by the URL Standard, another for those
 * that take its path for one of a file system.
 */
export function isReadTwoWays(uri: string): boolean {
  const trimmed = stripped(uri);
  const path = decoded(PARTS.exec(trimmed)?.[3] ?? trimmed, false, false);
  if (!path.includes('..')) return false;
  const slashed = SPECIAL.test(trimmed) ? path.replaceAll('\\', '/') : path;
  return foldPath(slashed) !== foldFilePath(slashed);
}

/** A dot at the end leaves an empty segment: it names a folder. */
function withoutDots(all: readonly string[]): string[] {
  const segments: string[] = [];
  for (const [index, segment] of all.entries()) {
    const isRoot = segments.length === 1 && segments[0] === '' && all[0] === '';
    if (segment === '..' && !isRoot) segments.pop();
    else if (segment !== '.' && segment !== '..') segments.push(segment);
    if (index === all.length - 1 && (segment === '.' || segment === '..')) segments.push('');
  }
  return segments;
}

function withoutEmpty(segments: readonly string[]): string {
  const filled = segments.filter((segment) => segment !== '');
  const root = segments[0] === '' && segments.length > 1 ? '/' : '';
  if (filled.length === 0) return root;
  return `${root}${filled.join('/')}${segments.at(-1) === '' ? '/' : ''}`;
}

/** Every character decoded that can stand for itself, and every other encoded with upper-case digits. */
function decoded(text: string, isGlob: boolean, inQuery: boolean): string {
  const keep = (character: string): boolean => ENCODED.test(character) || (inQuery && SEPARATOR.test(character));
  const read = (character: string): string => {
    if (keep(character)) return encodeURIComponent(character);
    return isGlob && GLOB_CHARACTER.test(character) ? `\\${character}` : character;
  };
  const plain = text
    .replace(/[\u0000-\u0020\u007f-\u{10ffff}]+/gu, (raw) => encodeURIComponent(raw.toWellFormed()))
    .replace(/%[0-9A-Fa-f]{2}/g, (digits) => digits.toUpperCase())
    .replace(ESCAPED_CHARACTER, (escaped) => {
      try {
        return read(decodeURIComponent(escaped));
      } catch {
        // Not UTF-8.
        return escaped;
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
