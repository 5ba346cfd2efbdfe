/**
 * The gateway's own tools as a member: always there, without prefix, in the merged view only.
 * @module
 */

import type { ServerConfig } from '../../config/types.ts';
import type { Log } from '../../core/log.ts';
import type { Catalog, CatalogKind, Change, Subscription, Upstream } from '../../core/upstream.ts';
import type { ServerState, ServerStatus } from '../types.ts';
import { Catalogs } from './catalogs.ts';
import { countsOf, type Facts, factsOf, type ViewMember } from './facts.ts';
import { ResourceListeners } from './resource-listeners.ts';
import type { Timing } from './timing.ts';

/** Nothing is between the gateway and itself: these calls wait for other servers' queues and deadlines, not for these. */
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

export interface BuiltinOptions {
  timing: Timing;
  log: Log;
  onCatalog(kind: CatalogKind): void;
}

export class BuiltinMember implements ViewMember {
  readonly name: string;
  readonly config: ServerConfig;
  readonly builtin = true;
  readonly state: ServerState = 'ready';
  readonly upstream: Upstream;
  readonly facts: Facts;
  readonly adapter = undefined;
  readonly settled: Promise<void>;
  readonly #since = Date.now();
  readonly #catalogs: Catalogs;
  readonly #resources: ResourceListeners;
  readonly #lists: Subscription;

  constructor(name: string, upstream: Upstream, { timing, log, onCatalog }: BuiltinOptions) {
    this.name = name;
    this.config = builtinConfig(name);
    this.upstream = upstream;
    this.facts = factsOf(upstream);
    this.#catalogs = new Catalogs({
      server: name,
      listTimeoutMs: this.config.connectTimeoutMs,
      showsTool: undefined,
      timing,
      log,
      onPublish: onCatalog,
      onProblem: () => {},
    });
    this.#resources = new ResourceListeners(name, log);
    this.#resources.attach(upstream);
    this.#lists = upstream.listen({ lists: true }, (change) => {
      if (change.type === 'list') this.#catalogs.changed(change.kind);
    });
    this.settled = this.#catalogs.attach(upstream, false);
  }

  status(): ServerStatus {
    const { kind, transport, era, protocolVersion, serverInfo } = this.facts;
    return {
      name: this.name,
      kind,
      state: this.state,
      transport,
      speaksMcp: false,
      era,
      protocolVersion,
      stale: false,
      counts: countsOf((each) => this.catalog(each)),
      error: undefined,
      origin: 'builtin',
      since: this.#since,
      serverInfo,
    };
  }

  catalog(kind: CatalogKind): Catalog {
    return this.#catalogs.get(kind);
  }

  touch(kind: CatalogKind, now: number): number {
    return this.#catalogs.touch(kind, now);
  }

  require(): Upstream {
    return this.upstream;
  }

  listenResources(uris: readonly string[], onChange: (change: Change) => void): () => void {
    return this.#resources.add(uris, onChange);
  }

  async stop(): Promise<void> {
    this.#lists.close();
    this.#resources.clear();
    this.#catalogs.detach();
    await this.upstream.close();
  }
}
