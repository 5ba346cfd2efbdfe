/**
 * Dispatches a resolved request: policy decides, then approval, the request to the server (`sending.ts`), and the way of its reply
 * back into the caller's era.
 * @module
 */

import { loginNeededOf } from '../auth/upstream/types.ts';
import type { Call } from '../core/call.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Reply } from '../core/upstream.ts';
import type { Member } from '../federation/types.ts';
import type { PolicyDecision } from '../policy/decision/policy-decision.ts';
import type { Subject } from '../policy/types.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { declaresAny } from './asks/capabilities.ts';
import type { LoginAsks } from './asks/login-asks.ts';
import { isSealed, type Sealing } from './asks/request-state.ts';
import { answerInRounds, refuse, undeclaredIn } from './asks/rounds.ts';
import { SuspendableCall, type SuspendedCalls } from './asks/suspended-calls.ts';
import { missing, requireDeclared, undeclaredError } from './asks/undeclared.ts';
import { type InterimReply, UpstreamStates } from './asks/upstream-states.ts';
import { UrlConsent } from './asks/url-consent.ts';
import type { StructuredForm } from './bridge/legacy-results.ts';
import { type EraConversion, type FinalReply, type ResultShape, toEra } from './bridge/results.ts';
import { RelayCall } from './call.ts';
import { approve } from './gate/approve.ts';
import { decidedParams, type Gate } from './gate/gate.ts';
import type { Division, QueueLoad } from './queue/upstream-queue.ts';
import { bindingOf, progressTokenOf, type RequestContext } from './request-context.ts';
import { returned, Sending, type UpstreamRequest } from './sending.ts';
import type { ClientTasks } from './tasks/client-tasks.ts';
import { translationFor } from './tasks/translation.ts';
import type { CallResult } from './types.ts';

/** A client's request, resolved to a server. */
export interface Dispatch extends UpstreamRequest {
  /** Undefined: it was decided about with something else, such as the task it asks after. */
  subject: Subject | undefined;
  shape: ResultShape;
  /** Of a tool's result: how its structured content reaches a legacy client. */
  structured?: StructuredForm;
  /** Changes the bytes of a final result before they are put into the caller's era. */
  rewrite?: ((raw: Buffer) => Buffer) | undefined;
  /** Makes the reply, as policy lets it be seen, another one: an agent's answer the result of its tool. */
  answer?: (reply: Reply) => Reply;
  /** How it is sent, where that is more than one request in the server's queue. */
  send?: Sender;
}

/** One way to get the reply to a request. `params` is the sender's to change. */
export type Sender = (call: RelayCall, params: JsonObject) => Promise<Reply>;

export interface DispatcherOptions {
  suspended: SuspendedCalls;
  sealing: Sealing;
  clientTasks: ClientTasks;
  /** Without one nothing is forbidden. */
  gate: Gate | undefined;
  /** Among how many replicas the places of servers are divided. */
  division?: Division | undefined;
  /** Sends people to log in to servers; without it the client gets the plain error. */
  logins?: LoginAsks | undefined;
}

export class Dispatcher {
  readonly #sending: Sending;
  readonly #urls: UrlConsent;
  readonly #states: UpstreamStates;
  readonly #suspended: SuspendedCalls;
  readonly #clientTasks: ClientTasks;
  readonly #gate: Gate | undefined;
  readonly #logins: LoginAsks | undefined;

  constructor({ suspended, sealing, clientTasks, gate, division, logins }: DispatcherOptions) {
    this.#urls = new UrlConsent(sealing);
    this.#states = new UpstreamStates(sealing);
    this.#suspended = suspended;
    this.#clientTasks = clientTasks;
    this.#gate = gate;
    this.#logins = logins;
    this.#sending = new Sending(division);
  }

  /** There may be more places for calls of this server than before. */
  divided(member: Member): void {
    this.#sending.divided(member);
  }

