/**
 * The relay: one request of a client in, one result out, whichever endpoint and whichever server. It owns the running
 * requests, the client sessions and the suspended calls.
 * @module
 */
import type { LoginPages } from '../auth/connect/login-pages.ts';
import { loginNeededOf } from '../auth/upstream/types.ts';
import type { Caller } from '../core/caller.ts';
import { SwitchboardError, UpstreamError } from '../core/errors.ts';
import type { Identity } from '../core/identity.ts';
import { LinkedList } from '../core/linked-list.ts';
import type { Log } from '../core/log.ts';
import type { Federation, Member, Route, View } from '../federation/types.ts';
import type { RelayLoad } from '../observe/metrics/sources.ts';
import type { Tracing } from '../observe/traces/types.ts';
import { Denied } from '../policy/denied.ts';
import { memoryState } from '../state/memory/memory-state.ts';
import type { ReplicaId } from '../state/replica.ts';
import type { State } from '../state/state.ts';
import type { Notification } from '../wire/jsonrpc.ts';
import { Admission, shuttingDown } from './admission.ts';
import { type AgentName, agentNamed, agentsOf, beginAgentDirectly } from './agents/direct-call.ts';
import type { Lending } from './agents/lending.ts';
import { type PathLimits, type PathOf, pathsAt } from './agents/path.ts';
import { LoginAsked, LoginAsks } from './asks/login-asks.ts';
import { ownSealing, type Sealing } from './asks/request-state.ts';
import { SuspendedCalls, type SuspensionLimits } from './asks/suspended-calls.ts';
import { ownResult } from './bridge/results.ts';
import { RelayCall } from './call.ts';
import { CallTrace } from './call-trace.ts';
import { passOn } from './client-notifications.ts';
import { Dispatcher } from './dispatch.ts';
import type { Gate } from './gate/gate.ts';
import { viewFor } from './gate/lent-filter.ts';
import { createMethods } from './methods/index.ts';
import type { Division, QueueLoad } from './queue/upstream-queue.ts';
import { type Method, progressTokenOf } from './request-context.ts';
import { RunningRequest } from './running-request.ts';
import { LastingCalls } from './runs/lasting-calls.ts';
import type { Run } from './runs/run.ts';
import { type RunLimits, Runs } from './runs/runs.ts';
import { ClientSessions } from './sessions.ts';
import { Subcalls } from './subcalls.ts';
import type { AwaitLimits } from './tasks/awaited-tasks.ts';
import { ClientTasks } from './tasks/client-tasks.ts';
import { TaskOwners } from './tasks/task-owners.ts';
import { TaskPlaces } from './tasks/task-places.ts';
import { Tasks } from './tasks/tasks.ts';
import { failureResult } from './tool-failures.ts';
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
  /** Spans of requests. Undefined: nothing is traced, and what clients say of their traces passes as it came. */
  tracing?: Tracing | undefined;
  /** The replicas that share the servers. Default: this one alone. */
  replicas?: (Division & { onChange(listener: () => void): () => void }) | undefined;
  /** Keys for agents. Without them nothing can be lent. */
  lending?: Omit<Lending, 'maxMs'>;
  /** Where people log in to servers. Without it a call that needs a login fails with the plain error. */
  logins?: LoginPages | undefined;
  /** How long a modern client's retry waits for a login. */
  loginWaitMs?: number | undefined;
}

/** What endpoints use of the relay; tests of endpoints have another one. */
export type EndpointRelay = Pick<Relay, 'handle' | 'openSession' | 'closeSession' | 'notified' | 'expel' | 'close'>;

/** What endpoints that offer agents use of it. */
export type AgentRelay = Pick<Relay, 'beginAgent' | 'agents' | 'agent' | 'runs'>;

export class Relay {
  readonly #federation: Federation;
  readonly #log: Log;
  readonly #gate: Gate | undefined;
  readonly #drainMs: number;
  readonly #instance: string;
  readonly #tracing: Tracing | undefined;
  readonly #suspended: SuspendedCalls;
  readonly #clientTasks = new ClientTasks();
  readonly #tasks: Tasks;
  readonly #dispatcher: Dispatcher;
  readonly #sessions: ClientSessions;
  readonly #logins: LoginAsks | undefined;
  readonly #admission: Admission;
  readonly #pathOf: PathOf;
  readonly #lasting: LastingCalls;
  readonly runs: Runs;
  readonly subcalls: Subcalls;
  readonly #running = new LinkedList<RunningRequest>();
  readonly #closing = new Set<() => void>();
  #closed = false;

