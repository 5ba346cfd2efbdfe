/**
 * The catalog of one server: fetched kind by kind, kept while the server is away, fetched again when it may have
 * changed, and published only when it really did.
 *
 * Invariant: entries keep their identity until their bytes change, so whatever is derived from them can be cached.
 * @module
 */

import type { ServerConfig } from '../../config/types.ts';
import { backoffMs } from '../../core/backoff.ts';
import { withDeadline } from '../../core/deadline.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { globMatcher } from '../../core/globs.ts';
import type { Log } from '../../core/log.ts';
import { CATALOG_KINDS, type Catalog, type CatalogKind, type Entry, type Upstream } from '../../core/upstream.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { reasonOf } from './reason.ts';
import type { Timing } from './timing.ts';

export interface CatalogsOptions {
  server: string;
  /** Longest time one list may take. */
  listTimeoutMs: number;
  /** Globs of the tools that exist for the gateway, over their original names. */
  tools: ServerConfig['tools'];
  timing: Timing;
  log: Log;
  /** The published catalog of this kind is another one now. */
  onPublish(kind: CatalogKind): void;
  /** {@link Catalogs.problem} may have changed. */
  onProblem(): void;
}

/** One kind's place. */
interface StoredCatalog {
  /** As fetched, before the tool filter. */
  raw: Catalog;
  shown: Catalog;
  /** These are on a clock that only moves forward: one that is set back must not stop lists from being fetched. */
  fetchedAt: number;
  startedAt: number;
  /** Fetches that may follow each other closely; they come back one by one with time. */
  burst: number;
  burstAt: number;
  running: Promise<void> | undefined;
  /** Something changed while a fetch was running: one more is due. */
  again: boolean;
  failures: number;
  retry: NodeJS.Timeout | undefined;
  problem: string | undefined;
}

const EMPTY: Catalog = { entries: [] };

const MAX_BURST = 20;

/** The capability that announces a kind; agents are no part of MCP. */
export const CAPABILITY: Readonly<Record<CatalogKind, string>> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resources',
  agents: 'agents',
};

export class Catalogs {
  readonly #options: CatalogsOptions;
  readonly #showsTool: ((name: string) => boolean) | undefined;
  readonly #shelves: Record<CatalogKind, StoredCatalog>;
  #upstream: Upstream | undefined;
  #listsWhatItDeclares = false;
  /** Ends what is running for the connected upstream. */
  #connection = new AbortController();

  /** `inherited`: the catalogs of the server this one replaces, shown as stale until it has its own. */
  constructor(options: CatalogsOptions, inherited?: Catalogs) {
    this.#options = options;
    this.#showsTool = toolFilter(options.tools);
    const shelf = (kind: CatalogKind): StoredCatalog => {
      const raw = inherited ? copyOf(inherited.#shelves[kind].raw) : EMPTY;
      return {
        raw,
        shown: this.#filtered(kind, raw),
        fetchedAt: Number.NEGATIVE_INFINITY,
        startedAt: Number.NEGATIVE_INFINITY,
        burst: MAX_BURST,
        burstAt: performance.now(),
        running: undefined,
        again: false,
        failures: 0,
        retry: undefined,
        problem: undefined,
      };
    };
    this.#shelves = {
      tools: shelf('tools'),
      prompts: shelf('prompts'),
      resources: shelf('resources'),
      templates: shelf('templates'),
      agents: shelf('agents'),
    };
  }

  /** The last good catalog, without what the tool filter hides. */
  get(kind: CatalogKind): Catalog {
    return this.#shelves[kind].shown;
  }

