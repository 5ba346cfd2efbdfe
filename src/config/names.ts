/**
 * Checks and makes names of servers and prefixes. A name becomes part of tool names and of the path `/servers/<name>/mcp`, so
 * it may hold no character with a meaning there.
 * @module
 */
import { sha256 } from '../core/hash.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const MAX_NAME = 64;
/** `switchboard` is the gateway itself, `all` the merged view. */
const RESERVED = new Set(['switchboard', 'all']);

/** What is wrong with a server's name or prefix, as a sentence part; undefined for a usable one. */
export function nameProblem(name: string): string | undefined {
  if (RESERVED.has(name.toLowerCase())) return `the name "${name}" is reserved; choose another`;
  if (NAME.test(name) && name.length <= MAX_NAME && !name.includes('__')) return undefined;
  const better = suggestName(name);
  const hint = better === undefined ? '' : `; "${better}" would do`;
  return (
    `not a usable name; allowed: letters, digits, "-", "_" and ".", beginning with a letter or digit, ` +
    `${MAX_NAME} at most, no "__"${hint}`
  );
}

function suggestName(name: string): string | undefined {
  const better = slug(name).slice(0, MAX_NAME);
  return better === '' || RESERVED.has(better.toLowerCase()) ? undefined : better;
}

/**
 * Whether two prefixes can make one name of two tools: `a` and `_x` make `a___x`, and so do `a_` and `x`. Such names could
 * not be told apart in a document.
 */
export const canShareNames = (one: string, other: string): boolean =>
  `${one}__`.startsWith(`${other}__`) || `${other}__`.startsWith(`${one}__`);

/**
 * The name of a server whose key in the file holds what names cannot: "Azure MCP Server" becomes `Azure-MCP-Server`, other
 * scripts are written in Latin letters. It depends on the key alone. Without dots, because some models accept none in tool names.
 */
export async function nameOfKey(key: string): Promise<string> {
  const isAscii = /^[ -~]*$/.test(key);
  const latin = isAscii ? key : (await import('any-ascii')).default(key);
  const name = slug(latin.replaceAll('.', '-')).replaceAll(/-{2,}/g, '-');
  const hash = sha256(key, 'hex').slice(0, 8);
  if (name === '') return `server-${hash}`;
  if (RESERVED.has(name.toLowerCase())) return `${name}-server`;
  return name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME - 9)}-${hash}`;
}

/** Whether a server's key in the file stays its name, or is refused: the gateway's own names are not respelled. */
export const isOwnName = (key: string): boolean =>
  nameProblem(key) === undefined || RESERVED.has(key.toLowerCase()) || key === '__proto__';

const slug = (text: string): string =>
  text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replaceAll(/_{2,}/g, '_')
    .replaceAll(/^[._-]+|[._-]+$/g, '');

/**
 * Names a server that is known by its URL only: host, port and path. A URL always gets the same name, unless another URL has
 * it already: then a short hash of the URL is added. Dots become hyphens, because some models accept none in tool names.
 */
export function nameOfUrl(url: URL, taken: ReadonlySet<string>): string {
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const path = url.pathname === '/' ? '' : `-${url.pathname}`;
  const name = slug(`${url.hostname}-${port}${path}`.replaceAll(/[.[\]:]+/g, '-')).replaceAll(/-{2,}/g, '-');
  if (name.length <= MAX_NAME && !taken.has(name) && nameProblem(name) === undefined) return name;
  const hash = sha256(url.href, 'hex').slice(0, 8);
  return `${name.slice(0, MAX_NAME - 9)}-${hash}`;
}
