/**
 * Calls with an `idempotencyKey`: the same key of the same principal for the same agent is one run. What repeats it gets the
 * outcome of the first call, also in another process of the same state, and starts nothing.
 * @module
 */
import type { AgentCallResult } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { type ErrorCode, SwitchboardError } from '../../src/core/errors.ts';
import { FairMap } from '../../src/core/fair-map.ts';
import { sha256 } from '../../src/core/hash.ts';
import type { MemoryValue, ServerMemory } from '../../src/core/server-memory.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';

const MAX_KEY = 256;
/** How long an outcome is kept. */
const KEPT_MS = 24 * 60 * 60_000;
/** A larger result is not kept: what repeats the call learns that it was made. */
const MAX_RESULT_BYTES = 262_144;
/** Runs under way in this process that others may wait for. */
const MAX_RUNNING = 10_000;

type Run = (call: Call) => Promise<AgentCallResult>;

export class IdempotentRuns {
  readonly #memory: ServerMemory;
  readonly #running = new FairMap<string, { digest: string; outcome: Promise<AgentCallResult> }>(MAX_RUNNING);

  constructor(memory: ServerMemory) {
    this.#memory = memory;
  }

  /** Runs, or gives the outcome of the call that had this key before. Without a key it just runs. */
  async call(params: JsonObject, call: Call, run: Run): Promise<AgentCallResult> {
    const { idempotencyKey, agent } = params;
    if (idempotencyKey === undefined) return run(call);
    if (typeof idempotencyKey !== 'string' || idempotencyKey === '' || idempotencyKey.length > MAX_KEY) {
      throw new SwitchboardError(
        'SWB_INVALID_PARAMS',
        `idempotencyKey must be a string of 1 to ${MAX_KEY} characters.`,
      );
    }
    const { principal } = call.caller;
    const key = `once:${sha256(JSON.stringify([principal, agent, idempotencyKey]))}`;
    const digest = digestOf(params);
    const running = this.#running.get(key);
    if (running) {
      requireSame(running.digest, digest);
      return joined(running.outcome, call);
    }
    const outcome = this.#first(key, digest, call, run);
    outcome.catch(() => {});
    this.#running.set(key, principal, { digest, outcome });
    try {
      return await outcome;
    } finally {
      this.#running.delete(key);
    }
  }

  async #first(key: string, digest: string, call: Call, run: Run): Promise<AgentCallResult> {
    if (!(await this.#memory.setIfAbsent(key, { digest, state: 'running' }, KEPT_MS))) {
      return this.#outcomeOf(await this.#memory.get(key), digest);
    }
    let hasLeft = false;
    const leaving = (): void => {
      hasLeft = true;
    };
    try {
      const result = await run(watchedCall(call, leaving));
      const isSmall = Buffer.byteLength(JSON.stringify(result)) <= MAX_RESULT_BYTES;
      await this.#keep(key, { digest, state: 'done', ...(isSmall ? { result: result as MemoryValue } : {}) });
      return result;
    } catch (error) {
      if (!hasLeft) await this.#memory.take(key);
      else if (error instanceof SwitchboardError) {
        await this.#keep(key, { digest, state: 'failed', code: error.code, message: error.message });
      } else await this.#keep(key, { digest, state: 'failed' });
      throw error;
    }
  }

  /** What cannot be kept is no reason to lose the outcome itself. */
  async #keep(key: string, value: MemoryValue): Promise<void> {
    await this.#memory.set(key, value, KEPT_MS).catch(() => {});
  }

  #outcomeOf(kept: MemoryValue | undefined, digest: string): AgentCallResult {
    if (!isObject(kept)) throw unknownOutcome();
    requireSame(kept.digest, digest);
    if (kept.state === 'done' && isObject(kept.result)) return kept.result as AgentCallResult;
    if (kept.state === 'done') {
      throw new SwitchboardError(
        'SWB_AGENT_FAILED',
        'A call with this idempotencyKey has completed; its result was too large to be kept.',
      );
    }
    if (kept.state === 'failed' && typeof kept.code === 'string' && typeof kept.message === 'string') {
      throw new SwitchboardError(kept.code as ErrorCode, kept.message);
    }
    throw unknownOutcome();
  }
}

/** The call itself; `leaving` is called when its request leaves, from when on a run may exist. */
function watchedCall(call: Call, leaving: () => void): Call {
  return {
    caller: call.caller,
    get signal() {
      return call.signal;
    },
    get aborted() {
      return call.aborted;
    },
    get silenceMs() {
      return call.silenceMs;
    },
    get lasting() {
      return call.lasting === true;
    },
    lent: call.lent,
    wantsProgress: call.wantsProgress,
    paramHeaders: call.paramHeaders,
    onAbort: (listener) => call.onAbort(listener),
    notify: (notification) => call.notify(notification),
    alive: () => call.alive?.(),
    pause: (retryMs) => call.pause?.(retryMs),
    ask: (ask) => call.ask(ask),
    canAsk: (method) => call.canAsk(method),
    began: (run) => call.began?.(run),
    left() {
      leaving();
      call.left?.();
    },
  };
}

const unknownOutcome = (): SwitchboardError =>
  new SwitchboardError(
    'SWB_AGENT_FAILED',
    'A call with this idempotencyKey was begun, and its outcome is not known: it may be running elsewhere, or was cut ' +
      'off. Nothing was started again.',
  );

function requireSame(kept: unknown, digest: string): void {
  if (kept === digest) return;
  throw new SwitchboardError(
    'SWB_INVALID_PARAMS',
    'This idempotencyKey was used for another call. Give each call a key.',
  );
}

/** How the text is sent does not make it another call. */
function digestOf({ stream: _, ...params }: JsonObject): string {
  return sha256(JSON.stringify(params));
}

/** The outcome of another call, unless this one is aborted first. */
function joined(outcome: Promise<AgentCallResult>, call: Call): Promise<AgentCallResult> {
  return new Promise((resolve, reject) => {
    const stop = call.onAbort(reject);
    outcome.then(resolve, reject).finally(stop);
  });
}
