/**
 * Reads lists again from time to time where a server has no way of saying that they have changed, and compares bytes.
 * @module
 */
import { createHash } from 'node:crypto';
import type { Catalog } from '../../../src/core/upstream.ts';
import type { ListKind } from '../catalog.ts';

const EVERY_MS = 30_000;
/** A list that states a longer life is read again after that, but at least this often. */
const AT_LEAST_EVERY_MS = 10 * 60_000;

export interface PollerContext {
  read(kind: ListKind): Promise<Catalog>;
  changed(kind: ListKind): void;
  everyMs?: number;
}

export class Poller {
  readonly #context: PollerContext;
  readonly #digests = new Map<ListKind, string>();
  readonly #ttls = new Map<ListKind, number>();
  readonly #timers = new Map<ListKind, NodeJS.Timeout>();
  #closed = false;

  constructor(context: PollerContext) {
    this.#context = context;
  }

  /** Every reading of a list is compared with the last one, for whatever purpose it was read. */
  seen(kind: ListKind, catalog: Catalog): void {
    this.#digests.set(kind, digestOf(catalog));
    this.#ttls.set(kind, catalog.ttlMs ?? 0);
  }

  /** Polls exactly these lists from now on. */
  set(kinds: ReadonlySet<ListKind>): void {
    if (this.#closed) return;
    for (const [kind, timer] of this.#timers) {
      if (kinds.has(kind)) continue;
      clearTimeout(timer);
      this.#timers.delete(kind);
    }
    for (const kind of kinds) if (!this.#timers.has(kind)) this.#arm(kind);
  }

  close(): void {
    this.set(new Set());
    this.#closed = true;
  }

  #arm(kind: ListKind): void {
    const base = this.#context.everyMs ?? EVERY_MS;
    const wait = Math.min(Math.max(base, this.#ttls.get(kind) ?? 0), Math.max(base, AT_LEAST_EVERY_MS));
    const jittered = wait * (0.9 + Math.random() * 0.2);
    this.#timers.set(kind, setTimeout(() => void this.#poll(kind), jittered).unref());
  }

  async #poll(kind: ListKind): Promise<void> {
    const before = this.#digests.get(kind);
    try {
      const catalog = await this.#context.read(kind);
      const digest = digestOf(catalog);
      this.seen(kind, catalog);
      if (before !== undefined && before !== digest && this.#timers.has(kind)) this.#context.changed(kind);
    } catch {
      // Not readable just now: it is read again next time.
    }
    if (this.#timers.has(kind)) this.#arm(kind);
  }
}

function digestOf({ entries }: Catalog): string {
  const hash = createHash('sha256');
  for (const { raw, value } of entries) hash.update(raw ?? JSON.stringify(value)).update('\n');
  return hash.digest('base64');
}
