/**
 * From a resolved route to an answer: the queue's place, the clock, the upstream, its questions, and the way back into
 * the caller's era.
 * @module
 */
import type { Call } from '../core/call.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Reply } from '../core/upstream.ts';
import type { Member } from '../federation/types.ts';
import type { Subject } from '../policy/types.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { declaresAny } from './asks/capabilities.ts';
import { digestRequest, isSealed, type Sealing, type StateBinding } from './asks/request-state.ts';
import { answerInRounds } from './asks/rounds.ts';
import { ParkableCall, type SuspendedCalls } from './asks/suspended-calls.ts';
import { unlessUndeclared } from './asks/undeclared.ts';
import { UrlConsent } from './asks/url-consent.ts';
import { type FinalReply, type ResultShape, toEra } from './bridge/results.ts';
import { type Clock, RelayCall } from './call.ts';
import type { PolicyDecision } from './gate/admission.ts';
import { approve } from './gate/approving.ts';
import { concluded, concluding } from './gate/concluding.ts';
import { UpstreamQueue } from './queue/upstream-queue.ts';
import { progressTokenOf, type RequestContext } from './request-context.ts';
import { translationFor } from './tasks/translation.ts';
import type { CallResult } from './types.ts';

export interface Dispatch {
  member: Member;
  method: string;
  /** What the request is about, for policy. Undefined: it was let in with something else, such as the task it asks after. */
  subject: Subject | undefined;
  /** Under the upstream's own names; the adapter may change it. */
  params: JsonObject;
  shape: ResultShape;
  /** A last look at a final result's bytes, before they are put into the caller's era. */
  rewrite?: ((raw: Buffer) => Buffer) | undefined;
  /** How it is sent, where that is more than one request in the server's queue. */
  send?: Sender;
}

/** One way of having a request answered by a server. `params` is the sender's to change. */
export type Sender = (call: RelayCall, params: JsonObject) => Promise<Reply>;

/** Where a request waits for its place and how long it may take; undefined: it takes none, as long as it wants. */
export interface SendOptions {
  queue: UpstreamQueue | undefined;
  clock: Clock | undefined;
}

export class Dispatcher {
  readonly #queues = new WeakMap<Member, UpstreamQueue>();
  readonly #parking: SuspendedCalls;
  readonly #urls: UrlConsent;

  constructor(parking: SuspendedCalls, sealing: Sealing) {
    this.#parking = parking;
    this.#urls = new UrlConsent(sealing);
  }

  queueOf(member: Member): UpstreamQueue {
    let queue = this.#queues.get(member);
    if (!queue) {
      queue = new UpstreamQueue(member.name, member.config);
      this.#queues.set(member, queue);
    }
    return queue;
  }

  /** A client's request, once policy has let it in. */
  dispatch(turn: RequestContext, what: Dispatch): Promise<CallResult> {
    try {
      if (turn.inbound.caller.era === 'modern') {
        const state = turn.params.requestState;
        // Let in when it was first made.
        if (isSealed(state)) return this.#resume(turn, state);
      }
      const judged = what.subject && turn.services.gate?.judge(turn, what);
      if (judged instanceof Promise) return judged.then((admission) => this.#relay(turn, what, admission));
      return this.#relay(turn, what, judged);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** One function and not several: each that is asynchronous costs every call a promise and turns of the microtask queue. */
  async #relay(turn: RequestContext, what: Dispatch, admission: PolicyDecision | undefined): Promise<CallResult> {
    const { call } = turn;
    call.admission = admission;
    try {
      const replying = this.#request(turn, what);
      let answer: CallResult;
      if (replying) {
        const finished = this.#finish(turn, call, what, await replying);
        answer = finished instanceof Promise ? await finished : finished;
      } else {
        answer = await this.#pushed(turn, what);
      }
      concluded(call);
      return answer;
    } catch (error) {
      call.admission?.conclude({ kind: 'error', error });
      throw error;
    }
  }

  /** One of the four cells of client era × upstream era; undefined: it is {@link #pushed}. */
  #request(turn: RequestContext, what: Dispatch): Promise<Reply> | undefined {
    const { call, inbound } = turn;
    if (inbound.caller.era === 'modern') {
      // A modern upstream keeps its own state in what the client sends back; only a legacy one has to be parked, and
      // whoever waits for an approval.
      if (what.member.require().era === 'modern') {
        return call.admission?.need ? undefined : this.#send(call, what, what.params);
      }
      this.#urls.admit(what.params, () => bindingOf(turn));
      requireNoAnswers(what.params);
      return undefined;
    }
    if (inbound.channel.ask) call.asker = inbound.channel.ask.bind(inbound.channel);
    if (what.member.require().era === 'legacy') {
      call.translation = translationFor(turn, what.member);
      const params = call.translation ? call.translation.params(what.params) : what.params;
      return this.#send(call, what, params);
    }
    return answerInRounds(call, what.params, (params) => this.#send(call, what, params));
  }

  /** A modern client's request to a server that asks by pushing, or by saying which page must be opened first. */
  async #pushed(turn: RequestContext, what: Dispatch): Promise<CallResult> {
    const { call } = turn;
    const { admission } = call;
    try {
      if (declaresAny(call.caller.capabilities)) return await this.#parkable(turn, what);
      return await this.#finish(turn, call, what, await unlessUndeclared(call, this.#send(call, what, what.params)));
    } catch (error) {
      const asked = this.#urls.ask(error, call.caller.capabilities, () => bindingOf(turn));
      this.#expectNext(turn, admission, asked);
      return asked;
    }
  }

  #send(call: RelayCall, what: Dispatch, params: JsonObject): Promise<Reply> {
    // Before anything is held or runs: a person may take long.
    if (call.admission?.need) return approve(call, call.admission).then(() => this.#sendNow(call, what, params));
    return this.#sendNow(call, what, params);
  }

  #sendNow(call: RelayCall, what: Dispatch, params: JsonObject): Promise<Reply> {
    return what.send ? what.send(call, params) : this.send(call, what.member, what.method, params);
  }