  constructor(options: RelayOptions) {
    const { federation, log, gate, sealing = ownSealing() } = options;
    this.#federation = federation;
    this.#log = log;
    this.#gate = gate;
    this.#drainMs = options.drainMs ?? 5_000;
    this.#instance = options.instance ?? '';
    this.#tracing = options.tracing;
    this.#suspended = new SuspendedCalls(sealing, options.suspension);
    const logins =
      options.logins &&
      new LoginAsks({
        pages: options.logins,
        sealing,
        tell: (callerKey, sent) => this.#sessions.tell(callerKey, sent),
        ...(options.loginWaitMs === undefined ? {} : { waitMs: options.loginWaitMs }),
      });
    this.#logins = logins;
    const dispatcher = new Dispatcher({
      suspended: this.#suspended,
      sealing,
      clientTasks: this.#clientTasks,
      gate,
      logins,
      division: options.replicas,
    });
    options.replicas?.onChange(() => {
      for (const member of federation.members()) dispatcher.divided(member);
    });
    const limits = definedOf(options.agents ?? {});
    this.#pathOf = pathsAt(this.#instance, limits);
    this.runs = new Runs({
      state: options.state ?? memoryState(log),
      federation,
      dispatcher,
      gate,
      log,
      limits,
      endKey: (id) => options.lending?.keys.end(id),
    });
    this.#lasting = new LastingCalls(dispatcher, this.runs, gate);
    this.subcalls = new Subcalls({
      dispatcher,
      federation,
      gate,
      runs: this.runs,
      pathOf: this.#pathOf,
      lending: options.lending && { ...options.lending, maxMs: this.runs.limits.maxRunMs },
    });
    const owners = new TaskOwners();
    this.#tasks = new Tasks({
      dispatcher,
      owners,
      gate,
      limits: options.awaitLimits,
      places: options.replicas && options.state && new TaskPlaces(options.state, log),
    });
    const sessions = new ClientSessions({ federation, log, gate, taskOwners: owners, instance: this.#instance });
    const names = new Names(federation, gate);
    const onClosing = (listener: () => void): (() => void) => {
      this.#closing.add(listener);
      return () => this.#closing.delete(listener);
    };
    this.#dispatcher = dispatcher;
    this.#sessions = sessions;
    const methodOf = createMethods({
      federation,
      dispatcher,
      sessions,
      names,
      gate,
      tasks: this.#tasks,
      runs: this.runs,
      pathOf: this.#pathOf,
      instance: options.instance,
      onClosing,
    });
    this.#admission = new Admission({ federation, gate, logins, methodOf, isClosed: () => this.#closed, onClosing });
  }

  /** In which replica a task is served; undefined: in any. Rejects when the state is away. */
  async placeOfTask({ principal }: Identity, view: View, taskId: string): Promise<ReplicaId | undefined> {
    return this.runs.isRunId(taskId) ? this.runs.placeOf(taskId) : this.#tasks.placeOf(principal, view, taskId);
  }

  /** Answers one request. Never throws: the promise of the result rejects. */
  handle(inbound: Inbound): InFlight {
    return this.#start(inbound, undefined);
  }

  /**
   * Begins one turn with an agent as a run, for an endpoint of another protocol. `request.params` are those of `agents/call`
   * without the agent. Rejects where the run does not begin; how it ends is the run's.
   */
  beginAgent(inbound: Inbound, agent: AgentName): Promise<Run> {
    const began = Promise.withResolvers<Run>();
    const { result } = this.#start(inbound, async (context) => {
      const run = await beginAgentDirectly(this.#lasting, context, agent, this.#pathOf);
      began.resolve(run);
      // The request is what traces and the drain of a shutdown see of the run.
      await run.ended;
      if (run.error !== undefined) throw run.error;
      return { value: run.record.result ?? {} };
    });
    result.catch(began.reject);
    return began.promise;
  }

  /** How the queue of a server is used now; undefined where no call has needed it yet. */
  load(member: Member): QueueLoad | undefined {
    return this.#dispatcher.load(member);
  }

  /** The agents that exist for an identity. */
  agents(identity: Identity, view: View): readonly Route[] {
    return agentsOf(viewFor(this.#gate, identity, view));
  }

  /** The agent of this name, where it exists for the identity. */
  agent(identity: Identity, view: View, name: AgentName): Route | undefined {
    return agentNamed(viewFor(this.#gate, identity, view), name);
  }

  #start(inbound: Inbound, own: Method | undefined): InFlight {
    const { caller, request, channel } = inbound;
    const params = request.params ?? {};
    const call = new RelayCall(caller, channel, progressTokenOf(params), inbound.paramHeaders);
    call.trace = CallTrace.begin(this.#instance, inbound, this.#tracing);
    call.meta = params._meta;
    const fullView = this.#admission.offered(inbound, inbound.view);
    const running = new RunningRequest({
      caller,
      view: viewFor(this.#gate, caller.identity, fullView),
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
      const result = this.#admission.answer(running.context, own);
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

  /** `error`: the result stands for it. An aborted request is over before its method is: what that ends with is dropped. */
  #end(running: RunningRequest, result: CallResult, error?: unknown): void {
    running.context.call.settle();
    if (!this.#running.remove(running)) return;
    running.context.call.trace?.finished(error, result);
    running.settled.resolve(result);
  }

  #fail(running: RunningRequest, error: unknown): void {
    const { request, caller } = running.context;
    // The one place where a denial of a tool becomes a result: there a model can read it.
    if (error instanceof Denied && request.method === 'tools/call') {
      this.#end(running, ownResult(error.toolResult(), caller.era), error);
      return;
    }
    if (this.#logins && loginNeededOf(error)) {
      if (!(error instanceof LoginAsked && error.isForClient)) {
        this.#logins.answer(running.context, error).then(
          (result) => this.#end(running, result),
          (shown: unknown) => this.#fail(running, shown),
        );
        return;
      }
      // Where a client opens no pages, its model reads where the person can log in.
      if (!error.opensPage && request.method === 'tools/call') {
        this.#end(running, ownResult(failureResult(error), caller.era), error);
        return;
      }
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
  }

  /** Ends the session's subscriptions and frees what upstreams hold for its caller. */
  closeSession(session: ClientSession): void {
    if (!this.#sessions.close(session)) return;
    this.#clientTasks.forget(this.#federation.members(), session.caller.key);
    for (const member of this.#federation.members()) member.upstream?.release?.(session.caller.key);
  }

  /** A notification from a client that is not about a running request (endpoints act on those themselves). */
  notified(sent: Notification, caller: Caller, view: View): void {
    passOn(sent, caller, view, { federation: this.#federation, gate: this.#gate, clientTasks: this.#clientTasks });
  }

  /**
   * Ends the running and suspended calls of identities that may not stay, and the subscriptions of those that are not valid now.
   * Their sessions are the endpoint's.
   */
  expel(isValid: (identity: Identity) => boolean, mayStay = isValid): void {
    const gone = new SwitchboardError('SWB_UNAUTHENTICATED', 'The key this call was made with is no longer valid.');
    for (const { context } of [...this.#running]) {
      const { caller, request, call } = context;
      const remains = request.method === 'subscriptions/listen' ? isValid : mayStay;
      if (!caller.inProcess && !remains(caller.identity)) call.abort(gone);
    }
    this.#suspended.drop((identity) => !mayStay(identity), gone);
    this.runs.expel(mayStay, gone);
  }

  /** What it has to do now. */
  work(): RelayLoad {
    return {
      running: this.#running.size,
      suspended: this.#suspended.size,
      runs: this.runs.size,
      tasks: this.#tasks.awaited.size,
    };
  }

  /** Ends open `subscriptions/listen` requests gracefully, refuses new work, waits (bounded) for running requests. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const end of [...this.#closing]) end();
    this.#logins?.close();
    this.#suspended.close();
    this.#tasks.awaited.close();
    this.runs.close(shuttingDown());
    const deadline = performance.now() + this.#drainMs;
    while (this.#running.size > 0 && performance.now() < deadline) await new Promise((next) => setTimeout(next, 20));
    for (const { context } of [...this.#running]) context.call.abort(shuttingDown());
    this.#gate?.flush();
  }
}

/** The members that are given: others have defaults. */
const definedOf = <T extends object>(given: T): T =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