  /** Decides about a client's request and relays it. Throws, or rejects with, the error that the client receives. */
  dispatch(context: RequestContext, request: Dispatch): Promise<CallResult> {
    context.call.trace?.resolved(request.member.name);
    if (context.caller.era === 'modern') {
      const state = context.params.requestState;
      // A suspended call was decided about when it was made.
      if (isSealed(state)) return this.#resume(context, state);
    }
    const { subject } = request;
    if (!subject || !this.#gate) return this.#relay(context, request, undefined);
    const decided = this.#gate.decide(context, subject, request);
    if (decided instanceof Promise) return decided.then((decision) => this.#relay(context, request, decision));
    return this.#relay(context, request, decided);
  }

  /** One async function and not several: each costs every call a promise and turns of the microtask queue. */
  async #relay(context: RequestContext, request: Dispatch, decision: PolicyDecision | undefined): Promise<CallResult> {
    const { call } = context;
    call.decision = decision;
    try {
      const decided = decision?.changesArguments ? withDecidedArguments(call, request, decision) : request;
      if (request.member.returning) await returned(call, request.member);
      const replying = this.#request(context, decided);
      let result: CallResult;
      if (replying) {
        const finished = this.#finish(context, call, decided, await replying);
        result = finished instanceof Promise ? await finished : finished;
      } else {
        result = await this.#pushed(context, decided);
      }
      call.decision?.conclude();
      return result;
    } catch (error) {
      call.decision?.conclude({ kind: 'error', error });
      throw error;
    }
  }

  /** One of the four cells of client era × upstream era; undefined: {@link #pushed}. */
  #request(context: RequestContext, request: Dispatch): Promise<Reply> | undefined {
    const { call, caller, channel } = context;
    if (caller.era === 'modern') {
      // A modern upstream keeps its own state in what the client sends back. A call of a legacy one has to be suspended
      // when it asks, and so has one that waits for an approval.
      if (request.member.require().era === 'modern') {
        if (request.params.requestState !== undefined) this.#states.open(request.params, bindingOf(context));
        return call.decision?.need ? undefined : this.#send(call, request);
      }
      this.#urls.admit(request.params, () => bindingOf(context));
      requireNoResponses(request.params);
      return undefined;
    }
    if (channel.ask) call.asker = channel.ask.bind(channel);
    if (request.member.require().era === 'modern') {
      return answerInRounds(call, request.method, request.params, (params) => this.#send(call, { ...request, params }));
    }
    call.translation = translationFor(context, request.member, this.#clientTasks);
    return this.#send(
      call,
      call.translation ? { ...request, params: call.translation.params(request.params) } : request,
    );
  }

  /** A modern client's request to a server that pushes its asks, or whose error names a page to be opened first. */
  async #pushed(context: RequestContext, request: Dispatch): Promise<CallResult> {
    const { call } = context;
    const { decision } = call;
    try {
      if (declaresAny(call.caller.capabilities)) return await this.#suspendable(context, request);
      return this.#finish(context, call, request, requireDeclared(call, await this.#send(call, request)));
    } catch (error) {
      const asked = this.#urls.ask(undeclaredError(call, error), call.caller.capabilities, () => bindingOf(context));
      this.#expectRound(context, decision, asked);
      return asked;
    }
  }

