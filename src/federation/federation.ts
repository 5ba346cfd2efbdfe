/**
 * The federation: which servers there are, in which order, and the views of what they offer.
 * @module
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { staticCredentials } from '../auth/static-credentials.ts';
import { canShareNames } from '../config/names.ts';
import type { GatewayConfig, ServerConfig } from '../config/types.ts';
import type { Adapter, NetworkGuard } from '../core/adapter.ts';
import type { Credentials } from '../core/credentials.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Identity } from '../core/identity.ts';
import { Listeners } from '../core/listeners.ts';
import type { Log } from '../core/log.ts';
import type { CatalogKind, Upstream } from '../core/upstream.ts';
import { CHANNELS } from '../observe/events.ts';
import type { KeyValue } from '../state/state.ts';
import type { Envelope } from '../wire/envelope.ts';
import type { Notification } from '../wire/jsonrpc.ts';
import { BuiltinMember } from './members/builtin-member.ts';
import type { Detect } from './members/connect.ts';
import { detectAdapter } from './members/detect.ts';
import { EraMemory, type StateLike } from './members/era-memory.ts';
import { FirstConnections } from './members/first-connections.ts';
import { Introductions } from './members/introductions.ts';
import { type MemberOptions, ServerMember } from './members/member.ts';
import { ServerMemories } from './members/server-memory.ts';
import { StartSlots } from './members/start-slots.ts';
import { DEFAULT_TIMING, type Timing } from './members/timing.ts';
import { Offers } from './offers/offers.ts';
import type { Federation, Member, Patience, ServerStatus, View, Waiter } from './types.ts';
import { MergedView } from './views/merged-view.ts';
import { ServerView } from './views/server-view.ts';
import type { ViewOptions } from './views/view.ts';

export interface FederationOptions {
  adapters: readonly Adapter[];
  gateway: GatewayConfig;
  log: Log;
  /** Where eras of servers are stored; without it they are kept until the process ends. */
  state?: StateLike;
  /** Where adapters keep what they remember of servers; without it it is kept until the process ends. */
  memory?: KeyValue;
  /** Bounds where a server may be connected to. Undefined: anywhere. */
  guardFor?(config: ServerConfig): NetworkGuard | undefined;
  /** Whether definitions are compared with those in a lock file now. Default: they are not. */
  wholeDefinitions?(): boolean;
  /** Called before each attempt to connect. Rejects when policy denies the connection. */
  admit?(config: ServerConfig, signal: AbortSignal): Promise<void> | undefined;
  /** How the gateway names itself towards upstreams. */
  envelope: Envelope;
  /** The gateway that events are published of. */
  instance?: string;
  /** What requests to servers show them. Default: the headers configured for the server. */
  credentials?: Credentials | undefined;
  /** Finds the adapter of servers whose configuration names no kind. */
  detect?: Detect;
  timing?: Partial<Timing>;
  /** Servers are connected from then on, one after the other. Default: from when they are applied, all at once. */
  startAfter?: Promise<void> | undefined;
}

export function createFederation(options: FederationOptions): Federation {
  return new ServerFederation(options);
}

class ServerFederation implements Federation {
  readonly all: MergedView;
  readonly offers: Offers;
  readonly #memberOptions: MemberOptions;
  readonly #viewOptions: ViewOptions;
  readonly #builtins = new Map<string, BuiltinMember>();
  /** In list order. Changed only as a whole or at its end. */
  #servers = new Map<string, ServerMember>();
  /** Views of the servers there are, and of removed ones that still have listeners: their sessions may see them again. */
  readonly #views = new Map<string, ServerView>();
  readonly #stateListeners: Listeners<[ServerStatus]>;
  readonly #notificationListeners: Listeners<[Member, Notification, string | undefined]>;
  readonly #instance: string;
  readonly #firstConnections: FirstConnections;
  readonly #introductions: Introductions;
  /** Until then no server of the configuration is started; undefined: they are. */
  #startAfter: Promise<void> | undefined;
  #closed = false;

