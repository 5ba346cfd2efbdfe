/**
 * Bounds work that may never end, whether or not it heeds a signal, and waits that end with their call.
 * @module
 */
import type { Call } from './call.ts';

export interface DeadlineOptions<T> {
  ms: number;
  /** With it the work can begin its time anew, and ends after this long at the latest. */
  maxMs?: number;
  /** What the caller gets when time runs out, after this many milliseconds: `ms` without a sign of life, or `maxMs`. */
  timeout(afterMs: number): Error;
  /** Ends the work early; its reason is what the caller gets. */
  signal?: AbortSignal;
  /** Receives the value of work that ended after the caller had gone. */
  late?(value: T): void;
}

/**
 * Settles with the work, its deadline or the outer signal, whichever comes first; the work's signal is then aborted.
 * `restart` begins the time anew.
 */
export function withDeadline<T>(
  work: (signal: AbortSignal, restart: () => void) => Promise<T>,
  { ms, maxMs, timeout, signal, late }: DeadlineOptions<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const controller = new AbortController();
    let settled = false;
    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      clearTimeout(timer);
      clearTimeout(ceiling);
      signal?.removeEventListener('abort', withdrawn);
      return true;
    };
    const giveUp = (reason: unknown): void => {
      if (!settle()) return;
      controller.abort(reason);
      reject(reason);
    };
    const withdrawn = (): void => giveUp(signal?.reason);
    const limit = (afterMs: number) => setTimeout(() => giveUp(timeout(afterMs)), afterMs).unref();
    const timer = limit(ms);
    const ceiling = maxMs === undefined ? undefined : limit(maxMs);
    const restart = (): void => {
      if (ceiling !== undefined && !settled) timer.refresh();
    };
    if (signal?.aborted) {
      withdrawn();
      return;
    }
    signal?.addEventListener('abort', withdrawn, { once: true });
    // Through a promise, so that work that throws at once is a rejection too.
    Promise.resolve()
      .then(() => work(controller.signal, restart))
      .then(
        (value) => {
          if (settle()) resolve(value);
          else late?.(value);
        },
        (error: unknown) => {
          if (settle()) reject(error);
        },
      );
  });
}

/** Settles as `work` does, or as `late` does when `ms` milliseconds are over; then the work goes on, and its outcome is ignored. */
export function within<T, L>(work: PromiseLike<T>, ms: number, late: () => L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      try {
        resolve(late());
      } catch (error) {
        reject(error);
      }
    }, ms);
    work.then(resolve, reject).then(() => clearTimeout(timer));
  });
}

/** Settles as `work` does, or rejects with the call's reason as soon as the call is aborted; then the outcome is ignored. */
export function untilAborted<T>(work: Promise<T>, call: Pick<Call, 'onAbort'>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = call.onAbort(reject);
    work.then(resolve, reject).finally(stop);
  });
}

/** Resolves after so many milliseconds, or rejects with the call's reason as soon as the call is aborted. */
export function pause(call: Pick<Call, 'onAbort'>, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      resolve();
    }, ms);
    const stop = call.onAbort((reason) => {
      clearTimeout(timer);
      reject(reason);
    });
  });
}