  /** The reply as policy lets it be seen, in the caller's era. */
  #finish(context: RequestContext, call: RelayCall, request: Dispatch, reply: Reply): CallResult | Promise<CallResult> {
    if ('inputRequired' in reply) return this.#passAsks(context, call, request, reply);
    const { decision } = call;
    if (!decision) return finish(call, request, reply);
    const screened = decision.screen(reply);
    if (screened instanceof Promise) return screened.then((seen) => finish(call, request, seen));
    return finish(call, request, screened);
  }

  /** A modern server's `input_required` to a modern client: only what the client declared, and answerable by it alone. */
  async #passAsks(
    context: RequestContext,
    call: RelayCall,
    request: Dispatch,
    reply: InterimReply,
  ): Promise<CallResult> {
    const { inputRequests } = reply.inputRequired;
    const undeclared = isObject(inputRequests) ? undeclaredIn(call.caller.capabilities, inputRequests) : undefined;
    if (undeclared) {
      await refuse(request.params, reply.inputRequired, (params) => this.#send(call, { ...request, params }));
      throw missing(undeclared);
    }
    const sealed = this.#states.seal(reply, bindingOf(context));
    this.#expectRound(context, call.decision, { value: sealed.inputRequired });
    return finish(call, request, sealed);
  }

  /** Where a modern client is answered `input_required`, its next round was decided about with this one. */
  #expectRound(context: RequestContext, decision: PolicyDecision | undefined, result: CallResult): void {
    if (!decision || !('value' in result) || result.value.resultType !== 'input_required') return;
    decision.asksClient = true;
    this.#gate?.expectRound(context, result.value.requestState);
  }

  #suspendable(context: RequestContext, request: Dispatch): Promise<CallResult> {
    const { caller, channel, call } = context;
    // The upstream call may outlive this request; it ends with it only while this request is the one that waits.
    const lasting = new RelayCall(caller, channel, call.progressToken, call.paramHeaders);
    call.onAbort((reason) => lasting.abort(reason));
    // Concluded where the upstream call ends, which may be long after this request.
    lasting.decision = call.decision;
    lasting.trace = call.trace;
    lasting.meta = call.meta;
    call.decision = undefined;
    const suspendable = new SuspendableCall(this.#suspended, lasting, () => bindingOf(context));
    return suspendable.start(async () => {
      try {
        const reply = requireDeclared(lasting, await this.#send(lasting, request));
        const result = await this.#finish(context, lasting, request, reply);
        lasting.decision?.conclude();
        return result;
      } catch (failure) {
        const error = undeclaredError(lasting, failure);
        lasting.decision?.conclude({ kind: 'error', error });
        throw error;
      } finally {
        lasting.settle();
      }
    });
  }

  async #resume(context: RequestContext, state: string): Promise<CallResult> {
    const { call, params, channel } = context;
    const suspended = this.#suspended.find(state, bindingOf(context));
    call.onAbort((reason) => suspended.call.abort(reason));
    const responses = isObject(params.inputResponses) ? params.inputResponses : {};
    try {
      return await suspended.resume(responses, channel, progressTokenOf(params));
    } catch (error) {
      const asked = this.#urls.ask(error, call.caller.capabilities, () => bindingOf(context));
      this.#expectRound(context, suspended.call.decision, asked);
      return asked;
    }
  }

  /** Sends a request of a call of its own, once approved, and screens the reply: for subcalls. */
  async exchange(call: RelayCall, request: UpstreamRequest): Promise<Reply> {
    const send = (): Promise<Reply> => this.#send(call, request);
    const reply = await (this.#logins && call.lasting ? this.#logins.sendAsking(call, send) : send());
    return call.decision ? call.decision.screen(reply) : reply;
  }

  /**
   * Rejects with `SWB_LOGIN_NEEDED` where a login is known to be missing: before a person approves the call, or before a run begins that
   * outlives its client.
   */
  async requireLogin(call: Pick<Call, 'caller'>, { name, builtin }: Member): Promise<void> {
    if (this.#logins && !builtin) await this.#logins.require(call, name);
  }

  /** The error that a client gets: one about a missing login says how to log in. */
  async shown(call: RelayCall, error: unknown): Promise<unknown> {
    return this.#logins && loginNeededOf(error) ? this.#logins.withWay(call.caller, error) : error;
  }

  #send(call: RelayCall, request: UpstreamRequest & Pick<Dispatch, 'send'>): Promise<Reply> {
    // An approval comes before anything is held or runs: a person may take long.
    if (call.decision?.need) return this.#sendOnceApproved(call, request, call.decision);
    return this.#sendApproved(call, request);
  }

  async #sendOnceApproved(
    call: RelayCall,
    request: UpstreamRequest & Pick<Dispatch, 'send'>,
    decision: PolicyDecision,
  ): Promise<Reply> {
    // An approver should not be asked twice: once for what cannot be sent yet, and again afterwards.
    await this.requireLogin(call, request.member);
    await approve(call, decision);
    return this.#sendApproved(call, request);
  }

  #sendApproved(call: RelayCall, request: UpstreamRequest & Pick<Dispatch, 'send'>): Promise<Reply> {
    return request.send ? request.send(call, request.params) : this.send(call, request);
  }

  /** As {@link Sending.send}. */
  send(call: RelayCall, request: UpstreamRequest): Promise<Reply> {
    return this.#sending.send(call, request);
  }

  /** As {@link Sending.load}. */
  load(member: Member): QueueLoad | undefined {
    return this.#sending.load(member);
  }
}

/** The request with the arguments that hooks and redaction made. */
function withDecidedArguments(call: RelayCall, request: Dispatch, decision: PolicyDecision): Dispatch {
  // The headers repeat arguments as the client sent them.
  call.paramHeaders = undefined;
  return { ...request, params: decidedParams(request, decision) };
}

/** Throws for a state, and drops responses: a legacy server has no place for them, and every state would be the gateway's own. */
function requireNoResponses(params: JsonObject): void {
  if (params.requestState !== undefined) {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.requestState is not valid for this request.');
  }
  // `delete` makes the object slow to read.
  if ('inputResponses' in params) delete params.inputResponses;
}

/** The reply as a result in the caller's era. */
export function finish(
  call: RelayCall,
  request: Pick<Dispatch, 'member' | 'shape' | 'rewrite' | 'structured' | 'answer'>,
  seen: Reply,
): CallResult {
  const reply = request.answer ? request.answer(seen) : seen;
  if ('inputRequired' in reply) return reply.raw ? { raw: reply.raw } : { value: reply.inputRequired };
  const final: FinalReply =
    request.rewrite && 'raw' in reply && reply.members?.hasUri !== false ? { raw: request.rewrite(reply.raw) } : reply;
  const { upstream } = request.member;
  const conversion: EraConversion = {
    from: upstream?.era ?? 'legacy',
    to: call.caller.era,
    shape: request.shape,
    serverInfo: upstream?.serverInfo,
    structured: request.structured,
  };
  return toEra(final, conversion, 'raw' in reply ? reply.members : undefined);
}
