/**
 * Calls made within another one (an agent called through `callAgent`): each has its own server's queue and time limit, its
 * own policy decision, and the client and the end of the outer call, or goes on as a run without its client.
 * @module
 */
import type { AgentMethod } from '../core/agent-call.ts';
import type { Call, LentAccess } from '../core/call.ts';
import { isShutdown, SwitchboardError } from '../core/errors.ts';
import type { Reply } from '../core/upstream.ts';
import type { Federation, Route } from '../federation/types.ts';
import type { PolicyDecision } from '../policy/decision/policy-decision.ts';
import type { JsonObject, Notification } from '../wire/jsonrpc.ts';
import { type Lending, type LentForCall, lend, withoutKey } from './agents/lending.ts';
import { agentToolResult } from './agents/outcome.ts';
import { PATH_META, type PathOf } from './agents/path.ts';
import { RelayCall } from './call.ts';
import type { Dispatcher } from './dispatch.ts';
import { decidedParams, type Gate } from './gate/gate.ts';
import { viewFor } from './gate/lent-filter.ts';
import { subjectOf } from './gate/subjects.ts';
import type { Runs } from './runs/runs.ts';
import type { RunRecord } from './runs/stored-runs.ts';
import type { UpstreamRequest } from './sending.ts';
import { resultObject } from './types.ts';

export interface SubcallsOptions {
  dispatcher: Dispatcher;
  federation: Pick<Federation, 'all'>;
  /** Without one nothing is forbidden. */
  gate: Pick<Gate, 'decideSubcall' | 'viewFor'> | undefined;
  runs: Pick<Runs, 'begin'>;
  pathOf: PathOf;
  /** Without it nothing can be lent. */
  lending: Lending | undefined;
}

/** A subcall that policy has decided about. */
interface DecidedSubcall {
  route: Route;
  /** Of a call of an agent: which agents led to it, with this one at the end. */
  path: readonly string[] | undefined;
  /** `lend` of the params. */
  wanted: unknown;
  request: UpstreamRequest;
  decision: PolicyDecision | undefined;
}

export class Subcalls {
  readonly #options: SubcallsOptions;

  constructor(options: SubcallsOptions) {
    this.#options = options;
  }

  /** A call that a builtin tool makes within its own call. Rejects with `SwitchboardError` or `UpstreamError`. */
  make(route: Route, method: AgentMethod, params: JsonObject, outer: Call): Promise<JsonObject> {
    try {
      const decided = this.#decide(route, method, params, outer);
      return decided instanceof Promise ? decided.then((call) => this.#send(call, outer)) : this.#send(decided, outer);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Begins a call of an agent that goes on without its client; the client follows it by the id. */
  async beginRun(route: Route, params: JsonObject, outer: Call): Promise<RunRecord> {
    const decided = await this.#decide(route, 'agents/call', params, outer);
    try {
      // There is no client to ask later.
      await this.#options.dispatcher.requireLogin(outer, route.member);
    } catch (error) {
      decided.decision?.conclude({ kind: 'error', error });
      throw error;
    }
    const startedAt = performance.now();
    const run = this.#options.runs.begin({
      caller: outer.caller,
      tool: 'callAgent',
      subject: subjectOf('agents', route),
      progressToken: undefined,
      canBeAsked: false,
      execute: async (call) => {
        const result = await this.#send(decided, call);
        return agentToolResult(route, result, Math.round(performance.now() - startedAt));
      },
    });
    await run.keep();
    return run.record;
  }

  /** Throws, or rejects, where policy denies it. */
  #decide(
    route: Route,
    method: AgentMethod,
    params: JsonObject,
    outer: Call,
  ): DecidedSubcall | Promise<DecidedSubcall> {
    const { gate, pathOf } = this.#options;
    const path = method === 'agents/call' ? pathOf(outer, route) : undefined;
    const decided = (decision: PolicyDecision | undefined): DecidedSubcall => {
      const { lend: wanted, ...sent } = decision?.changesArguments
        ? { ...decidedParams({ method, params }, decision), agent: params.agent }
        : params;
      if (path) sent._meta = { [PATH_META]: path };
      return { route, path, wanted, decision, request: { member: route.member, method, params: sent } };
    };
    const deciding = gate?.decideSubcall(outer, route, method, params);
    return deciding instanceof Promise ? deciding.then(decided) : decided(deciding);
  }

