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
import type { Log } from '../../core/log.ts';
import type { Mask } from '../../core/mask.ts';
import { CATALOG_KINDS, type Catalog, type CatalogKind, type Entry, type Upstream } from '../../core/upstream.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { judgeEntries } from '../entries/judge.ts';
import { MAX_SKIPPED, reportJudged } from '../entries/report.ts';
import type { SkippedEntry } from '../types.ts';
import { reasonOf } from './reason.ts';
import type { Timing } from './timing.ts';
import { toolFilter } from './tool-filter.ts';

interface CatalogsOptions {
  server: string;
  /** Takes out the credentials of the server. */
  mask: Mask;
  /** Longest time one list may take. */
  listTimeoutMs: number;
  /** Globs of the tools that exist for the gateway, over their original names. */
  tools: ServerConfig['tools'];
  timing: Timing;
  log: Log;
  /** The server lists something else than before. */
  onFetched(): void;
  /** The catalog of this kind was replaced by another one. */
  onPublish(kind: CatalogKind): void;
  /** {@link Catalogs.problem} may have changed. */
  onProblem(): void;
}

/** The catalog of one kind, and the state of fetching it. */
interface StoredCatalog {
  /** As fetched. */
  fetched: readonly Entry[];
  /** Their names, made on first use. */
  names: ReadonlySet<string> | undefined;
  /** What the server lists to some clients and not to the gateway. */
  extras: readonly Entry[];
  /** As clients can read it, before the tool filter. */
  raw: Catalog;
  skipped: readonly SkippedEntry[];
  shown: Catalog;
  /** Fetched at least once, or known not to exist. */
  known: boolean;
  /** These are on a monotonic clock: one that is set back must not stop lists from being fetched. */
  fetchedAt: number;
  startedAt: number;
  /** Tokens for fetches at the short distance; one comes back every `changePaceMs`. */
  burst: number;
  burstAt: number;
  running: Promise<void> | undefined;
  /** The list changed during a fetch: one more follows. */
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
  readonly #stored: Record<CatalogKind, StoredCatalog>;
  #upstream: Upstream | undefined;
  #listsWhatItDeclares = false;
  /** Ends what is running for the connected upstream. */
  #connection = new AbortController();