  constructor({ adapters, gateway, log, state, guardFor, admit, envelope, ...options }: FederationOptions) {
    const timing = { ...DEFAULT_TIMING, ...options.timing };
    this.#instance = options.instance ?? '';
    this.#startAfter = options.startAfter?.then(() => {
      this.#startAfter = undefined;
    });
    this.#firstConnections = new FirstConnections(gateway.firstList);
    this.#introductions = new Introductions((listener) => this.onStateChange(listener), gateway.firstList.httpMs);
    this.#stateListeners = new Listeners(log);
    this.#notificationListeners = new Listeners(log);
    this.#viewOptions = { pageSize: gateway.limits.pageSize, timing, log };
    this.all = new MergedView(() => this.members(), this.#viewOptions);
    this.offers = new Offers(() => this.members(), gateway.firstList, envelope.clientCapabilities);
    this.#memberOptions = {
      adapters,
      detect: options.detect ?? detectAdapter,
      eras: new EraMemory(state, log),
      memories: new ServerMemories(options.memory),
      limits: gateway.limits,
      envelope,
      credentials: options.credentials ?? staticCredentials,
      guardFor: (config) => guardFor?.(config),
      wholeDefinitions: () => options.wholeDefinitions?.() ?? false,
      admit: (config, signal) => admit?.(config, signal),
      log,
      timing,
      starts: new StartSlots(gateway.limits.maxStarts),
      events: {
        onState: (member) => this.#stateChanged(member),
        onCatalog: (member, kind) => this.#catalogChanged(member, kind),
        onOffers: (features) => this.offers.changed(features),
        onNotification: (member, notification, callerKey) =>
          this.#notificationListeners.emit(member, notification, callerKey),
      },
    };
  }

  view(server: string): View | undefined {
    return this.#servers.has(server) ? this.#views.get(server) : undefined;
  }

  members(): readonly (BuiltinMember | ServerMember)[] {
    return [...this.#builtins.values(), ...this.#servers.values()];
  }

  member(name: string): Member | undefined {
    return this.#servers.get(name) ?? this.#builtins.get(name);
  }

  async add(config: ServerConfig): Promise<ServerStatus> {
    this.#requireOpen();
    if (this.member(config.name)) {
      throw new SwitchboardError('SWB_INVALID_PARAMS', `There is already a server named '${config.name}'.`);
    }
    const near = this.#servers.values().find((member) => shareNames(member.config, config));
    if (near) {
      throw new SwitchboardError(
        'SWB_INVALID_PARAMS',
        `The servers '${near.name}' and '${config.name}' can make one name of two tools: another namespace is needed.`,
      );
    }
    const member = this.#created(config);
    this.#servers.set(config.name, member);
    this.all.invalidate();
    member.start();
    await member.settled;
    return member.status();
  }

  addBuiltin(name: string, upstream: Upstream): void {
    this.#requireOpen();
    if (this.member(name)) throw new SwitchboardError('SWB_CONFIG', `The name '${name}' is the gateway's own.`);
    this.#builtins.set(name, new BuiltinMember(name, upstream, (kind) => this.all.invalidate([kind])));
    this.all.invalidate();
  }

  async remove(name: string): Promise<boolean> {
    const member = this.#servers.get(name);
    if (!member) return false;
    this.#servers.delete(name);
    await this.#removed(member);
    return true;
  }

  async restart(name: string): Promise<boolean> {
    const old = this.#servers.get(name);
    if (!old) return false;
    this.#requireOpen();
    const member = this.#created(old.config, old);
    this.#servers.set(name, member);
    this.all.invalidate();
    await old.stop('it is started again');
    // Not where it was removed or replaced meanwhile: then it has been stopped, and does not start.
    member.start();
    await member.settled;
    return true;
  }

  async apply(servers: readonly ServerConfig[]): Promise<void> {
    this.#requireOpen();
    this.#checkNames(servers);
    const before = this.#servers;
    // The set changes at once; only ending removed members takes time.
    this.#servers = new Map();
    const starts: Promise<void>[] = [];
    let later = this.#startAfter;
    for (const config of servers) {
      const old = before.get(config.name);
      if (old && isDeepStrictEqual(old.config, config)) {
        this.#servers.set(config.name, old);
        continue;
      }
      const member = this.#created(config, old);
      this.#servers.set(config.name, member);
      // The replaced member's child or session must end before its replacement connects.
      const ended = old?.stop('its configuration has changed') ?? Promise.resolve();
      const start = (): void => member.start();
      // Each in a turn of its own: what clients ask meanwhile waits for one server's first steps and not for those of fifty.
      const turn = later?.then(() => nextTurn());
      later = turn;
      starts.push(ended.then(turn ? () => void turn.then(start) : start));
    }
    for (const old of before.values()) {
      if (old.config.origin !== 'runtime' || this.#servers.has(old.name)) continue;
      // The configuration may have taken its names meanwhile.
      if (servers.some((config) => shareNames(config, old.config))) {
        this.#memberOptions.log.warn(
          { server: old.name },
          'A connected server is removed: the configuration has taken its prefix.',
        );
      } else this.#servers.set(old.name, old);
    }
    const gone = [...before.values()].filter(({ name }) => !this.#servers.has(name));
    this.all.invalidate();
    await Promise.all([...starts, ...gone.map((member) => this.#removed(member))]);
  }

  onStateChange(listener: (status: ServerStatus) => void): () => void {
    return this.#stateListeners.add(listener);
  }

  onNotification(
    listener: (member: Member, notification: Notification, callerKey: string | undefined) => void,
  ): () => void {
    return this.#notificationListeners.add(listener);
  }

  async settled({ triedAgain = false }: { triedAgain?: boolean } = {}): Promise<void> {
    await Promise.all(this.members().map((member) => (triedAgain ? member.triedAgain : member.settled)));
  }

  get settling(): boolean {
    return this.#firstConnections.pending;
  }

  whenSettled(counts: (member: Member) => boolean, patience: Patience, waiter: Waiter): Promise<void> | undefined {
    return this.#firstConnections.wait(counts, patience, waiter);
  }

  get awaitsCallers(): boolean {
    return this.#introductions.pending;
  }

  introduce(identity: Identity, counts: (member: Member) => boolean, mustReach: boolean): Promise<void> | undefined {
    return this.#introductions.introduce(counts, identity, mustReach);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.members().map((member) => member.stop('the gateway is shutting down')));
    for (const view of [this.all, ...this.#views.values()]) view.close();
    this.#stateListeners.clear();
    this.#notificationListeners.clear();
  }

  #created(config: ServerConfig, replaced?: ServerMember): ServerMember {
    const { name } = config;
    const sameServer =
      replaced && replaced.config.kind === config.kind && isDeepStrictEqual(replaced.config.target, config.target);
    const member = new ServerMember(config, this.#memberOptions, sameServer ? replaced : undefined);
    this.#firstConnections.add(member);
    const view = this.#views.get(name);
    if (view) view.invalidate();
    else this.#views.set(name, new ServerView(name, () => this.#servers.get(name), this.#viewOptions));
    return member;
  }

  async #removed(member: ServerMember): Promise<void> {
    this.all.invalidate();
    this.#views.get(member.name)?.invalidate();
    for (const [name, view] of this.#views) {
      if (!this.#servers.has(name) && !view.hasListeners) this.#views.delete(name);
    }
    await member.stop('it has been removed');
  }

  #catalogChanged(member: ServerMember, kind: CatalogKind): void {
    if (this.#servers.get(member.name) !== member) return;
    if (CHANNELS.list.hasSubscribers) {
      CHANNELS.list.publish({ instance: this.#instance, server: member.name, list: kind });
    }
    // Agents appear as tools too.
    const kinds: CatalogKind[] = kind === 'agents' ? ['agents', 'tools'] : [kind];
    this.all.invalidate(kinds);
    this.#views.get(member.name)?.invalidate(kinds);
  }

  #stateChanged(member: ServerMember): void {
    const current = this.#servers.get(member.name);
    this.#introductions.note(member, current === member && member.state !== 'stopped');
    // A listener would take the state of a replaced member for that of its replacement.
    if (current !== undefined && current !== member) return;
    // The freshness of lists and `serverInfo` depend on the states of members.
    this.all.invalidate();
    this.#views.get(member.name)?.invalidate();
    this.#stateListeners.emit(member.status());
    if (!CHANNELS.upstream.hasSubscribers) return;
    const { name: server, kind, state, transport, era, error, counts } = member.status();
    CHANNELS.upstream.publish({
      instance: this.#instance,
      ...{ server, kind, state, transport, era, error },
      connected: member.upstream !== undefined,
      keepsLists: Object.values(counts).some((count) => count > 0),
      retryMs: member.retryAfterMs,
    });
  }

  #requireOpen(): void {
    if (this.#closed) throw new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.');
  }

  #checkNames(servers: readonly ServerConfig[]): void {
    const seen = new Set<string>(this.#builtins.keys());
    for (const { name } of servers) {
      if (seen.has(name)) throw new SwitchboardError('SWB_CONFIG', `The server name '${name}' is taken.`);
      seen.add(name);
    }
  }
}

/** Whether documents can take names of one server for names of the other. */
function shareNames(one: ServerConfig, other: ServerConfig): boolean {
  const [prefix, near] = [one, other].map(({ name, namespace, origin }) =>
    namespace === false && origin === 'runtime' ? name : namespace,
  );
  if (typeof prefix !== 'string' || typeof near !== 'string') return false;
  return !one.disabled && !other.disabled && canShareNames(prefix, near);
}
