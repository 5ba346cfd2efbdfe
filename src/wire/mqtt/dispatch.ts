/**
 * Gives the messages of a broker to the listeners of their topics. What arrives before there is a listener is kept for a
 * while: a broker may send messages right behind its CONNACK.
 * @module
 */
import type { BrokerMessage } from './types.ts';

export type MessageListener = (message: BrokerMessage) => void;

const KEPT_MESSAGES = 64;

interface Pattern {
  levels: readonly string[];
  listener: MessageListener;
}

export class Dispatch {
  readonly #byTopic = new Map<string, Set<MessageListener>>();
  readonly #patterns = new Set<Pattern>();
  readonly #maxKeptBytes: number;
  /** Undefined: nothing is kept any more. */
  #kept: BrokerMessage[] | undefined = [];

  constructor(maxKeptBytes: number) {
    this.#maxKeptBytes = maxKeptBytes;
  }

  /** Calls `listener` with what matches the filter, beginning with what was kept. Returns a way to stop. */
  add(filter: string, listener: MessageListener): () => void {
    const remove = this.#add(unshared(filter), listener);
    const kept = this.#kept ?? [];
    const [fitting, others] = [true, false].map((fits) =>
      kept.filter(({ topic }) => matches(unshared(filter), topic) === fits),
    );
    if (this.#kept) this.#kept = others;
    for (const message of fitting ?? []) listener(message);
    return remove;
  }

  #add(filter: string, listener: MessageListener): () => void {
    if (/[+#]/.test(filter)) {
      const pattern = { levels: filter.split('/'), listener };
      this.#patterns.add(pattern);
      return () => void this.#patterns.delete(pattern);
    }
    const ofTopic = this.#byTopic.get(filter) ?? new Set();
    this.#byTopic.set(filter, ofTopic);
    ofTopic.add(listener);
    return () => {
      if (ofTopic.delete(listener) && ofTopic.size === 0) this.#byTopic.delete(filter);
    };
  }

  deliver(message: BrokerMessage): void {
    let found = false;
    for (const listener of this.#byTopic.get(message.topic) ?? []) {
      found = true;
      listener(message);
    }
    if (this.#patterns.size > 0) {
      const levels = message.topic.split('/');
      for (const pattern of this.#patterns) {
        if (!levelsMatch(pattern.levels, levels)) continue;
        found = true;
        pattern.listener(message);
      }
    }
    if (!found) this.#keep(message);
  }

  /** From now on, messages without a listener are dropped. */
  stopKeeping(): void {
    this.#kept = undefined;
  }

  #keep(message: BrokerMessage): void {
    if (!this.#kept) return;
    const bytes = this.#kept.reduce((sum, { payload }) => sum + payload.length, message.payload.length);
    if (this.#kept.length < KEPT_MESSAGES && bytes <= this.#maxKeptBytes) this.#kept.push(message);
  }
}

/** The filter behind `$share/<group>/`: messages have its topics. */
const unshared = (filter: string): string =>
  filter.startsWith('$share/') ? filter.replace(/^\$share\/[^/]*\//, '') : filter;

export const matches = (filter: string, topic: string): boolean => levelsMatch(filter.split('/'), topic.split('/'));

/** MQTT 5, 4.7. A wildcard in the first level does not match topics that begin with `$`. */
function levelsMatch(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0]?.startsWith('$') && (filter[0] === '#' || filter[0] === '+')) return false;
  for (const [index, level] of filter.entries()) {
    if (level === '#') return true;
    if (index >= topic.length || (level !== '+' && level !== topic[index])) return false;
  }
  return filter.length === topic.length;
}