  /** Why lists are missing or old although the server is connected, or undefined. */
  problem(): string | undefined {
    for (const kind of CATALOG_KINDS) {
      const { problem } = this.#shelves[kind];
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /**
   * Fetches everything the upstream offers, in parallel. Resolves when each kind has arrived or failed once.
   * `listsWhatItDeclares`: see {@link Adapter}.
   */
  async attach(upstream: Upstream, listsWhatItDeclares: boolean): Promise<void> {
    this.detach();
    this.#upstream = upstream;
    this.#listsWhatItDeclares = listsWhatItDeclares;
    this.#connection = new AbortController();
    await Promise.all(
      CATALOG_KINDS.map((kind) => {
        if (this.#hasList(upstream, kind)) return this.#fetch(kind);
        this.#keep(kind, EMPTY);
        return undefined;
      }),
    );
  }

  /** The upstream is away: what is running ends, what is known stays. */
  detach(): void {
    if (!this.#upstream) return;
    this.#upstream = undefined;
    this.#connection.abort(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'The connection ended.'));
    for (const kind of CATALOG_KINDS) {
      const shelf = this.#shelves[kind];
      clearTimeout(shelf.retry);
      shelf.running = undefined;
      shelf.again = false;
      shelf.failures = 0;
      shelf.problem = undefined;
    }
  }

  /** The upstream says that this list changed. However often it says so, fetches of a list keep their distance. */
  changed(kind: CatalogKind): void {
    if (!this.#upstream || !this.#hasList(this.#upstream, kind)) return;
    const shelf = this.#shelves[kind];
    const wait = shelf.startedAt + this.#distance(shelf) - performance.now();
    if (wait > 0 && !shelf.running) this.#fetchLater(kind, wait);
    else void this.#fetch(kind);
  }

  /** How far apart two fetches of a list are, for changes. */
  #distance(shelf: StoredCatalog): number {
    const { changeSpacingMs, changePaceMs } = this.#options.timing;
    const now = performance.now();
    shelf.burst = Math.min(MAX_BURST, shelf.burst + (now - shelf.burstAt) / changePaceMs);
    shelf.burstAt = now;
    return shelf.burst >= 1 ? changeSpacingMs : changePaceMs;
  }

  /** Everything may have changed. */
  refresh(): void {
    for (const kind of CATALOG_KINDS) this.changed(kind);
  }

  /**
   * Somebody looks at a list: it is fetched again in the background when it is no longer fresh. Returns the time
   * from which looking again may fetch again. Both are on the clock of `performance.now()`.
   */
  touch(kind: CatalogKind, now: number): number {
    const upstream = this.#upstream;
    if (!upstream || !this.#hasList(upstream, kind)) return Number.POSITIVE_INFINITY;
    const { timing } = this.#options;
    const shelf = this.#shelves[kind];
    // Who announces changes need not be asked as often, even when it states a TTL of 0, as SDKs do by default.
    const floor = announcesChanges(upstream, kind) ? timing.listTtlMs : timing.refreshFloorMs;
    const due = shelf.fetchedAt + Math.max(floor, shelf.raw.ttlMs ?? timing.listTtlMs);
    if (now < due) return due;
    // A failing list has its own schedule.
    if (shelf.fetchedAt !== Number.NEGATIVE_INFINITY && shelf.problem === undefined && !shelf.running) {
      void this.#fetch(kind);
    }
    return now + floor;
  }

  #hasList(upstream: Upstream, kind: CatalogKind): boolean {
    return !this.#listsWhatItDeclares || upstream.capabilities[CAPABILITY[kind]] !== undefined;
  }

  /** One fetch runs at a time; however many changes arrive meanwhile, one more follows. */
  #fetch(kind: CatalogKind): Promise<void> {
    const shelf = this.#shelves[kind];
    if (shelf.running) {
      shelf.again = true;
      return shelf.running;
    }
    const upstream = this.#upstream;
    if (!upstream) return Promise.resolve();
    clearTimeout(shelf.retry);
    shelf.startedAt = performance.now();
    shelf.burst = Math.max(0, shelf.burst - 1);
    const { signal } = this.#connection;
    const running = this.#fetchOnce(kind, upstream, signal).finally(() => {
      if (signal.aborted) return;
      shelf.running = undefined;
      const { again } = shelf;
      shelf.again = false;
      if (again && shelf.problem === undefined) this.changed(kind);
    });
    shelf.running = running;
    return running;
  }

  #fetchLater(kind: CatalogKind, ms: number): void {
    const shelf = this.#shelves[kind];
    clearTimeout(shelf.retry);
    shelf.retry = setTimeout(() => void this.#fetch(kind), ms);
    shelf.retry.unref();
  }

  async #fetchOnce(kind: CatalogKind, upstream: Upstream, connection: AbortSignal): Promise<void> {
    const { server, listTimeoutMs, timing, log } = this.#options;
    const shelf = this.#shelves[kind];
    try {
      const catalog = await withDeadline((signal) => upstream.catalog(kind, signal), {
        ms: listTimeoutMs,
        timeout: () => new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `no answer within ${listTimeoutMs} ms`),
        signal: connection,
      });
      if (connection.aborted) return;
      shelf.fetchedAt = performance.now();
      shelf.failures = 0;
      shelf.problem = undefined;
      this.#keep(kind, catalog);
    } catch (error) {
      if (connection.aborted) return;
      shelf.problem = `its ${kind} could not be listed: ${reasonOf(error)}`;
      const retryMs = backoffMs(shelf.failures, timing);
      const fields = { server, list: kind, reason: reasonOf(error), retryMs };
      if (shelf.failures++ === 0) log.warn(fields, 'A list could not be fetched; the last good one is kept.');
      else log.debug({ ...fields, err: error }, 'A list could still not be fetched.');
      this.#fetchLater(kind, retryMs);
    }
    this.#options.onProblem();
  }

  #keep(kind: CatalogKind, fetched: Catalog): void {
    const shelf = this.#shelves[kind];
    const entries = this.#withoutDuplicates(kind, fetched.entries);
    const sameEntries = haveSameBytes(shelf.raw.entries, entries);
    if (sameEntries && shelf.raw.ttlMs === fetched.ttlMs && shelf.raw.cacheScope === fetched.cacheScope) return;
    shelf.raw = { ...fetched, entries: sameEntries ? shelf.raw.entries : entries };
    shelf.shown = this.#filtered(kind, shelf.raw);
    this.#options.onPublish(kind);
  }

  #filtered(kind: CatalogKind, catalog: Catalog): Catalog {
    const showsTool = this.#showsTool;
    if (kind !== 'tools' || !showsTool) return catalog;
    return { ...catalog, entries: catalog.entries.filter((entry) => showsTool(entry.key)) };
  }

  /** Names are unique within a server (2025-11-25 server/tools); model APIs refuse requests that repeat one. */
  #withoutDuplicates(kind: CatalogKind, entries: readonly Entry[]): Entry[] {
    const seen = new Set<string>();
    const unique = entries.filter(({ key }) => !seen.has(key) && seen.add(key));
    const repeated = entries.length - unique.length;
    if (repeated > 0) {
      const { server, log } = this.#options;
      log.warn({ server, list: kind, repeated }, 'Entries with a name already listed were left out.');
    }
    return unique;
  }
}

