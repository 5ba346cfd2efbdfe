/**
 * The log level of a legacy session. A session of one caller has that caller's level; on a shared one the most verbose
 * level that a caller asked for is set, and the relay filters for the others.
 * @module
 */
import type { Caller } from '../../../src/core/caller.ts';
import { isLogLevel, LOG_LEVELS } from '../../../src/core/log-level.ts';

export class LogLevels {
  readonly #asked = new Map<string, string>();
  #current: string | undefined;

  /** The level to set before a request of this caller, or `undefined` when the session has it already. */
  change(caller: Caller): string | undefined {
    const { key, era, logLevel } = caller;
    if (!isLogLevel(logLevel)) return undefined;
    const before = this.#asked.get(key);
    if (before !== logLevel) {
      // Modern callers state a level per request. Going back and forth between two would cost a round trip each time,
      // and messages below a request's own level are dropped on the way anyway.
      if (era === 'modern' && before !== undefined && rank(before) < rank(logLevel)) return undefined;
      this.#asked.set(key, logLevel);
    }
    return this.#update();
  }

  /** The caller is gone. Returns the level to set now, if another one. */
  forget(callerKey: string): string | undefined {
    return this.#asked.delete(callerKey) && this.#asked.size > 0 ? this.#update() : undefined;
  }

  /** Setting a level failed: the next request that needs it tries again. */
  unset(): void {
    this.#current = undefined;
  }

  #update(): string | undefined {
    let most: string | undefined;
    for (const level of this.#asked.values()) if (most === undefined || rank(level) < rank(most)) most = level;
    if (most === this.#current) return undefined;
    this.#current = most;
    return most;
  }
}

const rank = (level: string): number => LOG_LEVELS.indexOf(level);