  /** The reply as policy lets it be seen, in the caller's era. */
  #finish(turn: RequestContext, call: RelayCall, what: Dispatch, reply: Reply): CallResult | Promise<CallResult> {
    const { admission } = call;
    if (!admission) return finish(call, what, reply);
    if ('inputRequired' in reply) {
      this.#expectNext(turn, admission, { value: reply.inputRequired });
      return finish(call, what, reply);
    }
    const screened = admission.screen(reply);
    if (screened instanceof Promise) return screened.then((seen) => finish(call, what, seen));
    return finish(call, what, screened);
  }

  /** A modern client was asked something: when it comes back it has been let in already. */
  #expectNext(turn: RequestContext, admission: PolicyDecision | undefined, answer: CallResult): void {
    if (!admission || !('value' in answer) || answer.value.resultType !== 'input_required') return;
    admission.asksClient = true;
    turn.services.gate?.continuations.expect(bindingOf(turn), answer.value.requestState);
  }

  #parkable(turn: RequestContext, what: Dispatch): Promise<CallResult> {
    const { inbound, call } = turn;
    // The upstream call may outlive this request; it ends with it only while this request is the one that waits.
    const lasting = new RelayCall(inbound.caller, inbound.channel, progressTokenOf(turn.params), inbound.paramHeaders);
    call.onAbort((reason) => lasting.abort(reason));
    // It is concluded where the server's call ends, which may be long after this request.
    lasting.admission = call.admission;
    call.admission = undefined;
    const parkable = new ParkableCall(this.#parking, lasting, () => bindingOf(turn));
    return parkable.start(async () => {
      try {
        return await concluding(lasting, async () => {
          const reply = await unlessUndeclared(lasting, this.#send(lasting, what, what.params));
          return this.#finish(turn, lasting, what, reply);
        });
      } finally {
        lasting.settle();
      }
    });
  }

  async #resume(turn: RequestContext, state: string): Promise<CallResult> {
    const parked = this.#parking.find(state, bindingOf(turn));
    turn.call.onAbort((reason) => parked.call.abort(reason));
    const responses = isObject(turn.params.inputResponses) ? turn.params.inputResponses : {};
    try {
      return await parked.resume(responses, turn.inbound.channel, progressTokenOf(turn.params));
    } catch (error) {
      const asked = this.#urls.ask(error, turn.call.caller.capabilities, () => bindingOf(turn));
      this.#expectNext(turn, parked.call.admission, asked);
      return asked;
    }
  }

  /**
   * One request upstream: waits for a place, runs under the clock, gives the place back. `lane` is the server's queue and
   * time where none is named; `seen` is the call as the adapter sees it.
   */
  async send(
    call: RelayCall,
    member: Member,
    method: string,
    params: JsonObject,
    lane?: SendOptions,
    seen: Call = call,
  ): Promise<Reply> {
    // The gateway's own tools have no queue or clock of their own: what they call has.
    if (member.builtin) {
      // Its client may have gone while policy was deciding.
      if (call.reason) throw call.reason;
      const reserving = call.admission?.reserve();
      if (reserving) await reserving;
      // It is where it was to go: a client that gives up now has used it (`connectServer` is connecting already).
      call.left();
      return member.require().request(method, params, call);
    }
    const { admission } = call;
    const reserving = admission?.reserve();
    if (reserving) await reserving;
    try {
      call.queue = lane ? lane.queue : this.queueOf(member);
      if (call.queue) {
        const slot = call.queue.acquire(call);
        if (slot instanceof Promise) {
          const since = performance.now();
          call.slot = await slot;
          if (admission) admission.queueMs += performance.now() - since;
        } else {
          call.slot = slot;
        }
      }
      if (call.aborted) return await Promise.reject(call.reason);
      const upstream = member.require();
      const clock = lane ? lane.clock : member.config;
      if (clock) call.startClock(clock);
      return await upstream.request(method, params, seen);
    } catch (error) {
      admission?.failed(error);
      // Programs find out which server failed without reading the sentence.
      if (error instanceof SwitchboardError) error.data.server ??= member.name;
      throw error;
    } finally {
      call.leave();
    }
  }
}

/**
 * A legacy server has no place for answers in a request, and every state a client could send back for one is ours.
 */
function requireNoAnswers(params: JsonObject): void {
  if (params.requestState !== undefined) {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.requestState is not valid for this request.');
  }
  delete params.inputResponses;
}

function bindingOf(turn: RequestContext): StateBinding {
  const { caller, view, request } = turn.inbound;
  return {
    principal: caller.principal,
    digest: digestRequest(view.id, request.method, turn.params, caller.identity.grant),
  };
}

/** The reply as an answer in the caller's era. */
export function finish(call: RelayCall, what: Dispatch, reply: Reply): CallResult {
  if ('inputRequired' in reply) return reply.raw ? { raw: reply.raw } : { value: reply.inputRequired };
  const final: FinalReply =
    what.rewrite && 'raw' in reply && reply.members?.hasUri !== false ? { raw: what.rewrite(reply.raw) } : reply;
  const upstream = what.member.upstream;
  return toEra(final, {
    from: upstream?.era ?? 'legacy',
    to: call.caller.era,
    shape: what.shape,
    serverInfo: upstream?.serverInfo,
  });
}
