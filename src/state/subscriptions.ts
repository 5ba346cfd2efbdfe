/**
 * Who listens to which topic of a bus. A listener that fails is logged and disturbs no other.
 * @module
 */
import { Listeners } from '../core/listeners.ts';
import type { Log } from '../core/log.ts';
import type { BusListener, JsonValue } from './state.ts';

export class Subscriptions {
  readonly #log: Log;
  readonly #topics = new Map<string, Listeners<Parameters<BusListener>>>();

  constructor(log: Log) {
    this.#log = log;
  }

  add(topic: string, listener: BusListener): () => void {
    const listeners = this.#topics.get(topic) ?? new Listeners(this.#log);
    this.#topics.set(topic, listeners);
    const remove = listeners.add(listener);
    return () => {
      remove();
      if (listeners.size === 0) this.#topics.delete(topic);
    };
  }

  deliver(topic: string, message: JsonValue, from: string): void {
    this.#topics.get(topic)?.emit(message, from);
  }
}
