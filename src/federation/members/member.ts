/**
 * One configured server: its state, its connection while it has one, and its last catalog and facts while it has none.
 * @module
 */

import type { ServerConfig } from '../../config/types.ts';
import type { Adapter } from '../../core/adapter.ts';
import { isAwaitingCaller } from '../../core/credentials.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import type { Mask } from '../../core/mask.ts';
import type { Catalog, CatalogKind, Change, Subscription, Upstream } from '../../core/upstream.ts';
import type { Notification } from '../../wire/jsonrpc.ts';
import { CapabilityLists } from '../offers/capability-lists.ts';
import type { ServerState, ServerStatus, Unanswered } from '../types.ts';
import { type AgentTools, AgentToolsOf } from './agent-tools.ts';
import { Catalogs } from './catalogs.ts';
import { Connector, type ConnectorOptions } from './connect.ts';
import { countsOf, type Facts, factsOf, type ViewMember } from './facts.ts';
import { watchHealth } from './health.ts';
import { Lifecycle } from './lifecycle.ts';
import { reasonOf } from './reason.ts';
import { ResourceListeners } from './resource-listeners.ts';
import type { Timing } from './timing.ts';

export interface MemberEvents {
  onState(member: ServerMember): void;
  /** The list of this kind was replaced by another one. */
  onCatalog(member: ServerMember, kind: CatalogKind): void;
  /** What a server lists to clients with these features has changed. */
  onOffers(features: string): void;
  onNotification(member: ServerMember, notification: Notification, callerKey: string | undefined): void;
}

export interface MemberOptions extends ConnectorOptions {
  timing: Timing;
  events: MemberEvents;
}

export class ServerMember implements ViewMember {
  readonly name: string;
  readonly config: ServerConfig;
  readonly builtin = false;
  /** Resolves when the server is ready, has failed once, or has been stopped. Never rejects. */
  readonly settled: Promise<void>;
  /** As `settled`, after a second attempt where a command exited in the first one. */
  readonly triedAgain: Promise<void>;

  readonly #events: MemberEvents;
  readonly #log: Log;
  readonly #timing: Timing;
  readonly #connector: Connector;
  readonly #lifecycle: Lifecycle;
  readonly #catalogs: Catalogs;
  readonly offers: CapabilityLists;
  readonly #agentTools: AgentToolsOf;
  readonly #resources: ResourceListeners;
  readonly #settled: (mayTryAgain: boolean) => void;

  #settling = true;
  #state: ServerState = 'configured';
  #since = Date.now();
  #error: string | undefined;
  #failure: unknown;
  #asked: Unanswered | undefined;
  #upstream: Upstream | undefined;
  #facts: Facts | undefined;
  /** The first catalogs of this connection have arrived or failed. */
  #listed = false;
  #pingProblem: string | undefined;
  #watches: Subscription[] = [];
  /** Settles when the attempt that follows a useful connection has succeeded or failed. */
  #returning: PromiseWithResolvers<void> | undefined;

  /** `replaced`: the member this one takes the place of; its last good catalog is shown until there is a new one. */
  constructor(config: ServerConfig, options: MemberOptions, replaced?: ServerMember) {
    const { timing, events, log } = options;
    this.name = config.name;
    this.config = config;
    this.#events = events;
    this.#log = log;
    this.#timing = timing;
    this.#facts = replaced?.facts;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.settled = promise;
    const again = Promise.withResolvers<void>();
    this.triedAgain = again.promise;
    let tries = 0;
    this.#settled = (mayTryAgain) => {
      resolve();
      if (!mayTryAgain || ++tries > 1) again.resolve();
    };

