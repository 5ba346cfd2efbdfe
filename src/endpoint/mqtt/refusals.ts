/**
 * Logs what the MQTT endpoint refuses, a line every few seconds at most: a client that may publish could fill the log otherwise.
 * @module
 */
import type { Log } from '../../core/log.ts';
import { shorten } from '../../core/text.ts';
import { visibleText } from '../../core/visible.ts';

const EVERY_MS = 10_000;

export class Refusals {
  readonly #log: Log;
  #loggedAt = Number.NEGATIVE_INFINITY;
  #left = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** `what` may hold what others wrote. */
  note(what: string): void {
    const now = performance.now();
    if (now - this.#loggedAt < EVERY_MS) {
      this.#left++;
      return;
    }
    this.#log.warn(
      { refused: shorten(visibleText(what), 300), others: this.#left },
      'The MQTT endpoint refuses something.',
    );
    this.#loggedAt = now;
    this.#left = 0;
  }
}
