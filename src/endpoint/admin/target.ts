/**
 * What a request of an operator is about, for the log and the audit: names and ids, and no values.
 * @module
 */
import { shorten } from '../../core/text.ts';
import { isObject } from '../../wire/jsonrpc.ts';

const NAMES = ['server', 'name', 'kind', 'key', 'grant', 'principal', 'method'] as const;
const MAX_CHARS = 200;

/** What stands in the address, or else the names in the body. Undefined: nothing is named. */
export function targetOf(params: Readonly<Record<string, string>>, body: Buffer): string | undefined {
  const named = Object.values(params).map(decoded);
  const found = named.length > 0 ? named : namesIn(body);
  return found.length === 0 ? undefined : shorten(found.join(' '), MAX_CHARS);
}

function namesIn(body: Buffer): string[] {
  const given = parsed(body);
  if (!isObject(given)) return [];
  const inner = isObject(given.params) ? [given.params.name, given.params.uri] : [];
  return [...NAMES.map((name) => given[name]), ...inner].filter(
    (text): text is string => typeof text === 'string' && text !== '',
  );
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
