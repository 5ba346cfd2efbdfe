/**
 * Keeps one server connected: attempts with a deadline, jittered exponential pauses between them, a new attempt when the
 * connection is lost. Knows nothing of catalogs or names.
 *
 * `idle → attempting → up → waiting → attempting → …`, and `stopped` from anywhere, for good.
 * @module
 */

import { backoffMs } from '../../core/backoff.ts';
import { withDeadline } from '../../core/deadline.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Upstream } from '../../core/upstream.ts';
import type { Timing } from './timing.ts';

export interface LifecycleOptions {
  connectTimeoutMs: number;
  timing: Timing;
  /** Resolves when an attempt may begin, with a function to call when it is over. Waiting is not connect time. */
  slot?: ((signal: AbortSignal) => Promise<() => void>) | undefined;
  /** One attempt to connect. */
  open(signal: AbortSignal, events: AttemptEvents): Promise<Upstream>;
  onUp(upstream: Upstream): void;
  /**
   * An attempt failed or a connection was lost; the next attempt is already scheduled. `atOnce`: it begins now, because the
   * lost connection was of use.
   */
  onAway(reason: unknown, atOnce: boolean): void;
}

export interface AttemptEvents {
  /** May be called once, also before the attempt has succeeded. */
  onDown(reason: Error): void;
  /** The server is still starting: the connect time begins anew, up to {@link MAX_TIMES} times itself. */
  onStarting(): void;
}

/** A server that shows life while it starts may take this many times its connect time. */
const MAX_TIMES = 5;

type Phase = 'idle' | 'attempting' | 'up' | 'waiting' | 'stopped';

export class Lifecycle {
  readonly #options: LifecycleOptions;
  #phase: Phase = 'idle';
  /** Identifies the attempt and its connection: events of older ones are ignored. */
  #attempt = new AbortController();
  #upstream: Upstream | undefined;
  #upSince = 0;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #retryAt = 0;
  #endedAt = 0;
  /** The attempt under way began before something changed that may have made it succeed. */
  #isOutdated = false;
  /** Attempts and upstreams that are still ending. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#phase === 'idle') this.#connect();
  }

  /** Milliseconds until it makes sense to try again, or undefined when no attempt is running or due. */
  retryAfterMs(): number | undefined {
    if (this.#phase === 'attempting') return this.#options.timing.attemptHintMs;
    return this.#phase === 'waiting' ? Math.max(1, Math.ceil(this.#retryAt - performance.now())) : undefined;
  }

  /**
   * Call when a request needs the server: starts the next attempt now, unless the last one ended less than `nudgeAfterMs`
   * ago. So a server that dies at once is not started more often than that.
   */
  nudge(): void {
    if (this.#phase !== 'waiting' || performance.now() - this.#endedAt < this.#options.timing.nudgeAfterMs) return;
    this.#connect();
  }

  /** What made attempts fail is gone: starts one now, or again where one is under way. */
  again(): void {
    if (this.#phase !== 'waiting' && this.#phase !== 'attempting') return;
    this.#failures = 0;
    if (this.#phase === 'waiting') this.#connect();
    else this.#isOutdated = true;
  }

  /** Ends everything. Resolves when it has ended or the time for it is over. */
  async stop(): Promise<void> {
    this.#phase = 'stopped';
    clearTimeout(this.#timer);
    this.#attempt.abort(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'The server was removed.'));
    if (this.#upstream) this.#retire(this.#upstream);
    this.#upstream = undefined;
    const ended = async (): Promise<void> => {
      // Closing one may reveal another: an attempt that succeeds after all is closed too.
      while (this.#ending.size > 0) await Promise.all(this.#ending);
    };
    const { closeMs } = this.#options.timing;
    await withDeadline(ended, { ms: closeMs, timeout: () => new Error('closing took too long') }).catch(() => {});
  }

  #connect(): void {
    clearTimeout(this.#timer);
    this.#phase = 'attempting';
    this.#isOutdated = false;
    const attempt = new AbortController();
    this.#attempt = attempt;
    const { slot } = this.#options;
    if (slot === undefined) this.#begin(attempt);
    else {
      // Rejects only when the server is removed.
      slot(attempt.signal).then(
        (release) => this.#begin(attempt, release),
        () => {},
      );
    }
  }

  #begin(attempt: AbortController, release: () => void = () => {}): void {
    const { connectTimeoutMs: ms, open } = this.#options;
    const work = (signal: AbortSignal, restart: () => void): Promise<Upstream> => {
      const opening = open(signal, { onDown: (reason) => this.#down(attempt, reason), onStarting: restart });
      this.#track(
        opening.then(
          () => {},
          () => {},
        ),
      );
      return opening;
    };
    withDeadline(work, {
      ms,
      maxMs: ms * MAX_TIMES,
      timeout: (afterMs) => new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', notInTime(afterMs, afterMs > ms)),
      signal: attempt.signal,
      late: (upstream) => this.#retire(upstream),
    }).then(
      (upstream) => {
        release();
        this.#opened(attempt, upstream);
      },
      (error: unknown) => {
        release();
        if (this.#attempt === attempt && this.#phase === 'attempting') this.#away(error);
      },
    );
  }

  #opened(attempt: AbortController, upstream: Upstream): void {
    if (attempt.signal.aborted || this.#attempt !== attempt) {
      this.#retire(upstream);
      if (this.#attempt === attempt && this.#phase === 'attempting') this.#away(attempt.signal.reason);
      return;
    }
    this.#phase = 'up';
    this.#upstream = upstream;
    this.#upSince = performance.now();
    try {
      this.#options.onUp(upstream);
    } catch (error) {
      this.#down(attempt, error instanceof Error ? error : new Error(String(error)));
    }
  }

  #down(attempt: AbortController, reason: Error): void {
    if (this.#attempt !== attempt) return;
    if (this.#phase === 'attempting') {
      attempt.abort(reason);
    } else if (this.#phase === 'up') {
      // Some servers end after every answer: each connection that was of use is followed by the next one at once.
      const useful = this.#upstream?.answered === true;
      if (useful || performance.now() - this.#upSince >= this.#options.timing.stableMs) this.#failures = 0;
      if (this.#upstream) this.#retire(this.#upstream);
      this.#upstream = undefined;
      this.#away(reason, useful);
    }
  }

  #away(reason: unknown, atOnce = false): void {
    const now = performance.now();
    const pause = atOnce || this.#isOutdated ? 0 : backoffMs(this.#failures++, this.#options.timing);
    this.#phase = 'waiting';
    this.#endedAt = now;
    this.#retryAt = now + pause;
    this.#timer = setTimeout(() => this.#connect(), pause);
    this.#timer.unref();
    this.#options.onAway(reason, atOnce);
  }

  #retire(upstream: Upstream): void {
    this.#track(upstream.close().catch(() => {}));
  }

  #track(ending: Promise<void>): void {
    this.#ending.add(ending);
    void ending.then(() => this.#ending.delete(ending));
  }
}

const notInTime = (ms: number, isCeiling: boolean): string =>
  isCeiling
    ? `it did not connect within ${ms} ms, although it kept writing to stderr (${MAX_TIMES} times connectTimeoutMs)`
    : `it did not connect within ${ms} ms (connectTimeoutMs)`;
