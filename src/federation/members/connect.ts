/**
 * One attempt to connect a server: finds out its kind where the configuration does not say, and hands its adapter what
 * is known about it.
 * @module
 */

import type { GatewayConfig, ServerConfig } from '../../config/types.ts';
import type { Adapter, DetectContext, NetworkGuard, Target } from '../../core/adapter.ts';
import {
  type Credentials,
  credentialsFor,
  fixedHeaders,
  GATEWAY_IDENTITY,
  type ServerCredentials,
} from '../../core/credentials.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Upstream, UpstreamKind } from '../../core/upstream.ts';
import type { Envelope } from '../../wire/envelope.ts';
import type { Notification } from '../../wire/jsonrpc.ts';
import type { EraMemory } from './era-memory.ts';

type ServerKind = Exclude<UpstreamKind, 'builtin'>;

/** Which kind of server answers at a URL. Rejects when none does. */
export type DetectKind = (url: URL, adapters: readonly Adapter[], context: DetectContext) => Promise<ServerKind>;

export interface ConnectorOptions {
  adapters: readonly Adapter[];
  detect: DetectKind;
  eras: EraMemory;
  limits: Pick<GatewayConfig['limits'], 'maxReplyBytes' | 'maxCallerSessions'>;
  identity: Envelope;
  credentials: Credentials;
  guardFor(config: ServerConfig): NetworkGuard | undefined;
  /** Rejects when policy does not want this connection. Asked before each attempt. */
  admit(config: ServerConfig, signal: AbortSignal): Promise<void> | undefined;
  log: Log;
}

export interface ConnectorEvents {
  onDown(reason: Error): void;
  onNotification(notification: Notification, callerKey: string | undefined): void;
}

export class Connector {
  readonly #config: ServerConfig;
  readonly #options: ConnectorOptions;
  /** What was detected, until an attempt fails: another server may listen there by then. */
  #detected: ServerKind | undefined;
  #lastFailed = false;

  constructor(config: ServerConfig, options: ConnectorOptions) {
    this.#config = config;
    this.#options = options;
  }

  async open(signal: AbortSignal, { onDown, onNotification }: ConnectorEvents): Promise<Upstream> {
    const { name, target, isolation } = this.#config;
    const { limits, identity, guardFor, eras, log } = this.#options;
    const credentials = this.#credentials(target);
    await this.#options.admit(this.#config, signal);
    const failedBefore = this.#lastFailed;
    this.#lastFailed = true;
    const guard = guardFor(this.#config);
    const adapter = await this.#adapter(target, guard, credentials, signal);
    const upstream = await adapter.connect({
      name,
      target,
      isolation,
      // A hint that may have caused the failure is not given twice.
      known: adapter.kind === 'mcp' && !failedBefore ? await eras.recall(this.#config) : undefined,
      maxReplyBytes: limits.maxReplyBytes,
      maxCallerSessions: limits.maxCallerSessions,
      identity,
      guard,
      credentials,
      log,
      signal,
      onDown,
      onNotification,
    });
    this.#lastFailed = false;
    this.#detected = adapter.kind;
    if (adapter.kind === 'mcp') void eras.remember(this.#config, upstream);
    return upstream;
  }

  #credentials(target: Target): ServerCredentials {
    if (target.transport === 'stdio') return fixedHeaders({});
    const { url, headers } = target;
    return credentialsFor(this.#options.credentials, { name: this.#config.name, url, headers });
  }

  async #adapter(
    target: Target,
    guard: NetworkGuard | undefined,
    credentials: ServerCredentials,
    signal: AbortSignal,
  ): Promise<Adapter> {
    const kind = this.#config.kind ?? this.#detected ?? (await this.#detect(target, guard, credentials, signal));
    this.#detected = undefined;
    const adapter = this.#options.adapters.find((candidate) => candidate.kind === kind);
    if (!adapter)
      throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `this gateway has no adapter for '${kind}' servers`);
    return adapter;
  }

  async #detect(
    target: Target,
    guard: NetworkGuard | undefined,
    credentials: ServerCredentials,
    signal: AbortSignal,
  ): Promise<ServerKind> {
    // Only MCP servers are started as commands.
    if (target.transport === 'stdio') return 'mcp';
    const { adapters, detect } = this.#options;
    const headers = await credentials.headersFor(GATEWAY_IDENTITY);
    return detect(new URL(target.url), adapters, { headers, guard, signal });
  }
}