  /** `call`: the one whose client and end it has. */
  #send(decided: DecidedSubcall, call: Call): Promise<JsonObject> {
    const { path, wanted } = decided;
    return wanted === undefined || !path
      ? this.#exchange(decided, call, undefined)
      : this.#sendLending(decided, wanted, path, call);
  }

  async #sendLending(
    decided: DecidedSubcall,
    wanted: unknown,
    path: readonly string[],
    call: Call,
  ): Promise<JsonObject> {
    const { route, decision } = decided;
    let lent: LentForCall | undefined;
    try {
      lent = await this.#lend(wanted, route, path, call).catch((error: unknown) => {
        decision?.conclude({ kind: 'error', error });
        throw error;
      });
      if (call instanceof RelayCall) call.onLent?.(lent.id);
      return withoutKey(await this.#exchange(decided, call, lent), lent);
    } finally {
      // A run that goes on at its server keeps its key: the call that takes it over ends that with the run.
      if (lent && !(isLetGo(call) && call.lasting)) await this.#options.lending?.keys.end(lent.id);
    }
  }

  async #lend(wanted: unknown, agent: Route, path: readonly string[], call: Call): Promise<LentForCall> {
    const { lending, gate, federation } = this.#options;
    if (!lending) throw new SwitchboardError('SWB_NOT_SUPPORTED', 'This gateway lends no keys.');
    agent.member.require();
    const view = viewFor(gate, call.caller.identity, federation.all);
    return lend(lending, wanted, { call, agent, path, view });
  }

  async #exchange(
    { request, decision }: DecidedSubcall,
    outer: Call,
    lent: LentAccess | undefined,
  ): Promise<JsonObject> {
    const { dispatcher } = this.#options;
    const { member } = request;
    const call = callWithin(outer, request, decision, lent);
    const stop = outer.onAbort((reason) => call.abort(reason));
    try {
      member.require();
      const reply = await new Promise<Reply>((resolve, reject) => {
        call.onAbort(reject);
        dispatcher.exchange(call, request).then(resolve, reject);
      });
      if ('inputRequired' in reply) {
        const message = `Server '${member.name}' asks for input an agent call cannot give.`;
        throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', message);
      }
      decision?.conclude();
      return resultObject(reply);
    } catch (error) {
      decision?.conclude({ kind: 'error', error });
      throw await dispatcher.shown(call, error);
    } finally {
      stop();
      call.settle();
    }
  }
}

/** `lent`: a key for the agent that is called. */
function callWithin(
  outer: Call,
  { member, params }: UpstreamRequest,
  decision: PolicyDecision | undefined,
  lent: LentAccess | undefined,
): RelayCall {
  const notify = outer.notify.bind(outer);
  const channel = { notify: lent ? (sent: Notification) => notify(withoutKey(sent, lent)) : notify };
  // The token only says that progress is wanted: the outer call stamps the client's.
  const call = new RelayCall(outer.caller, channel, outer.wantsProgress ? 0 : undefined);
  call.asker = outer.ask.bind(outer);
  call.decision = decision;
  call.lent = lent;
  // An outer call is always one of the relay's own.
  if (outer instanceof RelayCall) {
    call.trace = outer.trace;
    call.ceilingMs = outer.ceilingMs;
    call.onBegan = outer.onBegan;
    call.agent = { member, original: String(params.agent) };
  }
  return call;
}

/** The gateway ends, and the run goes on without it. */
const isLetGo = (call: Call): boolean => call.aborted && isShutdown(call.signal.reason);
