/**
 * Modern client, upstream that asks in the middle of a call: the upstream call is parked, the client is answered
 * `input_required`, and its retry resumes the very same call with the answers. Parked calls are bounded in number and
 * time, hold no place in a queue, and are cancelled when nobody comes back.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { Ask } from '../../core/call.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import { isObject, type JsonObject, type RequestId } from '../../wire/jsonrpc.ts';
import type { RelayCall } from '../call.ts';
import type { CallResult, Channel } from '../types.ts';
import { type Sealing, type StateBinding, StateSeal } from './request-state.ts';

export interface ParkingLimits {
  /** Parked calls at one time, of everybody and of one principal. */
  maxParked: number;
  maxParkedPerPrincipal: number;
  /** How long a parked call waits for its client. */
  ttlMs: number;
  /** Questions asked within this time of each other go out together. */
  gatherMs: number;
}

export const PARKING_LIMITS: ParkingLimits = {
  maxParked: 1_000,
  maxParkedPerPrincipal: 100,
  ttlMs: 10 * 60_000,
  gatherMs: 40,
};

interface InputRequest {
  ask: Ask;
  answer(result: JsonObject): void;
  refuse(error: Error): void;
}

/** A modern caller's call, from its first request to its last retry. */
export class ParkableCall {
  #id: string | undefined;
  readonly call: RelayCall;
  readonly #lot: SuspendedCalls;
  readonly #bind: () => StateBinding;
  /** Made when the call first asks: most calls never do. */
  #binding: StateBinding | undefined;
  readonly #questions = new Map<string, InputRequest>();
  #asked = 0;
  #round = 0;
  #gather: NodeJS.Timeout | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #final: Promise<CallResult> | undefined;
  /** Answers the client's current request; undefined while parked. */
  #waiter: PromiseWithResolvers<CallResult> | undefined;

  constructor(lot: SuspendedCalls, call: RelayCall, bind: () => StateBinding) {
    this.#lot = lot;
    this.call = call;
    this.#bind = bind;
  }

  get id(): string {
    this.#id ??= randomUUID();
    return this.#id;
  }

  get binding(): StateBinding {
    this.#binding ??= this.#bind();
    return this.#binding;
  }

  get round(): number {
    return this.#round;
  }

  get parked(): boolean {
    return this.#waiter === undefined;
  }

