/**
 * Connects one server: finds its adapter, by detection where the configuration names no kind, and gives the adapter its
 * context.
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
import { EraChanged, SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import { adapterOf, reachedBy } from '../../core/kinds.ts';
import type { Log } from '../../core/log.ts';
import { type Mask, masking } from '../../core/mask.ts';
import { ShownCredentials } from '../../core/shown-credentials.ts';
import { head } from '../../core/text.ts';
import type { Upstream } from '../../core/upstream.ts';
import type { Envelope } from '../../wire/envelope.ts';
import type { Notification } from '../../wire/jsonrpc.ts';
import type { Unanswered } from '../types.ts';
import { credentialServerOf } from './credential-server.ts';
import type { EraMemory } from './era-memory.ts';
import type { ServerMemories } from './server-memory.ts';
import type { StartSlots } from './start-slots.ts';

/** The adapter of the server that answers at a URL. Rejects when there is none. */
export type Detect = (url: URL, adapters: readonly Adapter[], context: DetectContext) => Promise<Adapter>;

export interface ConnectorOptions {
  adapters: readonly Adapter[];
  detect: Detect;
  eras: EraMemory;
  /** Shared by all servers that are commands. */
  starts: StartSlots;
  memories: ServerMemories;
  limits: Pick<GatewayConfig['limits'], 'maxReplyBytes' | 'maxCallerSessions'>;
  envelope: Envelope;
  credentials: Credentials;
  guardFor(config: ServerConfig): NetworkGuard | undefined;
  /** What adapters learn of it: definitions are compared with those in a lock file. */
  wholeDefinitions(): boolean;
  /** Called before each attempt. Rejects when policy denies the connection. */
  admit(config: ServerConfig, signal: AbortSignal): Promise<void> | undefined;
  log: Log;
}

export interface ConnectorEvents {
  onDown(reason: Error): void;
  onStarting(): void;
  onNotification(notification: Notification, callerKey: string | undefined): void;
}

/** Characters of a request that are kept. */
const MAX_ASKED = 2_000;

export class Connector {
  readonly #config: ServerConfig;
  readonly #options: ConnectorOptions;
  readonly #configured: Adapter | undefined;
  /** Of the last connection; used until an attempt fails, as another server may listen there by then. */
  #connected: Adapter | undefined;
  #lastFailed = false;
  /** The last connection showed that the server speaks another era than the one that is remembered. */
  #eraChanged = false;
  readonly #shown = new ShownCredentials();
  #asked: { request: string; at: number } | undefined;

  /** `connected`: the adapter that connected this server before. */
  constructor(config: ServerConfig, options: ConnectorOptions, connected?: Adapter) {
    this.#config = config;
    this.#options = options;
    this.#configured = config.kind === undefined ? undefined : adapterOf(options.adapters, config.kind);
    this.#connected = connected;
  }

  /** Undefined until the kind of the server is known. */
  get adapter(): Adapter | undefined {
    return this.#configured ?? this.#connected;
  }

  /** Takes what the server is configured with, and what it was shown lately, out of what it says. */
  readonly mask: Mask = (text) => this.#shown.mask(masking(this.#config.target)(text));

  /** The last request of this attempt, and how long ago it left; undefined where nothing left. */
  get asked(): Unanswered | undefined {
    return this.#asked && { request: this.#asked.request, ms: performance.now() - this.#asked.at };
  }

  async open(signal: AbortSignal, { onDown, onStarting, onNotification }: ConnectorEvents): Promise<Upstream> {
    const { name, target, isolation } = this.#config;
    const { limits, envelope, guardFor, eras, memories, log } = this.#options;
    const credentials = this.#credentials();
    this.#asked = undefined;
    let isConnected = false;
    const sending = (request: string): void => {
      if (!isConnected) this.#asked = { request: head(request, MAX_ASKED), at: performance.now() };
    };
    await this.#options.admit(this.#config, signal);
    const failedBefore = this.#lastFailed;
    this.#lastFailed = true;
    const guard = guardFor(this.#config);
    const adapter =
      (failedBefore ? this.#configured : this.adapter) ??
      (await this.#detect(target, guard, credentials, signal, sending));
    const upstream = await adapter.connect({
      name,
      target,
      options: optionsFor(adapter, this.#config),
      isolation,
      // A hint that may have caused the failure is not given twice.
      known: adapter.speaksMcp && !failedBefore && !this.#eraChanged ? await eras.recall(this.#config) : undefined,
      habits: adapter.speaksMcp ? await eras.recallHabits(this.#config) : undefined,
      learned: (habits) => void eras.rememberHabits(this.#config, habits),
      wholeDefinitions: this.#options.wholeDefinitions,
      memory: memories.of(this.#config),
      timeoutMs: this.#config.timeoutMs,
      maxReplyBytes: limits.maxReplyBytes,
      maxCallerSessions: limits.maxCallerSessions,
      envelope,
      guard,
      credentials,
      log,
      signal,
      onDown: (reason) => {
        if (reason instanceof EraChanged) {
          this.#eraChanged = true;
          void eras.forget(this.#config);
        }
        onDown(reason);
      },
      onStarting,
      onNotification,
      startSlot: (until, principal) => this.#options.starts.take(until, principal),
      sending,
    });
    isConnected = true;
    this.#eraChanged = false;
    this.#lastFailed = false;
    this.#connected = adapter;
    if (adapter.speaksMcp) void eras.remember(this.#config, upstream);
    return upstream;
  }

  /** Has the credentials of an identity at hand. Rejects with why there are none. */
  async prepare(identity: Identity): Promise<void> {
    await this.#credentials().headersFor(identity);
  }

  #credentials(): ServerCredentials {
    const server = credentialServerOf(this.#config);
    if (!server) return fixedHeaders({});
    return this.#shown.remembering(credentialsFor(this.#options.credentials, server));
  }

  async #detect(
    target: Target,
    guard: NetworkGuard | undefined,
    credentials: ServerCredentials,
    signal: AbortSignal,
    sending: (request: string) => void,
  ): Promise<Adapter> {
    const { adapters, detect } = this.#options;
    const { kind } = this.#config;
    if (kind !== undefined) {
      throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `this gateway has no adapter for '${kind}' servers`);
    }
    if (target.transport !== 'stdio') {
      const shown = await credentials.headersFor(GATEWAY_IDENTITY);
      // A token with a proof is good for one request; that the server asks for it says what it is, too.
      const headers = 'DPoP' in shown ? {} : shown;
      const broker = target.transport === 'mqtt' ? { broker: target.broker } : {};
      const asked = reachedBy(adapters, target.transport);
      return detect(new URL(target.url), asked, { headers, ...broker, guard, signal, sending });
    }
    const adapter = adapters.find(({ transports }) => transports.includes('stdio'));
    if (!adapter) throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', 'this gateway has no adapter for commands');
    return adapter;
  }
}

/** Throws `SWB_CONFIG` for a value its adapter does not accept: only servers whose kind is detected can have one. */
function optionsFor({ options = {}, label }: Adapter, config: ServerConfig): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(options)) {
    const { success, data } = schema.safeParse(config.options?.[key]);
    if (!success)
      throw new SwitchboardError('SWB_CONFIG', `its entry needs a valid '${key}', as it is a ${label} server`);
    if (data !== undefined) values[key] = data;
  }
  return values;
}
