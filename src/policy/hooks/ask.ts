/**
 * Asks one hook. Whatever it does (throws, never answers, answers late, answers nonsense) comes back as a value, so that
 * nothing a hook does can reject where nobody listens. An answer that comes at once is given back at once.
 * @module
 */
import { type HookReply, InvalidAnswer, readAnswer } from './answers.ts';
import type { HookContext, HookInput } from './contract.ts';
import { NotJson } from './json.ts';
import type { LoadedHook } from './load.ts';

/** Why there is no answer. Says nothing of what the hook was given or threw. */
export interface Failure {
  effect: 'failed';
  problem: 'threw' | 'timeout' | 'invalid' | 'ended';
  detail: string;
}

/** The call a hook is asked about: a hook need not go on once it has ended. */
export interface EndingCall {
  onAbort(listener: (reason: Error) => void): () => void;
}

export type Asked = HookReply | Failure;

/**
 * @param show makes what the hook is given; what it throws counts as the hook's failure
 * @param originalBytes see {@link readAnswer}
 */
export function ask(
  loaded: LoadedHook,
  show: () => HookInput,
  originalBytes: () => number,
  call: EndingCall | undefined,
): Asked | Promise<Asked> {
  const context = new Context();
  const read = (shown: HookInput, answer: unknown): Asked => {
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
  read: (value: unknown) => Asked,
): Promise<Asked> {
  return new Promise((resolve) => {
    let stopListening: (() => void) | undefined;
    let done = false;
    const finish = (asked: Asked): void => {
      done = true;
      clearTimeout(timer);
      stopListening?.();
      resolve(asked);
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
    // An ended call is told of at once, before there was anything to stop.
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

/** The class of what was thrown. Its message may hold arguments and results: `JSON.parse` quotes what it could not read. */
function kindOfError(error: unknown): string {
  if (!(error instanceof Error)) return `threw a ${typeof error}`;
  const name = String(error.name);
  return /^[A-Za-z]{1,40}$/.test(name) ? `threw ${name}` : 'threw an error';
}

/** The signal is made when a hook asks for it: most never do. */
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
