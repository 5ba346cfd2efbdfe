/**
 * Sends a notice to a webhook: to an address that the guard has checked, following no redirect, again after a pause where the receiver
 * may be better soon, and not for ever.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { guardedAgent } from '../../../../auth/guarded-agent.ts';
import type { NetworkGuard } from '../../../../core/adapter.ts';
import { backoffMs } from '../../../../core/backoff.ts';
import { SwitchboardError } from '../../../../core/errors.ts';
import { PRODUCT } from '../../../../core/product.ts';
import type { Notice } from './payload.ts';
import type { Places } from './places.ts';
import type { Target } from './store.ts';

/** Why a notice was not taken: the address, what it answered, or that it did not. */
export type FailReason = 'refused' | 'redirect' | 'status' | 'timeout' | 'network' | 'ended';

export interface Sent {
  /** Undefined: it was taken. */
  failure: FailReason | undefined;
  /** The last one that the receiver answered with. */
  status: number | undefined;
  attempts: number;
}

/** In milliseconds. */
export interface SendTimes {
  /** Of one attempt. A2A 1.0, section 13.2, recommends 10 to 30 seconds. */
  attemptMs: number;
  /** Of all attempts at the notices of one state. */
  giveUpMs: number;
  backoffBaseMs: number;
  backoffCapMs: number;
}

export const SEND_TIMES: SendTimes = {
  attemptMs: 15_000,
  giveUpMs: 10 * 60_000,
  backoffBaseMs: 2_000,
  backoffCapMs: 60_000,
};

export interface SenderOptions {
  /** A guard of its own for each attempt. */
  guard(): NetworkGuard;
  places: Places;
  times: SendTimes;
}

export interface SendOptions {
  principal: string;
  signal: AbortSignal;
  /** By `Date.now()`: no attempt begins after it, but the first. */
  deadline: number;
  /** Asked just before each attempt, once there is a place for it. */
  goesOn(): Promise<boolean>;
}

interface Attempt {
  failure: FailReason | undefined;
  status?: number;
  /** It may be taken another time. */
  mayPass: boolean;
}

/** No attempt was made. */
const ENDED: Attempt = { failure: 'ended', mayPass: false };

export class Sender {
  readonly #options: SenderOptions;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  get times(): SendTimes {
    return this.#options.times;
  }

  /** Rejects only where `goesOn` does. */
  async send(target: Target, notice: Notice, { principal, signal, deadline, goesOn }: SendOptions): Promise<Sent> {
    const sent: Sent = { failure: 'ended', status: undefined, attempts: 0 };
    for (;;) {
      const giveBack = await this.#options.places.take(principal, signal);
      if (!giveBack) return { ...sent, failure: 'ended' };
      // Behind the wait for a place, which may be long: it holds for this attempt alone.
      const attempt = await goesOn()
        .then((goes) => (goes ? this.#attempt(target, notice, signal) : ENDED))
        .finally(giveBack);
      if (attempt === ENDED) return { ...sent, failure: 'ended' };
      sent.attempts++;
      sent.failure = attempt.failure;
      sent.status = attempt.status;
      if (attempt.failure === undefined || !attempt.mayPass) return sent;
      const pause = backoffMs(sent.attempts - 1, this.times);
      if (Date.now() + pause > deadline) return sent;
      await sleep(pause, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Never rejects. Nothing of the receiver's answer is read but its status. */
  async #attempt(target: Target, { body, contentType }: Notice, ended: AbortSignal): Promise<Attempt> {
    const { guard, times } = this.#options;
    const timeout = AbortSignal.timeout(times.attemptMs);
    const network = guard();
    const agent = await guardedAgent(network, times.attemptMs);
    const connections: object = { dispatcher: agent.dispatcher };
    try {
      const url = new URL(target.url);
      await network.check(url);
      const response = await fetch(url, {
        ...connections,
        method: 'POST',
        headers: headersOf(target, contentType),
        body,
        // The address was listed; the one it leads to was not.
        redirect: 'manual',
        signal: AbortSignal.any([ended, timeout]),
      });
      return answered(response.status);
    } catch (error) {
      if (ended.aborted) return { failure: 'ended', mayPass: false };
      const refusal = refusalIn(error);
      // A name that does not resolve may do so soon; an address that is forbidden stays so.
      if (refusal) return { failure: 'refused', mayPass: refusal.data.reason === 'unresolved' };
      return { failure: timeout.aborted ? 'timeout' : 'network', mayPass: true };
    } finally {
      // With what the receiver still sends.
      agent.close();
    }
  }
}

function headersOf({ token, authentication }: Target, contentType: string): Record<string, string> {
  return {
    'content-type': contentType,
    'user-agent': `${PRODUCT.name}/${PRODUCT.version}`,
    ...(token === '' ? {} : { 'x-a2a-notification-token': token }),
    ...(authentication ? { authorization: `${authentication.scheme} ${authentication.credentials}` } : {}),
  };
}

/** Too early, too many, too slow: what HTTP says of requests that may pass later. */
const LATER = new Set([408, 425, 429]);

function answered(status: number): Attempt {
  if (status >= 200 && status < 300) return { failure: undefined, status, mayPass: true };
  if (status >= 300 && status < 400) return { failure: 'redirect', status, mayPass: false };
  return { failure: 'status', status, mayPass: status >= 500 || LATER.has(status) };
}

function refusalIn(error: unknown): SwitchboardError | undefined {
  for (let at = error, depth = 0; depth < 4 && at instanceof Error; at = at.cause, depth++) {
    if (at instanceof SwitchboardError) return at;
  }
  return undefined;
}
