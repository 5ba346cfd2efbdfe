/**
 * What one server offers to clients of which capabilities. Its catalog is what it offers to the gateway, which declares
 * everything; servers hide tools from clients that cannot be asked, or have others for them. So a server is asked once for
 * each set of capabilities that a client comes with, and where the outcome is the same for all it is remembered for a day.
 *
 * What is not known yet is shown as the catalog has it. Bounded: in sets per server, one question at a time, each with a time
 * limit.
 * @module
 */
import type { ClientFeatures } from '../../core/client-features.ts';
import { withDeadline } from '../../core/deadline.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { Shares } from '../../core/shares.ts';
import {
  CATALOG_KINDS,
  type CatalogKind,
  type Entry,
  type CapabilityLists as Lists,
  type Upstream,
} from '../../core/upstream.ts';

/** Sets of capabilities that one server is asked for, and by one principal. Clients with other ones are shown what the gateway is. */
const MAX_SETS = 32;
const MAX_SETS_PER_PRINCIPAL = 16;
const DAY_MS = 24 * 60 * 60 * 1000;
/** After this a question that could not be asked is asked again. */
const AGAIN_MS = 60_000;

export interface CapabilityListsOptions {
  server: string;
  /** Longest time one question may take. */
  timeoutMs: number;
  log: Log;
  upstream(): Upstream | undefined;
  /** Whether the server lists an entry of this name to the gateway. */
  lists(kind: CatalogKind, key: string): boolean;
  /** How many entries of this kind the server lists to the gateway. */
  count(kind: CatalogKind): number;
  /** Entries that the server lists to some clients and not to the gateway. */
  setExtras(kind: CatalogKind, entries: readonly Entry[]): void;
  /** What clients with these features are shown differs from now on. */
  onChange(key: string): void;
  recallAlike(): Promise<readonly string[]>;
  rememberAlike(keys: readonly string[]): void;
}

/** The names that clients with one set of features are shown, where they differ from the catalog's. */
type Shown = ReadonlyMap<CatalogKind, ReadonlySet<string>>;

interface Answer {
  /** Undefined: as the catalog. */
  shown: Shown | undefined;
  extras: ReadonlyMap<CatalogKind, readonly Entry[]>;
  /** When it may be asked again, on the clock of `performance.now()`. */
  until: number;
}

/** Entries of one list for some clients alone that are kept, and their bytes together. */
const MAX_EXTRAS = 1_000;
const MAX_EXTRA_BYTES = 1024 * 1024;

/** The first of these entries. Their bytes are copied: they lie in those of the whole list. */
function kept(entries: readonly Entry[]): Entry[] {
  let bytes = 0;
  const few: Entry[] = [];
  for (const { raw, ...entry } of entries.slice(0, MAX_EXTRAS)) {
    bytes += raw?.length ?? JSON.stringify(entry.value).length;
    if (bytes > MAX_EXTRA_BYTES) break;
    few.push(raw ? { ...entry, raw: Buffer.from(raw) } : entry);
  }
  return few;
}

const NONE: Answer['extras'] = new Map();