    this.#catalogs = new Catalogs(
      {
        server: config.name,
        mask: (text) => this.mask(text),
        listTimeoutMs: config.connectTimeoutMs,
        tools: config.tools,
        timing,
        log,
        onFetched: () => this.offers.outdated(),
        onPublish: (kind) => events.onCatalog(this, kind),
        onProblem: () => this.#reassess(),
      },
      replaced === undefined ? undefined : replaced.#catalogs,
    );
    this.offers = new CapabilityLists({
      server: config.name,
      timeoutMs: config.connectTimeoutMs,
      log,
      upstream: () => this.#upstream,
      lists: (kind, key) => this.#catalogs.lists(kind, key),
      count: (kind) => this.#catalogs.count(kind),
      setExtras: (kind, entries) => this.#catalogs.setExtras(kind, entries),
      onChange: (key) => events.onOffers(key),
      recallAlike: () => options.eras.recallAlike(config),
      rememberAlike: (keys) => void options.eras.rememberAlike(config, keys),
    });
    this.#agentTools = new AgentToolsOf(config.name, config.agentTools);
    this.#resources = new ResourceListeners(config.name, log);
    this.#connector = new Connector(config, options, replaced?.adapter);
    this.#lifecycle = new Lifecycle({
      connectTimeoutMs: config.connectTimeoutMs,
      timing,
      slot: config.target.transport === 'stdio' ? (signal) => options.starts.take(signal) : undefined,
      open: (signal, { onDown, onStarting }) =>
        this.#connector.open(signal, {
          onDown,
          onStarting,
          onNotification: (notification, callerKey) => events.onNotification(this, notification, callerKey),
        }),
      onUp: (upstream) => this.#up(upstream),
      onAway: (reason, atOnce) => this.#away(reason, atOnce),
    });
  }

  get state(): ServerState {
    return this.#state;
  }

  get settling(): boolean {
    return this.#settling;
  }

  get upstream(): Upstream | undefined {
    return this.#upstream;
  }

  /** When it is connected again; undefined where that is not planned. */
  get retryAfterMs(): number | undefined {
    return this.#lifecycle.retryAfterMs();
  }

  get facts(): Facts | undefined {
    return this.#facts;
  }

  get adapter(): Adapter | undefined {
    return this.#connector.adapter;
  }

  get mask(): Mask {
    return this.#connector.mask;
  }

  get returning(): Promise<void> | undefined {
    return this.#returning?.promise;
  }

  status(): ServerStatus {
    const facts = this.#facts;
    const counts = countsOf(this);
    const skipped = this.#catalogs.skipped();
    return {
      name: this.name,
      ...(this.config.title === undefined ? {} : { title: this.config.title }),
      kind: facts?.kind ?? this.config.kind,
      state: this.#state,
      transport: facts?.transport,
      speaksMcp: this.adapter?.speaksMcp,
      era: facts?.era,
      protocolVersion: facts?.protocolVersion,
      stale: !this.#upstream && Object.values(counts).some((count) => count > 0),
      counts,
      error: this.#error,
      origin: this.config.origin,
      since: this.#since,
      serverInfo: facts?.serverInfo,
      ...(this.#upstream?.oneSession ? { oneSession: true } : {}),
      ...(skipped.length > 0 ? { skipped } : {}),
    };
  }

  get asked(): Unanswered | undefined {
    return this.#asked;
  }

  get failure(): unknown {
    return this.#failure;
  }

  catalog(kind: CatalogKind): Catalog {
    return this.#catalogs.get(kind);
  }

  agentTools(): AgentTools {
    const catalogs = this.#catalogs;
    return this.#agentTools.get(catalogs.get('agents'), catalogs.whole('tools'), catalogs.isKnown('tools'));
  }

  continuations(): readonly string[] {
    return this.adapter?.agents?.continuations ?? [];
  }

  takesKeys(): boolean {
    return this.adapter?.agents?.takesKeys === true;
  }

  takesThreadIds(): boolean {
    return this.adapter?.agents?.takesThreadIds === true;
  }

  listProblem(kind: CatalogKind): string | undefined {
    return this.#catalogs.problemOf(kind);
  }

  isUnlisted(kind: CatalogKind): boolean {
    return this.#upstream !== undefined && this.#catalogs.hasList(kind) && !this.#catalogs.isKnown(kind);
  }

  hasList(kind: CatalogKind): boolean {
    return this.#catalogs.hasList(kind);
  }

  touch(kind: CatalogKind, now: number): number {
    const next = this.#catalogs.touch(kind, now);
    return kind === 'tools' ? Math.min(next, this.#catalogs.touch('agents', now)) : next;
  }

  require(): Upstream {
    if (this.#upstream) return this.#upstream;
    this.#lifecycle.nudge();
    // A person has to log in before it can be connected: its callers get that as their error, and may.
    if (isLoginNeeded(this.#failure)) throw this.#failure;
    const { retryAfterMs } = this;
    const reason = this.#error ?? (this.#state === 'connecting' ? 'it is still connecting' : 'it is not connected');
    const data = { server: this.name, reason };
    // Adapters name the server themselves.
    const named = reason.startsWith(`Server '${this.name}'`);
    const message = named ? `${reason}.` : `Server '${this.name}' is not available: ${reason}.`;
    throw retryAfterMs === undefined
      ? new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', message, { data })
      : new SwitchboardError(
          'SWB_UPSTREAM_UNAVAILABLE',
          `${message} The gateway is connecting to it again; try later.`,
          { data, retryAfterMs },
        );
  }

  /** Something has changed that may let it be connected now: a person has logged in. */
  reconnect(): void {
    if (this.#upstream) this.#catalogs.refresh();
    else this.#lifecycle.again();
  }

  /** It can be connected with a caller's credentials only, and none has come yet. */
  get awaitsCaller(): boolean {
    return !this.#upstream && isAwaitingCaller(this.#failure);
  }

  /** A caller whose credentials may do. Resolves when they are at hand and it is being connected; rejects with why they do not. */
  async introduce(identity: Identity): Promise<void> {
    await this.#connector.prepare(identity);
    if (this.awaitsCaller) this.#lifecycle.again();
  }

  listenResources(uris: readonly string[], onChange: (change: Change) => void): () => void {
    return this.#resources.add(uris, onChange);
  }

  start(): void {
    if (this.#state !== 'configured') return;
    if (this.config.disabled) {
      this.#settle();
      this.#set('stopped', 'it is disabled in the configuration');
      return;
    }
    this.#set('connecting', undefined);
    this.#lifecycle.start();
  }

  /** Ends the member for good. `why` is the reason later calls fail with. Never rejects; bounded in time. */
  async stop(why: string): Promise<void> {
    this.#disconnected();
    this.#returned();
    this.#resources.clear();
    this.#settle();
    this.#set('stopped', why);
    await this.#lifecycle.stop();
  }

  #up(upstream: Upstream): void {
    this.#upstream = upstream;
    this.#returned();
    this.offers.outdated();
    this.#facts = factsOf(upstream);
    this.#failure = undefined;
    this.#listed = false;
    this.#pingProblem = undefined;
    this.#watches = [
      upstream.listen({ lists: true }, (change) => {
        if (change.type === 'list' && this.#upstream === upstream) this.#listChanged(change.kind);
      }),
      watchHealth(upstream, this.#timing, {
        onSick: (reason) => this.#assess(reasonOf(reason, this.mask)),
        onWell: () => {
          this.#assess(undefined);
          // Notifications may have been missed.
          this.#catalogs.refresh();
        },
      }),
    ];
    this.#resources.attach(upstream);
    void this.#catalogs.attach(upstream, this.adapter?.listsWhatItDeclares ?? false).then(() => {
      if (this.#upstream !== upstream) return;
      this.#listed = true;
      this.#settle();
      this.#reassess();
    });
  }

  #away(reason: unknown, atOnce: boolean): void {
    this.#returned();
    if (atOnce) this.#returning = Promise.withResolvers();
    const wasUp = this.#upstream !== undefined;
    this.#disconnected();
    const error = reasonOf(reason, this.mask);
    this.#failure = reason;
    this.#asked = wasUp ? undefined : this.#connector.asked;
    this.#log.debug({ server: this.name, retryMs: this.retryAfterMs, err: reason }, 'Connecting again after a pause.');
    this.#settle(hasExited(reason));
    this.#set('degraded', error);
  }

  /** Called before the state is set: lists that are made then have the `ttlMs` of a server that is known. */
  #settle(mayTryAgain = false): void {
    this.#settling = false;
    this.#settled(mayTryAgain);
  }

  #returned(): void {
    this.#returning?.resolve();
    this.#returning = undefined;
  }

  #disconnected(): void {
    this.#upstream = undefined;
    for (const watch of this.#watches) watch.close();
    this.#watches = [];
    this.#resources.detach();
    this.#catalogs.detach();
  }

  #listChanged(kind: CatalogKind): void {
    this.#catalogs.changed(kind);
    // MCP has one notification for resources and templates.
    if (kind === 'resources') this.#catalogs.changed('templates');
  }

  #assess(pingProblem: string | undefined): void {
    this.#pingProblem = pingProblem;
    this.#reassess();
  }

  /** Sets `ready` or `degraded` of a connected server; the connection stays in use either way. */
  #reassess(): void {
    if (!this.#upstream || !this.#listed) return;
    const problem = this.#pingProblem ?? this.#catalogs.problem();
    this.#set(problem === undefined ? 'ready' : 'degraded', problem);
  }

  #set(state: ServerState, error: string | undefined): void {
    const changed = this.#state !== state;
    if (!changed && this.#error === error) return;
    this.#error = error;
    this.#state = state;
    if (changed) this.#since = Date.now();
    this.#events.onState(this);
  }
}

const isLoginNeeded = (failure: unknown): failure is SwitchboardError =>
  failure instanceof SwitchboardError && failure.code === 'SWB_LOGIN_NEEDED';

/** A command that started and exited: one that lost a race for a cache or a port may do better the next time. */
const hasExited = (reason: unknown): boolean =>
  reason instanceof SwitchboardError && ('exitCode' in reason.data || 'signal' in reason.data);
