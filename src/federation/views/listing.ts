/**
 * One immutable list of one view: an index by exposed name, and pages whose bytes are made once per era.
 * @module
 */
import { createHash } from 'node:crypto';
import { SwitchboardError } from '../../core/errors.ts';
import type { CatalogKind } from '../../core/upstream.ts';
import { META } from '../../wire/envelope.ts';
import type { Era } from '../../wire/eras.ts';
import { editPaths } from '../../wire/json/splice.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { ListPage, Route } from '../types.ts';
import type { Freshness } from './freshness.ts';

export interface ListedRoute extends Route {
  /** The entry's JSON under its exposed name. */
  bytes: Buffer;
}

export type PagedKind = Exclude<CatalogKind, 'agents'>;

const RESULT_MEMBER: Readonly<Record<PagedKind, string>> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resourceTemplates',
};

const COMMA = Buffer.from(',');

/** A list's parts are searched for unused ones each time their number is a multiple of this. */
const SWEEP_AT = 256;

export interface ListingOptions {
  pageSize: number;
  freshness: Freshness;
  serverInfo: JsonObject | undefined;
}

export class Listing {
  readonly kind: CatalogKind;
  readonly routes: readonly ListedRoute[];
  readonly freshness: Freshness;
  readonly #byName: ReadonlyMap<string, Route>;
  readonly #pageSize: number;
  readonly #serverInfo: JsonObject | undefined;
  readonly #pages: Partial<Record<Era, readonly ListPage[]>> = {};
  /** Parts of this list that are in use, by which entries they have. */
  readonly #parts = new Map<string, WeakRef<Listing>>();
  #revision: string | undefined;

  constructor(kind: CatalogKind, routes: readonly ListedRoute[], options: ListingOptions) {
    this.kind = kind;
    this.routes = routes;
    this.#byName = new Map(routes.map((route) => [route.exposed, route]));
    this.#pageSize = options.pageSize;
    this.freshness = options.freshness;
    this.#serverInfo = options.serverInfo;
  }

  resolve(exposed: string): Route | undefined {
    return this.#byName.get(exposed);
  }

  /** The same entries in the same order, byte for byte. */
  hasSameBytes(other: Listing): boolean {
    return (
      this.routes.length === other.routes.length &&
      this.routes.every(({ bytes }, i) => {
        const theirs = other.routes[i]?.bytes;
        return bytes === theirs || (theirs !== undefined && bytes.equals(theirs));
      })
    );
  }

  /** The very same entries of the same servers under the same names, in the same order. */
  hasSameRoutes(other: Listing): boolean {
    return (
      this.routes.length === other.routes.length &&
      this.routes.every((route, i) => {
        const theirs = other.routes[i];
        return (
          route.entry === theirs?.entry &&
          route.member === theirs.member &&
          route.exposed === theirs.exposed &&
          route.bytes === theirs.bytes
        );
      })
    );
  }

  /**
   * The entries for which `shown` is true, in this order. The same part is the same object with the same bytes, and the
   * whole is this very list where the freshness is the same.
   */
  part(shown: readonly boolean[], options: ListingOptions): Listing {
    const { ttlMs, cacheScope } = options.freshness;
    const all = shown.every(Boolean);
    if (all && ttlMs === this.freshness.ttlMs && cacheScope === this.freshness.cacheScope) return this;
    const key = `${ttlMs} ${cacheScope} ${bits(shown)}`;
    const known = this.#parts.get(key)?.deref();
    if (known) return known;
    const part = new Listing(this.kind, all ? this.routes : this.routes.filter((_, i) => shown[i]), options);
    this.#parts.set(key, new WeakRef(part));
    if (this.#parts.size % SWEEP_AT === 0) {
      for (const [each, ref] of this.#parts) if (!ref.deref()) this.#parts.delete(each);
    }
    return part;
  }

  /** Throws `SWB_STALE_CURSOR` for a cursor that is not one of this very list. */
  page(era: Era, cursor: string | undefined): ListPage {
    this.#pages[era] ??= this.#serialise(era);
    const pages = this.#pages[era];
    const page = cursor === undefined ? pages[0] : pages[this.#pageOf(cursor)];
    if (page) return page;
    throw new SwitchboardError(
      'SWB_STALE_CURSOR',
      'The list has changed since this cursor was given, or the cursor is not one of this list. Start again without a cursor.',
    );
  }

  /** The content is the revision: equal lists have equal cursors in every process and after a restart. */
  #cursor(page: number): string {
    if (this.#revision === undefined) {
      const hash = createHash('sha256').update(this.kind);
      for (const { bytes } of this.routes) hash.update(`${bytes.length}:`).update(bytes);
      this.#revision = hash.digest('base64url').slice(0, 16);
    }
    return `${this.#revision}.${page}`;
  }

  /** The page of a cursor, or -1 for a text that {@link #cursor} did not make. */
  #pageOf(cursor: string): number {
    const page = Number(cursor.slice(cursor.indexOf('.') + 1));
    return Number.isInteger(page) && page > 0 && cursor === this.#cursor(page) ? page : -1;
  }

  #serialise(era: Era): ListPage[] {
    const entries = era === 'legacy' ? this.routes.flatMap(legacyBytes) : this.routes.map(({ bytes }) => bytes);
    const count = Math.max(1, Math.ceil(entries.length / this.#pageSize));
    return Array.from({ length: count }, (_, page) => {
      const parts: Buffer[] = [Buffer.from(this.#head(era))];
      const start = page * this.#pageSize;
      for (const [i, bytes] of entries.slice(start, start + this.#pageSize).entries()) {
        if (i > 0) parts.push(COMMA);
        parts.push(bytes);
      }
      parts.push(Buffer.from(this.#tail(era, page + 1 < count ? this.#cursor(page + 1) : undefined)));
      return { result: Buffer.concat(parts) };
    });
  }

  #head(era: Era): string {
    const list = `"${RESULT_MEMBER[this.kind as PagedKind]}":[`;
    return era === 'modern' ? `{"resultType":"complete",${list}` : `{${list}`;
  }

  #tail(era: Era, nextCursor: string | undefined): string {
    const rest: JsonObject = nextCursor === undefined ? {} : { nextCursor };
    if (era === 'modern') {
      rest.ttlMs = this.freshness.ttlMs;
      rest.cacheScope = this.freshness.cacheScope;
      // 2026-07-28 basic/index: servers SHOULD identify themselves in each result.
      if (this.#serverInfo) rest._meta = { [META.serverInfo]: this.#serverInfo };
    }
    const members = JSON.stringify(rest).slice(1);
    return members === '}' ? ']}' : `],${members}`;
  }
}

/** By the entry's JSON under its exposed name, which is the same buffer until the entry changes. */
const legacyForms = new WeakMap<Buffer, Buffer>();

/** The entry's JSON as legacy clients read it; none where they could not. */
function legacyBytes({ entry: { legacy }, bytes }: ListedRoute): Buffer[] {
  if (legacy === undefined) return [bytes];
  if (legacy === false) return [];
  let form = legacyForms.get(bytes);
  if (form === undefined) {
    form = editPaths(bytes, legacy.edits);
    legacyForms.set(bytes, form);
  }
  return [form];
}

function bits(shown: readonly boolean[]): string {
  const bytes = Buffer.alloc(Math.ceil(shown.length / 8));
  for (const [i, is] of shown.entries()) if (is) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7));
  return bytes.toString('latin1');
}