export class CapabilityLists {
  readonly #options: CapabilityListsOptions;
  readonly #answers = new Map<string, Answer>();
  /** Taken for good: an answer is kept. */
  readonly #sets = new Shares(MAX_SETS, MAX_SETS_PER_PRINCIPAL);
  readonly #asking = new Map<string, Promise<void>>();
  /** Names that the server lists to some clients and not to the gateway. */
  readonly #extraNames = new Map<CatalogKind, ReadonlySet<string>>();
  /** One question at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #alike: Set<string> | undefined;

  constructor(options: CapabilityListsOptions) {
    this.#options = options;
  }

  /** Whether clients with some features are shown something else than the catalog's entries. */
  get varies(): boolean {
    for (const { shown } of this.#answers.values()) if (shown) return true;
    return false;
  }

  shows(features: string, kind: CatalogKind, key: string): boolean {
    const shown = this.#answers.get(features)?.shown?.get(kind);
    if (shown?.has(key)) return true;
    if (this.#extraNames.get(kind)?.has(key)) return false;
    // What stands in no list of the server, such as an agent among its tools, is shown to all.
    return shown === undefined || !this.#options.lists(kind, key);
  }

  /** Resolves when it is known what these clients are shown; undefined when it is, or cannot be found out. Never rejects. */
  ask(features: ClientFeatures, principal: string): Promise<void> | undefined {
    const { key } = features;
    const answer = this.#answers.get(key);
    if (answer && performance.now() < answer.until) return undefined;
    const upstream = this.#options.upstream();
    if (!upstream?.listsFor) return undefined;
    let asking = this.#asking.get(key);
    if (!asking) {
      if (!answer && !this.#sets.tryTake(principal)) return undefined;
      asking = this.#last.then(() => this.#ask(features)).finally(() => this.#asking.delete(key));
      this.#last = asking;
      this.#asking.set(key, asking);
    }
    // What was known before is good enough until there is something newer, and so is that it could not be found out.
    return answer ? undefined : asking;
  }

  /** The server's lists may have changed, or it is another process now: what differs is asked for again on its next use. */
  outdated(): void {
    for (const answer of this.#answers.values()) if (answer.shown) answer.until = 0;
  }

  async #ask(features: ClientFeatures): Promise<void> {
    const { server, timeoutMs, log } = this.#options;
    const { key } = features;
    const now = performance.now();
    try {
      this.#alike ??= new Set(await this.#options.recallAlike());
      if (this.#alike.has(key) && !this.#answers.get(key)?.shown) {
        this.#answers.set(key, { shown: undefined, extras: NONE, until: now + DAY_MS });
        return;
      }
      const lists = await withDeadline(
        async (signal) => this.#options.upstream()?.listsFor?.(features.capabilities, signal),
        { ms: timeoutMs, timeout: () => new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'It took too long.') },
      );
      if (lists) this.#learn(key, lists);
      else this.#keep(key, { shown: undefined, extras: NONE, until: now + AGAIN_MS });
    } catch (error) {
      log.debug({ server, features: key, err: error }, 'A server could not be asked what it lists to such clients.');
      const before = this.#answers.get(key);
      this.#answers.set(key, { shown: before?.shown, extras: before?.extras ?? NONE, until: now + AGAIN_MS });
    }
  }

  #learn(key: string, lists: Lists): void {
    const { lists: isListed, count, rememberAlike, log, server } = this.#options;
    const shown = new Map<CatalogKind, ReadonlySet<string>>();
    const extras = new Map<CatalogKind, readonly Entry[]>();
    for (const kind of CATALOG_KINDS) {
      const entries = lists[kind]?.entries;
      if (!entries) continue;
      const own = kept(entries.filter((entry) => !isListed(kind, entry.key)));
      if (own.length === 0 && entries.length === count(kind)) continue;
      shown.set(kind, new Set(entries.map((entry) => entry.key)));
      if (own.length > 0) extras.set(kind, own);
    }
    const varies = shown.size > 0;
    this.#alike?.[varies ? 'delete' : 'add'](key);
    rememberAlike([...(this.#alike ?? [])]);
    if (varies) log.info({ server, features: key }, 'A server lists something else to clients with such capabilities.');
    this.#keep(key, {
      shown: varies ? shown : undefined,
      extras,
      until: varies ? Number.POSITIVE_INFINITY : performance.now() + DAY_MS,
    });
  }

  #keep(key: string, answer: Answer): void {
    const before = this.#answers.get(key);
    this.#answers.set(key, answer);
    if (before?.shown === undefined && answer.shown === undefined) return;
    for (const kind of CATALOG_KINDS) {
      if (!before?.extras.has(kind) && !answer.extras.has(kind)) continue;
      const extras = this.#extras(kind);
      this.#extraNames.set(kind, new Set(extras.map((entry) => entry.key)));
      this.#options.setExtras(kind, extras);
    }
    this.#options.onChange(key);
  }

  #extras(kind: CatalogKind): Entry[] {
    const byKey = new Map<string, Entry>();
    for (const { extras } of this.#answers.values()) {
      for (const entry of extras.get(kind) ?? []) if (!byKey.has(entry.key)) byKey.set(entry.key, entry);
    }
    return [...byKey.values()];
  }
}