  /** `inherited`: the catalogs of the server this one replaces, shown as stale until it has its own. */
  constructor(options: CatalogsOptions, inherited?: Catalogs) {
    this.#options = options;
    this.#showsTool = toolFilter(options.tools);
    const stored = (kind: CatalogKind): StoredCatalog => {
      const raw = inherited ? copyOf(inherited.#stored[kind].raw) : EMPTY;
      return {
        fetched: inherited ? inherited.#stored[kind].fetched : [],
        names: undefined,
        extras: [],
        raw,
        skipped: inherited ? inherited.#stored[kind].skipped : [],
        shown: this.#filtered(kind, raw, []),
        known: inherited?.isKnown(kind) ?? false,
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
    this.#stored = {
      tools: stored('tools'),
      prompts: stored('prompts'),
      resources: stored('resources'),
      templates: stored('templates'),
      agents: stored('agents'),
    };
  }

  /** The last good catalog, without what the tool filter hides. */
  get(kind: CatalogKind): Catalog {
    return this.#stored[kind].shown;
  }

  /** The last good catalog, with what the tool filter hides. */
  whole(kind: CatalogKind): Catalog {
    return this.#stored[kind].raw;
  }

  /** Whether the list has been fetched, or does not exist; a list from before counts. */
  isKnown(kind: CatalogKind): boolean {
    return this.#stored[kind].known;
  }

  /** Entries that are left out because clients cannot read them; of each list the first ones. */
  skipped(): SkippedEntry[] {
    return CATALOG_KINDS.flatMap((kind) => this.#stored[kind].skipped.slice(0, MAX_SKIPPED));
  }

  /** Why lists are missing or old although the server is connected, or undefined. */
  problem(): string | undefined {
    for (const kind of CATALOG_KINDS) {
      const { problem } = this.#stored[kind];
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /** Why this list is missing or old although the server is connected. */
  problemOf(kind: CatalogKind): string | undefined {
    return this.#stored[kind].problem;
  }

  /** Whether the connected upstream has such a list; true while there is none. */
  hasList(kind: CatalogKind): boolean {
    return this.#upstream === undefined || this.#hasList(this.#upstream, kind);
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

  /** Aborts running fetches and keeps the catalogs: the upstream is away. */
  detach(): void {
    if (!this.#upstream) return;
    this.#upstream = undefined;
    this.#connection.abort(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'The connection ended.'));
    for (const kind of CATALOG_KINDS) {
      const stored = this.#stored[kind];
      clearTimeout(stored.retry);
      stored.running = undefined;
      stored.again = false;
      stored.failures = 0;
      stored.problem = undefined;
    }
  }

  /** Call when the upstream notifies of a change. Fetches of a list keep their distance, however many changes there are. */
  changed(kind: CatalogKind): void {
    if (!this.#upstream || !this.#hasList(this.#upstream, kind)) return;
    const stored = this.#stored[kind];
    const wait = stored.startedAt + this.#distance(stored) - performance.now();
    if (wait > 0 && !stored.running) this.#fetchLater(kind, wait);
    else void this.#fetch(kind);
  }

  /** Milliseconds between two fetches of a list because of changes. */
  #distance(stored: StoredCatalog): number {
    const { changeSpacingMs, changePaceMs } = this.#options.timing;
    const now = performance.now();
    stored.burst = Math.min(MAX_BURST, stored.burst + (now - stored.burstAt) / changePaceMs);
    stored.burstAt = now;
    return stored.burst >= 1 ? changeSpacingMs : changePaceMs;
  }

  /** Fetches every list again. */
  refresh(): void {
    for (const kind of CATALOG_KINDS) this.changed(kind);
  }

  /**
   * Call when a list is used: it is fetched again in the background when it is no longer fresh. Returns the time from
   * which another use may fetch again. Both are on the clock of `performance.now()`.
   */
  touch(kind: CatalogKind, now: number): number {
    const upstream = this.#upstream;
    if (!upstream || !this.#hasList(upstream, kind)) return Number.POSITIVE_INFINITY;
    const { timing } = this.#options;
    const stored = this.#stored[kind];
    // An upstream that notifies of changes is asked less often, even when it states a TTL of 0, as SDKs do by default.
    const floor = notifiesOfChanges(upstream, kind) ? timing.listTtlMs : timing.refreshFloorMs;
    const due = stored.fetchedAt + Math.max(floor, stored.raw.ttlMs ?? timing.listTtlMs);
    if (now < due) return due;
    // A failing list has its own schedule.
    if (stored.fetchedAt !== Number.NEGATIVE_INFINITY && stored.problem === undefined && !stored.running) {
      void this.#fetch(kind);
    }
    return now + floor;
  }

  #hasList(upstream: Upstream, kind: CatalogKind): boolean {
    return !this.#listsWhatItDeclares || upstream.capabilities[CAPABILITY[kind]] !== undefined;
  }

  /** Runs one fetch at a time; one more follows, however many changes arrive meanwhile. */
  #fetch(kind: CatalogKind): Promise<void> {
    const stored = this.#stored[kind];
    if (stored.running) {
      stored.again = true;
      return stored.running;
    }
    const upstream = this.#upstream;
    if (!upstream) return Promise.resolve();
    clearTimeout(stored.retry);
    stored.startedAt = performance.now();
    stored.burst = Math.max(0, stored.burst - 1);
    const { signal } = this.#connection;
    const running = this.#fetchOnce(kind, upstream, signal).finally(() => {
      if (signal.aborted) return;
      stored.running = undefined;
      const { again } = stored;
      stored.again = false;
      if (again && stored.problem === undefined) this.changed(kind);
    });
    stored.running = running;
    return running;
  }

  #fetchLater(kind: CatalogKind, ms: number): void {
    const stored = this.#stored[kind];
    clearTimeout(stored.retry);
    stored.retry = setTimeout(() => void this.#fetch(kind), ms);
    stored.retry.unref();
  }

  async #fetchOnce(kind: CatalogKind, upstream: Upstream, connection: AbortSignal): Promise<void> {
    const { server, mask, listTimeoutMs, timing, log } = this.#options;
    const stored = this.#stored[kind];
    try {
      const catalog = await withDeadline((signal) => upstream.catalog(kind, signal), {
        ms: listTimeoutMs,
        timeout: () => new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `no answer within ${listTimeoutMs} ms`),
        signal: connection,
      });
      if (connection.aborted) return;
      stored.fetchedAt = performance.now();
      stored.failures = 0;
      stored.problem = undefined;
      this.#keep(kind, catalog);
    } catch (error) {
      if (connection.aborted) return;
      const reason = reasonOf(error, mask);
      stored.problem = `its ${kind} could not be listed: ${reason}`;
      const retryMs = backoffMs(stored.failures, timing);
      const fields = { server, list: kind, reason, retryMs };
      if (stored.failures++ === 0) {
        const kept = stored.raw.entries.length > 0 ? 'the last good one is kept' : 'there is none from before';
        log.warn(fields, `A list could not be fetched; ${kept}.`);
      } else log.debug({ ...fields, err: error }, 'A list could still not be fetched.');
      this.#fetchLater(kind, retryMs);
    }
    this.#options.onProblem();
  }

  #keep(kind: CatalogKind, fetched: Catalog): void {
    const stored = this.#stored[kind];
    const entries = this.#withoutDuplicates(kind, fetched.entries);
    const sameEntries = haveSameBytes(stored.fetched, entries);
    const { known } = stored;
    stored.known = true;
    // Agents appear as tools once the names of the server's own tools are known.
    if (!known && kind === 'tools' && sameEntries) this.#options.onPublish(kind);
    if (sameEntries && stored.raw.ttlMs === fetched.ttlMs && stored.raw.cacheScope === fetched.cacheScope) return;
    stored.raw = { ...fetched, entries: sameEntries ? stored.raw.entries : this.#judged(kind, entries) };
    stored.shown = this.#filtered(kind, stored.raw, stored.extras);
    if (!sameEntries) this.#options.onFetched();
    this.#options.onPublish(kind);
  }

  /** Whether the server lists this name to the gateway. */
  lists(kind: CatalogKind, name: string): boolean {
    const stored = this.#stored[kind];
    stored.names ??= new Set(stored.fetched.map(({ key }) => key));
    return stored.names.has(name);
  }

  /** How many entries the server lists to the gateway. */
  count(kind: CatalogKind): number {
    return this.#stored[kind].fetched.length;
  }

  /** Entries that the server lists to some clients and not to the gateway: the catalog has them too. */
  setExtras(kind: CatalogKind, entries: readonly Entry[]): void {
    const stored = this.#stored[kind];
    stored.extras = judgeEntries(kind, entries, this.#upstream?.era ?? 'legacy').entries;
    stored.shown = this.#filtered(kind, stored.raw, stored.extras);
    this.#options.onPublish(kind);
  }

  /** Entries as clients can read them. Once for each list that differs from the one before. */
  #judged(kind: CatalogKind, fetched: readonly Entry[]): Entry[] {
    const stored = this.#stored[kind];
    const { entries, skipped, mended } = judgeEntries(kind, fetched, this.#upstream?.era ?? 'legacy');
    const before = stored.skipped;
    const showsTool = kind === 'tools' ? this.#showsTool : undefined;
    const shown = showsTool ? skipped.filter(({ name }) => showsTool(name)) : skipped;
    stored.fetched = fetched;
    stored.names = undefined;
    stored.skipped = shown;
    const { server, log } = this.#options;
    reportJudged({ server, kind, skipped: shown, before, mended }, log);
    return entries;
  }

  #filtered(kind: CatalogKind, catalog: Catalog, extras: readonly Entry[]): Catalog {
    const showsTool = kind === 'tools' ? this.#showsTool : undefined;
    if (!showsTool && extras.length === 0) return catalog;
    // What the gateway is listed by now is no extra any more.
    const own = new Set(catalog.entries.map(({ key }) => key));
    const entries = [...catalog.entries, ...extras.filter(({ key }) => !own.has(key))];
    return { ...catalog, entries: showsTool ? entries.filter((entry) => showsTool(entry.key)) : entries };
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

/** New entry objects: values derived from one server's entries must not be taken for another's. */
const copyOf = (catalog: Catalog): Catalog => ({
  ...catalog,
  entries: catalog.entries.map((entry) => ({ ...entry })),
});

function notifiesOfChanges(upstream: Upstream, kind: CatalogKind): boolean {
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
