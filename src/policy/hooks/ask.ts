/**
 * Calls one hook. Whatever it does (throws, never answers, answers late, answers nonsense) becomes a value, so that no
 * rejection is unhandled. A synchronous answer is returned synchronously.
 * @module
 */
import { type HookReply, InvalidAnswer, readAnswer } from './answers.ts';
import type { HookContext, HookInput } from './contract.ts';
import { NotJson } from './json.ts';
import type { LoadedHook } from './load.ts';

/** Why there is no valid answer; quotes nothing of the hook's input or of what it threw. */
export interface Failure {
  effect: 'failed';
  problem: 'threw' | 'timeout' | 'invalid' | 'ended';
  detail: string;
}

/** The call a hook decides about: when it ends, the hook is aborted. */
export interface EndingCall {
  onAbort(listener: (reason: Error) => void): () => void;
}

export type Answered = HookReply | Failure;

/**
 * @param show makes the hook's input; what it throws counts as the hook's failure
 * @param originalBytes see {@link readAnswer}
 */
export function askHook(
  loaded: LoadedHook,
  show: () => HookInput,
  originalBytes: () => number,
  call: EndingCall | undefined,
): Answered | Promise<Answered> {
  const context = new Context();
  const read = (shown: HookInput, answer: unknown): Answered => {
    try {
      return readAnswer(answer, shown, originalBytes);
    } catch (error) {
      return failure(error);
    }
  };
  try {
    const shown = show();
    const answer: unknown = loaded.hook.decide(shown, context);
    if (!isThenable(answer)) return read(shown, answer);
    return wait(loaded, answer, context, call, (value) => read(shown, value));
  } catch (error) {
    return failure(error);
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';

function wait(
  { timeoutMs }: LoadedHook,
  answer: PromiseLike<unknown>,
  context: Context,
  call: EndingCall | undefined,
  read: (value: unknown) => Answered,
): Promise<Answered> {
  return new Promise((resolve) => {
    let stopListening: (() => void) | undefined;
    let done = false;
    const finish = (answered: Answered): void => {
      done = true;
      clearTimeout(timer);
      stopListening?.();
      resolve(answered);
    };
    const giveUp = (problem: 'timeout' | 'ended', detail: string): void => {
      if (done) return;
      finish({ effect: 'failed', problem, detail });
      context.abort(detail);
    };
    const timer = setTimeout(giveUp, timeoutMs, 'timeout', `no answer within ${timeoutMs} ms`);
    Promise.resolve(answer).then(
      (value) => {
        if (!done) finish(read(value));
      },
      (error: unknown) => {
        if (!done) finish(failure(error));
      },
    );
    stopListening = call?.onAbort(() => giveUp('ended', 'the call has ended'));
    // A call that has ended already calls the listener before `onAbort` returns.
    if (done) stopListening?.();
  });
}

function failure(error: unknown): Failure {
  if (error instanceof InvalidAnswer)
    return { effect: 'failed', problem: 'invalid', detail: `the answer ${error.message}` };
  if (error instanceof NotJson)
    return { effect: 'failed', problem: 'invalid', detail: `it was to be shown ${error.message}` };
  return { effect: 'failed', problem: 'threw', detail: kindOfError(error) };
}

/** The class of what was thrown. Its message may quote arguments and results, as those of `JSON.parse` do. */
function kindOfError(error: unknown): string {
  if (!(error instanceof Error)) return `threw a ${typeof error}`;
  const name = String(error.name);
  return /^[A-Za-z]{1,40}$/.test(name) ? `threw ${name}` : 'threw an error';
}

/** Makes the signal when a hook reads it: most never do. */
class Context implements HookContext {
  #controller: AbortController | undefined;
  #reason: string | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: string): void {
    this.#reason = reason;
    this.#controller?.abort(new DOMException(reason, 'AbortError'));
  }
}
