/**
 * The builtin tools as a member: always ready, without prefix, in the merged view only. What it offers never changes.
 * @module
 */

import type { ServerConfig } from '../../config/types.ts';
import { CATALOG_KINDS, type Catalog, type CatalogKind, type Upstream } from '../../core/upstream.ts';
import type { ServerState, ServerStatus } from '../types.ts';
import { countsOf, type Facts, factsOf, type ViewMember } from './facts.ts';

/** Calls of builtin tools wait for the queues and deadlines of other servers, not for bounds of their own. */
const DAY_MS = 24 * 60 * 60 * 1000;

const builtinConfig = (name: string): ServerConfig => ({
  name,
  kind: undefined,
  target: { transport: 'stdio', command: '', args: [], env: {}, cwd: undefined },
  concurrency: 1024,
  maxQueue: 100_000,
  queueTimeoutMs: DAY_MS,
  timeoutMs: DAY_MS,
  maxTimeoutMs: DAY_MS,
  connectTimeoutMs: 10_000,
  isolation: 'shared',
  namespace: false,
  tools: { include: [], exclude: [] },
  disabled: false,
  origin: 'file',
});

export class BuiltinMember implements ViewMember {
  readonly name: string;
  readonly config: ServerConfig;
  readonly builtin = true;
  readonly settling = false;
  readonly state: ServerState = 'ready';
  readonly upstream: Upstream;
  readonly facts: Facts;
  readonly adapter = undefined;
  /** Resolves when its catalogs are read. */
  readonly settled: Promise<void>;
  readonly triedAgain: Promise<void>;
  readonly #since = Date.now();
  readonly #catalogs = new Map<CatalogKind, Catalog>();

  constructor(name: string, upstream: Upstream, onCatalog: (kind: CatalogKind) => void) {
    this.name = name;
    this.config = builtinConfig(name);
    this.upstream = upstream;
    this.facts = factsOf(upstream);
    const read = async (kind: CatalogKind): Promise<void> => {
      this.#catalogs.set(kind, await upstream.catalog(kind, new AbortController().signal));
      onCatalog(kind);
    };
    this.settled = Promise.all(CATALOG_KINDS.map(read)).then(() => {});
    this.triedAgain = this.settled;
  }

  status(): ServerStatus {
    const { kind, transport, era, protocolVersion, serverInfo } = this.facts;
    return {
      ...{ name: this.name, kind, state: this.state, transport, speaksMcp: false, era, protocolVersion, serverInfo },
      ...{ stale: false, counts: countsOf(this), error: undefined, origin: 'builtin', since: this.#since },
    };
  }

  catalog(kind: CatalogKind): Catalog {
    return this.#catalogs.get(kind) ?? { entries: [] };
  }

  touch(): number {
    return Number.POSITIVE_INFINITY;
  }

  require(): Upstream {
    return this.upstream;
  }

  listenResources(): () => void {
    return () => {};
  }

  stop(): Promise<void> {
    return this.upstream.close();
  }
}
