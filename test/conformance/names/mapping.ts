/**
 * The suite's names and one server's names in the merged view, both ways. The suite asks for `test_simple_text`; the
 * gateway offers `first__test_simple_text`. What belongs to other servers keeps the name the gateway gives it.
 * @module
 */
import { isObject, type JsonObject } from '../../../src/wire/jsonrpc.ts';

export interface Mapping {
  /** Params of a request of the suite's, as the gateway wants them. */
  outward(method: string, params: JsonObject): JsonObject;
  /** The value of an `Mcp-Name` header. */
  header(method: string, value: string): string;
  /** Anything the gateway sends, as the suite expects it. Changes the message in place. */
  inward(message: unknown): void;
}

const NAMED = new Set(['tools/call', 'prompts/get']);
const BY_URI = new Set(['resources/read', 'resources/subscribe', 'resources/unsubscribe']);
const LISTS = ['tools', 'prompts', 'resources', 'resourceTemplates'] as const;

export function mappingOf(server: string): Mapping {
  const namePrefix = `${server}__`;
  const uriPrefix = `${server}+`;
  const toName = (name: unknown): unknown => (typeof name === 'string' ? `${namePrefix}${name}` : name);
  const toUri = (uri: unknown): unknown => (typeof uri === 'string' ? `${uriPrefix}${uri}` : uri);
  const strip = (value: string, prefix: string): string =>
    value.startsWith(prefix) ? value.slice(prefix.length) : value;

  function stripUris(value: unknown): void {
    if (Array.isArray(value)) value.forEach(stripUris);
    if (!isObject(value)) return;
    for (const [key, member] of Object.entries(value)) {
      if ((key === 'uri' || key === 'uriTemplate') && typeof member === 'string') value[key] = strip(member, uriPrefix);
      else stripUris(member);
    }
  }

  /** Own entries first and under the suite's names: it takes whatever stands first for a tool it may call. */
  function ownFirst(entries: unknown[]): unknown[] {
    const isOwn = (entry: unknown): boolean =>
      isObject(entry) &&
      [entry.name, entry.uri, entry.uriTemplate].some(
        (name) => typeof name === 'string' && (name.startsWith(namePrefix) || name.startsWith(uriPrefix)),
      );
    const own = entries.filter(isOwn);
    const others = entries.filter((entry) => !isOwn(entry));
    for (const entry of own as JsonObject[]) {
      if (entry.uri === undefined && entry.uriTemplate === undefined)
        entry.name = strip(String(entry.name), namePrefix);
    }
    return [...own, ...others];
  }

  return {
    outward(method, params) {
      if (NAMED.has(method)) return { ...params, name: toName(params.name) };
      if (BY_URI.has(method)) return { ...params, uri: toUri(params.uri) };
      if (method === 'completion/complete' && isObject(params.ref)) {
        const { ref } = params;
        return { ...params, ref: 'uri' in ref ? { ...ref, uri: toUri(ref.uri) } : { ...ref, name: toName(ref.name) } };
      }
      const wanted = isObject(params.notifications) ? params.notifications : undefined;
      if (method === 'subscriptions/listen' && Array.isArray(wanted?.resourceSubscriptions)) {
        const resourceSubscriptions = wanted.resourceSubscriptions.map(toUri);
        return { ...params, notifications: { ...wanted, resourceSubscriptions } };
      }
      return params;
    },
    header: (method, value) => String(NAMED.has(method) ? toName(value) : BY_URI.has(method) ? toUri(value) : value),
    inward(message) {
      for (const item of Array.isArray(message) ? message : [message]) {
        const result = isObject(item) && isObject(item.result) ? item.result : {};
        for (const list of LISTS) {
          const entries = result[list];
          if (Array.isArray(entries)) result[list] = ownFirst(entries);
        }
      }
      stripUris(message);
    },
  };
}
