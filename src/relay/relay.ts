/**
 * The relay: one request of a client in, one result out, whichever endpoint and whichever server. It owns the running
 * requests, the client sessions and the suspended calls.
 * @module
 */
import type { AgentMethod } from '../core/agent-call.ts';
import type { Call } from '../core/call.ts';
import type { Caller } from '../core/caller.ts';
import { SwitchboardError, UpstreamError } from '../core/errors.ts';
import type { Identity } from '../core/identity.ts';
import { type Linked, LinkedList } from '../core/linked-list.ts';
import type { Log } from '../core/log.ts';
import type { Federation, Route, View } from '../federation/types.ts';
import { CHANNELS } from '../observe/events.ts';
import { Denied } from '../policy/denied.ts';
import { memoryState } from '../state/memory/memory-state.ts';
import type { State } from '../state/state.ts';
import type { Era } from '../wire/eras.ts';
import type { JsonObject, Notification } from '../wire/jsonrpc.ts';
import { type AgentName, agentNamed, agentsOf, callAgentDirectly } from './agents/direct-call.ts';
import { agentToolResult, type CalledAgent } from './agents/outcome.ts';
import { extendedPath, PATH_LIMITS, PATH_META, type PathLimits, pathOf } from './agents/path.ts';
import { ownSealing, type Sealing } from './asks/request-state.ts';
import { SuspendedCalls, type SuspensionLimits } from './asks/suspended-calls.ts';
import { toEra } from './bridge/results.ts';
import { RelayCall } from './call.ts';
import { CallTrace } from './call-trace.ts';
import { Dispatcher } from './dispatch.ts';
import { decidedParams, type Gate } from './gate/gate.ts';
import { awaitOffers, awaitServers } from './methods/await-servers.ts';
import { createMethods, type MethodTable } from './methods/index.ts';
import { prepareNames } from './methods/prepare-names.ts';
import { type Method, methodNotFound, progressTokenOf, quoted, type RequestContext } from './request-context.ts';
import { type RunLimits, Runs } from './runs/runs.ts';
import type { RunRecord } from './runs/stored-runs.ts';
import { ClientSessions } from './sessions.ts';
import { subcall } from './subcalls.ts';
import type { AwaitLimits } from './tasks/awaited-tasks.ts';
import { ClientTasks } from './tasks/client-tasks.ts';
import { TaskOwners } from './tasks/task-owners.ts';
import { Tasks } from './tasks/tasks.ts';
import type { CallResult, ClientSession, Inbound, InFlight } from './types.ts';
import { Names } from './unknown-names.ts';

export interface RelayOptions {
  federation: Federation;
  log: Log;
  /** How the gateway names itself towards servers, in `clientInfo.instance`. */
  instance?: string;
  /** Policy in front of every request. Without one nothing is forbidden. */
  gate?: Gate;
  /** Seals the states that clients carry. Default: {@link ownSealing}. */
  sealing?: Sealing;
  suspension?: SuspensionLimits;
  awaitLimits?: AwaitLimits;
  /** How long `close` waits for running requests. */
  drainMs?: number;
  /** Where runs of agents that outlive their clients are kept. Default: in memory. */
  state?: Pick<State, 'kv' | 'bus' | 'replica'>;
  agents?: Partial<RunLimits & PathLimits>;
}

/** What endpoints use of the relay; tests of endpoints have another one. */
export type EndpointRelay = Pick<
  Relay,
  'handle' | 'callAgent' | 'agents' | 'agent' | 'openSession' | 'closeSession' | 'notified' | 'expel' | 'close'
>;

export class Relay {
  readonly #federation: Federation;
  readonly #log: Log;
  readonly #gate: Gate | undefined;
  readonly #drainMs: number;
  readonly #instance: string;
  readonly #suspended: SuspendedCalls;
  readonly #clientTasks = new ClientTasks();
  readonly #tasks: Tasks;
  readonly #dispatcher: Dispatcher;
  readonly #sessions: ClientSessions;
  readonly #methods: MethodTable;
  readonly runs: Runs;
  readonly #pathLimits: PathLimits;
  readonly #running = new LinkedList<RunningRequest>();
  readonly #closing = new Set<() => void>();
  /** Of sessions that events were published of. */
  readonly #sessionNumbers = new WeakMap<ClientSession, number>();
  #lastSession = 0;
  #closed = false;

