/**
 * The base of upstreams whose servers have an HTTP API of their own and no change events: lists are polled and compared,
 * the loss of the server is reported once, and closing is final.
 * @module
 */
import type { ConnectContext } from '../../src/core/adapter.ts';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hash.ts';
import { Listeners } from '../../src/core/listeners.ts';
import { pollEvery } from '../../src/core/repeat.ts';
import type {
  Catalog,
  CatalogKind,
  Change,
  Entry,
  ListenFilter,
  Reply,
  Subscription,
  Upstream,
} from '../../src/core/upstream.ts';
import type { Implementation } from '../../src/wire/envelope.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';

const POLL_TIMEOUT_MS = 15_000;
/** How long the request may take that finds out whether a server is gone. */
const RECHECK_MS = 5_000;

export interface PolledOptions {
  /** The lists the server has. */
  lists: readonly CatalogKind[];
  pollMs: number;
  /** Undefined where the server does not tell its version. */
  version: string | undefined;
  serverInfo: Implementation | undefined;
}

export abstract class PolledUpstream implements Upstream {
  abstract readonly kind: string;
  abstract readonly capabilities: JsonObject;
  readonly transport = 'http';
  readonly era = 'legacy';
  readonly instructions = undefined;
  readonly protocolVersion: string;
  readonly serverInfo: Implementation | undefined;
  protected readonly context: Pick<ConnectContext, 'name' | 'log' | 'onDown'>;
  readonly #lists: readonly CatalogKind[];
  readonly #pollMs: number;
  readonly #listeners: Listeners<[Change]>;
  /** Fingerprints of the lists as they were last read. */
  readonly #seen = new Map<CatalogKind, string>();
  #poll: Subscription | undefined;
  #down = false;
  #rechecking = false;
  #closing: Promise<void> | undefined;

  constructor(context: ConnectContext, { lists, pollMs, version, serverInfo }: PolledOptions) {
    this.context = context;
    this.#listeners = new Listeners(context.log);
    this.#lists = lists;
    this.#pollMs = pollMs;
    this.protocolVersion = version ?? 'unknown';
    this.serverInfo = serverInfo;
  }

  abstract request(method: string, params: JsonObject, call: Call): Promise<Reply>;
  abstract ping(signal: AbortSignal): Promise<void>;
  /** Reads one of the lists. */
  protected abstract list(kind: CatalogKind, signal: AbortSignal): Promise<Entry[]>;
  /** Ends runs and connections. Called once. */
  protected abstract end(): Promise<void>;

  async catalog(kind: CatalogKind, signal: AbortSignal): Promise<Catalog> {
    this.requireOpen();
    if (!this.#lists.includes(kind)) return { entries: [] };
    const entries = await this.list(kind, signal);
    this.#seen.set(kind, fingerprint(entries));
    return { entries };
  }

  listen(filter: ListenFilter, onChange: (change: Change) => void): Subscription {
    if (!filter.lists || this.#closing) return { close() {} };
    const remove = this.#listeners.add(onChange);
    this.#poll ??= pollEvery(this.#pollMs, (signal) => this.#compare(signal));
    return {
      close: () => {
        remove();
        if (this.#listeners.size > 0) return;
        this.#poll?.close();
        this.#poll = undefined;
      },
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Whether the server is gone or {@link close} was called. */
  protected get isOver(): boolean {
    return this.#down || this.#closing !== undefined;
  }

  /** Whether it is closed because its server was lost. */
  protected get isLost(): boolean {
    return this.#down;
  }

  protected requireOpen(): void {
    if (this.#closing) throw this.disconnected();
  }

  protected disconnected(): SwitchboardError {
    return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${this.context.name}' was disconnected.`);
  }

  /** A list is another one than it was when it was last read. */
  protected changed(kind: CatalogKind): void {
    this.#listeners.emit({ type: 'list', kind });
  }

  protected get isListenedTo(): boolean {
    return this.#listeners.size > 0;
  }

  /** Reports the loss of the server, once, and not after {@link close}. */
  reportDown(reason: Error): void {
    if (this.isOver) return;
    this.#down = true;
    this.context.onDown(reason);
  }

  /**
   * Settles as `work` does. HTTP has no connection to lose: the server is down when a request fails with
   * `SWB_UPSTREAM_UNAVAILABLE`, and `probe` after it fails in any way. `by` ends the work: a ping that took too long says no more than
   * that the server may be busy, and to close it would fail the calls it is busy with.
   */
  protected async watched<T>(
    work: Promise<T>,
    probe: (signal: AbortSignal) => Promise<unknown>,
    by?: AbortSignal,
  ): Promise<T> {
    try {
      return await work;
    } catch (error) {
      const isLost = error instanceof SwitchboardError && error.code === 'SWB_UPSTREAM_UNAVAILABLE' && !by?.aborted;
      if (isLost) void this.#recheck(probe);
      throw error;
    }
  }

  async #recheck(probe: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    if (this.#rechecking || this.isOver) return;
    this.#rechecking = true;
    try {
      await probe(AbortSignal.timeout(RECHECK_MS));
    } catch (error) {
      this.reportDown(error as Error);
    } finally {
      this.#rechecking = false;
    }
  }

  async #close(): Promise<void> {
    this.#poll?.close();
    this.#listeners.clear();
    await this.end();
  }

  async #compare(signal: AbortSignal): Promise<void> {
    const timed = AbortSignal.any([signal, AbortSignal.timeout(POLL_TIMEOUT_MS)]);
    for (const kind of this.#lists) {
      const now = fingerprint(await this.list(kind, timed));
      if (signal.aborted) return;
      const before = this.#seen.get(kind);
      this.#seen.set(kind, now);
      if (before !== undefined && before !== now) this.#listeners.emit({ type: 'list', kind });
    }
  }
}

const fingerprint = (entries: readonly Entry[]): string => sha256(JSON.stringify(entries.map(({ value }) => value)));