/** Entries of its own: what is derived from one server's entries must not be taken for another's. */
const copyOf = (catalog: Catalog): Catalog => ({
  ...catalog,
  entries: catalog.entries.map((entry) => ({ ...entry })),
});

function announcesChanges(upstream: Upstream, kind: CatalogKind): boolean {
  const capability = upstream.capabilities[CAPABILITY[kind]];
  return isObject(capability) && capability.listChanged === true;
}

function haveSameBytes(before: readonly Entry[], after: readonly Entry[]): boolean {
  if (before.length !== after.length) return false;
  return before.every((entry, i) => {
    const other = after[i];
    if (entry === other) return true;
    if (!other || entry.key !== other.key) return false;
    if (entry.raw && other.raw) return entry.raw.equals(other.raw);
    return !entry.raw && !other.raw && JSON.stringify(entry.value) === JSON.stringify(other.value);
  });
}

/**
 * Undefined when everything is shown. Exclusion wins; no include globs means all. A name too long to be tried against a
 * glob is not included by it, and is excluded by it.
 */
export function toolFilter({ include, exclude }: ServerConfig['tools']): ((name: string) => boolean) | undefined {
  if (include.length === 0 && exclude.length === 0) return undefined;
  const included = include.map(globMatcher);
  const excluded = exclude.map(globMatcher);
  return (name) =>
    (included.length === 0 || included.some((matches) => matches(name) === true)) &&
    excluded.every((matches) => matches(name) === false);
}
