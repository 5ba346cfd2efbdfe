/**
 * Modern client, upstream that asks in the middle of a call: the upstream call is suspended, the client is answered
 * `input_required`, and its retry resumes the very same call. Suspended calls are bounded in number and time, hold no place
 * in a queue, and are cancelled when their client does not come back.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { Ask } from '../../core/call.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import { Shares } from '../../core/shares.ts';
import type { JsonObject, RequestId } from '../../wire/jsonrpc.ts';
import type { RelayCall } from '../call.ts';
import type { CallResult, Channel } from '../types.ts';
import { InputRequests } from './input-requests.ts';
import { type Sealing, type StateBinding, type StateClaims, StateSeal, SUSPENDED } from './request-state.ts';

export interface SuspensionLimits {
  /** Suspended calls at one time, in all and of one principal. */
  maxSuspended: number;
  maxSuspendedPerPrincipal: number;
  /** How long a suspended call waits for its client. */
  ttlMs: number;
  /** Asks within this time of each other go out together. */
  gatherMs: number;
}

const SUSPENSION_LIMITS: SuspensionLimits = {
  maxSuspended: 1_000,
  maxSuspendedPerPrincipal: 100,
  ttlMs: 10 * 60_000,
  gatherMs: 40,
};

/** A modern caller's call, from its first request to its last retry. */
export class SuspendableCall {
  readonly call: RelayCall;
  readonly #all: SuspendedCalls;
  readonly #bind: () => StateBinding;
  // Made when the call first asks: most calls never do.
  #id: string | undefined;
  #binding: StateBinding | undefined;
  #inputs: InputRequests | undefined;
  #asked = 0;
  #round = 0;
  #gather: NodeJS.Timeout | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #final: Promise<CallResult> | undefined;
  #ended = false;
  /** The client's current request; undefined while the call is suspended. */
  #waiter: PromiseWithResolvers<CallResult> | undefined;

  constructor(all: SuspendedCalls, call: RelayCall, bind: () => StateBinding) {
    this.#all = all;
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

  /** Whether the call waits for the retry of this round. */
  awaits(round: number): boolean {
    return this.#waiter === undefined && this.#round === round;
  }

  /** Runs the upstream call; resolves with its result or with `input_required`. */
  start(run: () => Promise<CallResult>): Promise<CallResult> {
    const waiter = Promise.withResolvers<CallResult>();
    this.#waiter = waiter;
    this.call.asker = (ask) => this.#ask(ask);
    this.#final = run();
    this.#final.then(
      (result) => this.#end()?.resolve(result),
      (error) => this.#end()?.reject(error),
    );
    return waiter.promise;
  }

  /** A retry with responses. Input requests it leaves open are sent again. */
  resume(responses: JsonObject, channel: Channel, progressToken: RequestId | undefined): Promise<CallResult> {
    clearTimeout(this.#expiry);
    this.#round++;
    const waiter = Promise.withResolvers<CallResult>();
    this.#waiter = waiter;
    this.call.attach(channel, progressToken);
    this.#inputs?.respond(responses);
    if (this.#ended) {
      this.#all.forget(this);
      this.#final?.then(waiter.resolve, waiter.reject);
    } else if (this.#inputs?.size) this.#gatherSoon();
    return waiter.promise;
  }

  #ask(ask: Ask): Promise<JsonObject> {
    const refusal = this.#all.admit(this);
    if (refusal) return Promise.reject(refusal);
    this.#inputs ??= new InputRequests(this.call, () => ++this.#asked);
    this.#gatherSoon();
    return this.#inputs.add(ask);
  }

  #gatherSoon(): void {
    clearTimeout(this.#gather);
    this.#gather = setTimeout(() => this.#suspend(), this.#all.limits.gatherMs);
  }

  /** Answers the client with the input requests so far. */
  #suspend(): void {
    const waiter = this.#waiter;
    if (!waiter || !this.#inputs?.size) return;
    this.#waiter = undefined;
    this.call.attach(undefined, undefined);
    const { ttlMs } = this.#all.limits;
    const claims = { id: this.id, round: this.#round, expiresAt: Date.now() + ttlMs };
    this.#expiry = setTimeout(() => this.#expire(), ttlMs).unref();
    const requestState = this.#all.seal.seal(claims, this.binding);
    waiter.resolve({ value: { resultType: 'input_required', inputRequests: this.#inputs.list(), requestState } });
  }

  #expire(): void {
    this.call.abort(new SwitchboardError('SWB_CALL_TIMEOUT', 'Nobody answered the questions of this call in time.'));
    this.#all.forget(this);
  }

  /** The upstream call has ended. Without a waiter (the ask was withdrawn, or the server died) the retry gets the outcome. */
  #end(): PromiseWithResolvers<CallResult> | undefined {
    clearTimeout(this.#gather);
    this.#ended = true;
    const waiter = this.#waiter;
    if (!waiter) return undefined;
    clearTimeout(this.#expiry);
    this.#waiter = undefined;
    this.#all.forget(this);
    return waiter;
  }
}

export class SuspendedCalls {
  readonly limits: SuspensionLimits;
  readonly seal: StateSeal<StateClaims>;
  readonly #calls = new Map<string, SuspendableCall>();
  readonly #shares: Shares;

  constructor(sealing: Sealing, limits: SuspensionLimits = SUSPENSION_LIMITS) {
    this.#shares = new Shares(limits.maxSuspended, limits.maxSuspendedPerPrincipal);
    this.seal = new StateSeal(sealing, SUSPENDED);
    this.limits = limits;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Makes room for a call that asks; returns an error when there is none. */
  admit(call: SuspendableCall): SwitchboardError | undefined {
    if (this.#calls.has(call.id)) return undefined;
    if (!this.#shares.tryTake(call.binding.principal)) {
      return new SwitchboardError('SWB_ASK_REFUSED', 'Too many calls wait for answers. Try again later.');
    }
    this.#calls.set(call.id, call);
    return undefined;
  }

  /** The call a sealed state belongs to. Throws -32602 for a state that is forged, foreign, replayed or expired. */
  find(state: string, binding: StateBinding): SuspendableCall {
    const claims = this.seal.open(state, binding);
    if (!claims) throw invalidState('is not valid for this request');
    const call = this.#calls.get(claims.id);
    if (!call || Date.now() > claims.expiresAt) throw invalidState('has expired; make the call again without it');
    if (!call.awaits(claims.round)) throw invalidState('was used already');
    return call;
  }

  forget(call: SuspendableCall): void {
    if (this.#calls.delete(call.id)) this.#shares.give(call.binding.principal);
  }

  /** Ends the calls of these identities. */
  drop(isGone: (identity: Identity) => boolean, reason: SwitchboardError): void {
    for (const suspended of [...this.#calls.values()]) {
      if (!isGone(suspended.call.caller.identity)) continue;
      suspended.call.abort(reason);
      this.forget(suspended);
    }
  }

  close(): void {
    this.drop(() => true, new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.'));
  }
}

function invalidState(why: string): SwitchboardError {
  return new SwitchboardError('SWB_INVALID_PARAMS', `params.requestState ${why}.`);
}