  /** Runs the upstream call; resolves with its answer or with the first round of questions. */
  start(run: () => Promise<CallResult>): Promise<CallResult> {
    const waiter = Promise.withResolvers<CallResult>();
    this.#waiter = waiter;
    this.call.asker = (ask) => this.#ask(ask);
    this.#final = run();
    this.#final.then(
      (answer) => this.#end((current) => current.resolve(answer)),
      (error) => this.#end((current) => current.reject(error)),
    );
    return waiter.promise;
  }

  /** A retry with answers. Questions it leaves open are asked again. */
  resume(responses: JsonObject, channel: Channel, progressToken: RequestId | undefined): Promise<CallResult> {
    clearTimeout(this.#expiry);
    this.#round++;
    const waiter = Promise.withResolvers<CallResult>();
    this.#waiter = waiter;
    this.call.attach(channel, progressToken);
    for (const [key, question] of [...this.#questions]) {
      const response = responses[key];
      if (!isObject(response)) continue;
      this.#questions.delete(key);
      question.answer(response);
    }
    if (this.#lot.finished(this)) this.#lot.replay(this, this.#final as Promise<CallResult>, waiter);
    else if (this.#questions.size > 0) this.#gatherSoon();
    return waiter.promise;
  }

  #ask(ask: Ask): Promise<JsonObject> {
    const refusal = this.#lot.admit(this);
    if (refusal) return Promise.reject(refusal);
    return new Promise((answer, refuse) => {
      const key = `${ask.method.replace('/', '-')}-${++this.#asked}`;
      const withdraw = (): void => {
        if (this.#questions.delete(key)) refuse(new SwitchboardError('SWB_ASK_REFUSED', 'The question was withdrawn.'));
      };
      ask.signal?.addEventListener('abort', withdraw, { once: true });
      this.#questions.set(key, { ask, answer, refuse });
      this.call.onAbort((reason) => {
        if (this.#questions.delete(key)) refuse(reason);
      });
      this.#gatherSoon();
    });
  }

  #gatherSoon(): void {
    clearTimeout(this.#gather);
    this.#gather = setTimeout(() => this.#park(), this.#lot.limits.gatherMs);
  }

  /** Answers the client with what is asked so far. */
  #park(): void {
    const waiter = this.#waiter;
    if (!waiter || this.#questions.size === 0) return;
    this.#waiter = undefined;
    this.call.attach(undefined, undefined);
    const inputRequests: JsonObject = {};
    for (const [key, { ask }] of this.#questions) {
      inputRequests[key] =
        ask.params === undefined ? { method: ask.method } : { method: ask.method, params: ask.params };
    }
    const expiresAt = Date.now() + this.#lot.limits.ttlMs;
    this.#expiry = setTimeout(() => this.#expire(), this.#lot.limits.ttlMs);
    this.#expiry.unref();
    const requestState = this.#lot.seal.seal({ id: this.id, round: this.#round, expiresAt }, this.binding);
    waiter.resolve({ value: { resultType: 'input_required', inputRequests, requestState } });
  }

  #expire(): void {
    this.call.abort(new SwitchboardError('SWB_CALL_TIMEOUT', 'Nobody answered the questions of this call in time.'));
    this.#lot.forget(this);
  }

  #end(settle: (waiter: PromiseWithResolvers<CallResult>) => void): void {
    clearTimeout(this.#gather);
    const waiter = this.#waiter;
    if (waiter) {
      clearTimeout(this.#expiry);
      this.#waiter = undefined;
      this.#lot.forget(this);
      settle(waiter);
      return;
    }
    // The upstream ended while its client was away (it withdrew the question, or died): the retry hears of it.
    this.#lot.keepFinished(this);
  }
}

export class SuspendedCalls {
  readonly limits: ParkingLimits;
  readonly seal: StateSeal;
  readonly #calls = new Map<string, ParkableCall>();
  readonly #finished = new Set<ParkableCall>();

  constructor(sealing: Sealing, limits: ParkingLimits = PARKING_LIMITS) {
    this.seal = new StateSeal(sealing);
    this.limits = limits;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** A place for a call that asks; an error when there is none. */
  admit(call: ParkableCall): SwitchboardError | undefined {
    if (this.#calls.has(call.id)) return undefined;
    const principal = call.binding.principal;
    let own = 0;
    for (const parked of this.#calls.values()) if (parked.binding.principal === principal) own++;
    if (this.#calls.size >= this.limits.maxParked || own >= this.limits.maxParkedPerPrincipal) {
      return new SwitchboardError('SWB_ASK_REFUSED', 'Too many calls wait for answers. Try again later.');
    }
    this.#calls.set(call.id, call);
    return undefined;
  }

  /** The call a sealed state belongs to. Throws -32602 for a state that is forged, foreign, replayed or expired. */
  find(state: string, binding: StateBinding): ParkableCall {
    const claims = this.seal.open(state, binding);
    if (!claims) throw invalidState('is not valid for this request');
    const parked = this.#calls.get(claims.id);
    if (!parked || Date.now() > claims.expiresAt) throw invalidState('has expired; make the call again without it');
    if (parked.round !== claims.round || !parked.parked) throw invalidState('was used already');
    return parked;
  }

  keepFinished(call: ParkableCall): void {
    if (this.#calls.has(call.id)) this.#finished.add(call);
  }

  finished(call: ParkableCall): boolean {
    return this.#finished.has(call);
  }

  replay(call: ParkableCall, final: Promise<CallResult>, waiter: PromiseWithResolvers<CallResult>): void {
    this.forget(call);
    final.then(waiter.resolve, waiter.reject);
  }

  forget(call: ParkableCall): void {
    this.#calls.delete(call.id);
    this.#finished.delete(call);
  }

  /** Ends the calls of these identities. */
  drop(isGone: (identity: Identity) => boolean, reason: SwitchboardError): void {
    for (const parked of [...this.#calls.values()]) {
      if (!isGone(parked.call.caller.identity)) continue;
      parked.call.abort(reason);
      this.forget(parked);
    }
  }

  close(): void {
    for (const parked of [...this.#calls.values()]) {
      parked.call.abort(new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.'));
    }
    this.#calls.clear();
    this.#finished.clear();
  }
}

function invalidState(why: string): SwitchboardError {
  return new SwitchboardError('SWB_INVALID_PARAMS', `params.requestState ${why}.`);
}
