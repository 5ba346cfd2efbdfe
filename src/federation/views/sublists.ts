/**
 * Parts of lists. Whoever may see the same part of a list has the same object with the same bytes, and whoever may see
 * all of it has, where nothing else differs, the list itself.
 * @module
 */
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { type Freshness, Listing } from './listing.ts';

export interface SublistOptions {
  pageSize: number;
  freshness: Freshness;
  serverInfo: JsonObject | undefined;
}

/** Parts that are in use somewhere, of each list. */
const parts = new WeakMap<Listing, Map<string, WeakRef<Listing>>>();

/** At how many a list's parts are looked through for those that are no longer in use. */
const SWEEP_AT = 256;

/** The entries of `whole` for which `shown` says so, in its order. */
export function sublist(whole: Listing, shown: readonly boolean[], options: SublistOptions): Listing {
  const { freshness } = options;
  const all = shown.every(Boolean);
  if (all && freshness.ttlMs === whole.freshness.ttlMs && freshness.cacheScope === whole.freshness.cacheScope) {
    return whole;
  }
  const known = parts.get(whole) ?? new Map<string, WeakRef<Listing>>();
  parts.set(whole, known);
  const key = `${freshness.ttlMs} ${freshness.cacheScope} ${bits(shown)}`;
  const same = known.get(key)?.deref();
  if (same) return same;
  const routes = all ? whole.routes : whole.routes.filter((_, i) => shown[i]);
  const part = new Listing(whole.kind, routes, options);
  known.set(key, new WeakRef(part));
  if (known.size % SWEEP_AT === 0) for (const [each, ref] of known) if (!ref.deref()) known.delete(each);
  return part;
}

function bits(shown: readonly boolean[]): string {
  const bytes = Buffer.alloc(Math.ceil(shown.length / 8));
  for (const [i, is] of shown.entries()) if (is) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7));
  return bytes.toString('latin1');
}