  constructor(options: RelayOptions) {
    const { federation, log, gate, sealing = ownSealing() } = options;
    this.#federation = federation;
    this.#log = log;
    this.#gate = gate;
    this.#drainMs = options.drainMs ?? 5_000;
    this.#instance = options.instance ?? '';
    this.#suspended = new SuspendedCalls(sealing, options.suspension);
    const dispatcher = new Dispatcher({ suspended: this.#suspended, sealing, clientTasks: this.#clientTasks, gate });
    const limits = options.agents ?? {};
    this.#pathLimits = { ...PATH_LIMITS, ...definedOf(limits) };
    this.runs = new Runs({
      state: options.state ?? memoryState(log),
      federation,
      dispatcher,
      gate,
      log,
      limits: definedOf(limits),
    });
    const owners = new TaskOwners();
    this.#tasks = new Tasks({ dispatcher, owners, gate, limits: options.awaitLimits });
    const sessions = new ClientSessions({ federation, log, gate, taskOwners: owners });
    const names = new Names(federation, gate);
    const onClosing = (listener: () => void): (() => void) => {
      this.#closing.add(listener);
      return () => this.#closing.delete(listener);
    };
    this.#dispatcher = dispatcher;
    this.#sessions = sessions;
    this.#methods = createMethods({
      federation,
      dispatcher,
      sessions,
      names,
      gate,
      tasks: this.#tasks,
      runs: this.runs,
      pathOf: (call, agent) => this.#extendedPath(call, agent),
      instance: options.instance,
      onClosing,
    });
  }

  /** Answers one request. Never throws: the promise of the result rejects. */
  handle(inbound: Inbound): InFlight {
    return this.#start(inbound, undefined);
  }

  /**
   * One turn with an agent, for an endpoint of another protocol. `request.params` are those of `agents/call` without the
   * agent; the result is an `AgentCallResult`.
   */
  callAgent(inbound: Inbound, agent: AgentName): InFlight {
    return this.#start(inbound, (context) =>
      callAgentDirectly(this.#dispatcher, context, agent, (call, route) => this.#extendedPath(call, route)),
    );
  }

  /** The agents that exist for an identity. */
  agents(identity: Identity, view: View): readonly Route[] {
    return agentsOf(this.#gate?.viewFor(identity, view) ?? view);
  }

  /** The agent of this name, where it exists for the identity. */
  agent(identity: Identity, view: View, name: AgentName): Route | undefined {
    return agentNamed(this.#gate?.viewFor(identity, view) ?? view, name);
  }

  #start(inbound: Inbound, own: Method | undefined): InFlight {
    const { caller, request, channel } = inbound;
    const params = request.params ?? {};
    const call = new RelayCall(caller, channel, progressTokenOf(params), inbound.paramHeaders);
    call.trace = CallTrace.begin(this.#instance, inbound);
    call.meta = params._meta;
    const fullView = this.#offered(inbound, inbound.view);
    const running = new RunningRequest({
      caller,
      view: this.#gate?.viewFor(caller.identity, fullView) ?? fullView,
      fullView,
      endpointView: inbound.view,
      request,
      params,
      channel,
      session: inbound.session,
      call,
    });
    // Whatever an adapter does or fails to do, an aborted call is answered now.
    call.onAbort((reason) => this.#fail(running, reason));
    this.#running.append(running);
    try {
      const result = this.#answer(running.context, own);
      if (result instanceof Promise) {
        result.then(
          (value) => this.#end(running, value),
          (error: unknown) => this.#fail(running, error),
        );
      } else {
        this.#end(running, result);
      }
    } catch (error) {
      this.#fail(running, error);
    }
    return running;
  }

  /** The endpoint's view as servers show it to clients with the caller's capabilities. */
  #offered({ caller, request }: Pick<RequestContext, 'caller' | 'request'>, view: View): View {
    const { offers } = this.#federation;
    if (!offers) return view;
    const lasts = request.method === 'subscriptions/listen';
    return lasts ? offers.lastingViewFor(caller.capabilities, view) : offers.viewFor(caller.capabilities, view);
  }

  /** What was waited for may show the caller another view. */
  #lookAgain(context: RunningContext): void {
    context.fullView = this.#offered(context, context.endpointView);
    context.view = this.#gate?.viewFor(context.caller.identity, context.fullView) ?? context.fullView;
  }

  #answer(context: RunningContext, own: Method | undefined): CallResult | Promise<CallResult> {
    const { caller, view, request } = context;
    const method = own ?? this.#methods(request.method, caller.era);
    this.#requireReached(view);
    if (!this.#closed && method) {
      const servers = awaitServers(this.#federation, context);
      const waiting = servers
        ? servers.then(() => awaitOffers(this.#federation, context))
        : awaitOffers(this.#federation, context);
      if (waiting) return this.#afterwards(waiting, context, method);
    }
    return this.#proceed(context, method);
  }

  #proceed(context: RequestContext, method: Method | undefined): CallResult | Promise<CallResult> {
    const preparing = prepareNames(context);
    if (this.#closed) throw shuttingDown();
    if (!method) throw methodNotFound(context.request.method);
    return preparing ? preparing.then(() => method(context)) : method(context);
  }

  /** A request that waits for servers ends with its client and with the gateway. */
  async #afterwards(waiting: Promise<void>, context: RunningContext, method: Method): Promise<CallResult> {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    this.#closing.add(end);
    context.call.onAbort(() => end());
    await Promise.race([waiting, ended]);
    this.#closing.delete(end);
    if (context.call.reason) throw context.call.reason;
    this.#lookAgain(context);
    this.#requireReached(context.view);
    return this.#proceed(context, method);
  }

  /** A server may have been taken away from a principal while its session at the server's own endpoint goes on. */
  #requireReached(view: View): void {
    const member = view.server === undefined ? undefined : this.#federation.member(view.server);
    if (!member || view.reaches(member)) return;
    throw new SwitchboardError('SWB_UNKNOWN_SERVER', 'There is no server of that name. The merged endpoint is /mcp.');
  }

  /** `error`: the result stands for it. An aborted request is over before its method is: what that ends with is dropped. */
  #end(running: RunningRequest, result: CallResult, error?: unknown): void {
    running.context.call.settle();
    if (!this.#running.remove(running)) return;
    running.context.call.trace?.finished(error);
    running.settled.resolve(result);
  }

  #fail(running: RunningRequest, error: unknown): void {
    const { request, caller } = running.context;
    // The one place where a denial of a tool becomes a result: there a model can read it.
    if (error instanceof Denied && request.method === 'tools/call') {
      this.#end(running, deniedResult(error, caller.era), error);
      return;
    }
    running.context.call.settle();
    if (this.#running.remove(running)) running.context.call.trace?.finished(error);
    // The message to the client says that the log has the details of an unforeseen error.
    if (!(error instanceof SwitchboardError || error instanceof UpstreamError)) {
      const { principal } = caller;
      this.#log.error({ principal, err: error, method: request.method }, 'A request failed on something unforeseen.');
    }
    running.settled.reject(error);
  }

  /** From now on the session receives list changes, its resource updates and its own upstream notifications. */
  openSession(session: ClientSession): void {
    this.#sessions.open(session);
    this.#publishSession(session, 'opened');
  }

  /** Ends the session's subscriptions and frees what upstreams hold for its caller. */
  closeSession(session: ClientSession): void {
    if (!this.#sessions.close(session)) return;
    this.#publishSession(session, 'closed');
    this.#clientTasks.forget(this.#federation.members(), session.caller.key);
    for (const member of this.#federation.members()) member.upstream?.release?.(session.caller.key);
  }

  #publishSession(session: ClientSession, state: 'opened' | 'closed'): void {
    if (!CHANNELS.session.hasSubscribers) return;
    const number = this.#sessionNumbers.get(session) ?? ++this.#lastSession;
    this.#sessionNumbers.set(session, number);
    const { principal, identity, protocolVersion, clientInfo } = session.caller;
    CHANNELS.session.publish({
      instance: this.#instance,
      state,
      session: number,
      principal,
      grant: identity.grant,
      protocolVersion,
      client: clientInfo?.name,
    });
  }

  /** A notification from a client that is not about a running request (endpoints act on those themselves). */
  notified(sent: Notification, caller: Caller, view: View): void {
    if (!isForServers(sent)) return;
    const restricted = this.#gate?.viewFor(caller.identity, view) ?? view;
    for (const member of this.#federation.members()) {
      if (!restricted.reaches(member)) continue;
      const concerned =
        view.server === undefined ? this.#clientTasks.concerns(member, caller.key, sent) : view.server === member.name;
      if (!concerned) continue;
      const pass = (): void => member.upstream?.notify?.(sent, caller);
      const allowed = !this.#gate || !isExtension(sent) || this.#gate.allowsNotification(caller, member, sent);
      if (allowed instanceof Promise) void allowed.then((may) => may && pass());
      else if (allowed) pass();
    }
  }

  /** A call that a builtin tool makes within its own call. Rejects with `SwitchboardError` or `UpstreamError`. */
  async subcall(route: Route, method: AgentMethod, params: JsonObject, outer: Call): Promise<JsonObject> {
    const meta = method === 'agents/call' ? { _meta: { [PATH_META]: this.#extendedPath(outer, route) } } : {};
    const decision = await this.#gate?.decideSubcall(outer, route, method, params);
    const decided = decision?.changesArguments
      ? { ...decidedParams({ method, params }, decision), agent: params.agent }
      : params;
    return subcall(
      this.#dispatcher,
      outer,
      { member: route.member, method, params: { ...decided, ...meta } },
      decision,
    );
  }

  /** The path of a call that this agent is called in. Throws `SWB_AGENT_LOOP`. */
  #extendedPath(call: Call, agent: CalledAgent): string[] {
    const meta = call instanceof RelayCall ? call.meta : undefined;
    return extendedPath(pathOf(meta, call.caller.identity), agent, this.#instance, this.#pathLimits);
  }

  /** Begins a call of an agent that goes on without its client; the client follows it by the id. */
  async beginRun(route: Route, params: JsonObject, outer: Call): Promise<RunRecord> {
    const meta = { _meta: { [PATH_META]: this.#extendedPath(outer, route) } };
    const decision = await this.#gate?.decideSubcall(outer, route, 'agents/call', params);
    const decided = decision?.changesArguments
      ? { ...decidedParams({ method: 'agents/call', params }, decision), agent: params.agent }
      : params;
    const startedAt = performance.now();
    const run = this.runs.begin({
      caller: outer.caller,
      tool: 'callAgent',
      progressToken: undefined,
      canBeAsked: false,
      execute: async (call) => {
        const sent = { member: route.member, method: 'agents/call', params: { ...decided, ...meta } };
        const result = await subcall(this.#dispatcher, call, sent, decision);
        return agentToolResult(route, result, Math.round(performance.now() - startedAt));
      },
    });
    await run.keep();
    return run.record;
  }

  /** Ends the running and suspended calls of identities that are not valid any more. Their sessions are the endpoint's. */
  expel(isValid: (identity: Identity) => boolean): void {
    const gone = new SwitchboardError('SWB_UNAUTHENTICATED', 'The key this call was made with is no longer valid.');
    for (const { context } of [...this.#running]) {
      if (!context.caller.inProcess && !isValid(context.caller.identity)) context.call.abort(gone);
    }
    this.#suspended.drop((identity) => !isValid(identity), gone);
    this.runs.expel(isValid, gone);
  }

  /** Ends open `subscriptions/listen` requests gracefully, refuses new work, waits (bounded) for running requests. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const end of [...this.#closing]) end();
    this.#suspended.close();
    this.#tasks.awaited.close();
    this.runs.close(shuttingDown());
    const deadline = performance.now() + this.#drainMs;
    while (this.#running.size > 0 && performance.now() < deadline) await new Promise((next) => setTimeout(next, 20));
    for (const { context } of [...this.#running]) context.call.abort(shuttingDown());
    this.#gate?.flush();
  }
}

/** Its views may become others while it waits. */
interface RunningContext extends RequestContext {
  view: View;
  fullView: View;
  readonly endpointView: View;
}

/** A request that is being answered. */
class RunningRequest implements InFlight, Linked<RunningRequest> {
  previous: RunningRequest | undefined;
  next: RunningRequest | undefined;
  readonly context: RunningContext;
  readonly settled = Promise.withResolvers<CallResult>();
  readonly result = this.settled.promise;

  constructor(context: RunningContext) {
    this.context = context;
  }

  cancel(reason?: string): void {
    const message = reason ? `Cancelled: ${quoted(reason)}` : 'The client cancelled the call.';
    this.context.call.abort(new SwitchboardError('SWB_CANCELLED', message));
  }
}

const deniedResult = (error: Denied, to: Era): CallResult =>
  toEra({ value: error.toolResult() }, { from: 'legacy', to, shape: 'complete', serverInfo: undefined });

const shuttingDown = (): SwitchboardError => new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.');

const PREFIX = 'notifications/';

/** About one request: the gateway acts on them, since servers know its requests by other ids. */
const OF_REQUESTS: ReadonlySet<string> = new Set(['cancelled', 'progress', 'initialized'].map((name) => PREFIX + name));

/** Part of every revision, and about the client alone: no document needs to name them. */
const OF_CLIENTS: ReadonlySet<string> = new Set(['roots/list_changed', 'tasks/status'].map((name) => PREFIX + name));

/** A message without an id that is named like a request might be run by a server: only notifications are passed on. */
const isForServers = ({ method }: Notification): boolean => method.startsWith(PREFIX) && !OF_REQUESTS.has(method);

/** Policy decides about these, as about methods of extensions. */
const isExtension = ({ method }: Notification): boolean => !OF_CLIENTS.has(method);

/** The members that are given: others have defaults. */
const definedOf = <T extends object>(given: T): T =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
