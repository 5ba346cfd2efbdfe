/**
 * The bus over the event log: a message is an event of one topic, and touching a file wakes the other processes. Where
 * file systems do not report changes, they look once a second.
 * @module
 */
import { type FSWatcher, utimesSync, watch } from 'node:fs';
import type { Log } from '../../core/log.ts';
import { MemoryBus } from '../memory/memory-state.ts';
import type { ReplicaId } from '../replica.ts';
import type { Bus, BusListener, JsonValue } from '../state.ts';

import { createPrivate } from './database.ts';
import type { SqliteEventLog } from './events.ts';

const TOPIC = 'bus';
const LOOK_EVERY_MS = 1_000;

export class SqliteBus implements Bus {
  readonly #events: SqliteEventLog;
  readonly #replica: ReplicaId;
  readonly #signal: string;
  readonly #log: Log;
  readonly #local: MemoryBus;
  readonly #outgoing: { topic: string; message: JsonValue; from: ReplicaId }[] = [];
  #sending: Promise<void> | undefined;
  #last: number;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(events: SqliteEventLog, replica: ReplicaId, signal: string, log: Log) {
    this.#events = events;
    this.#replica = replica;
    this.#signal = signal;
    this.#log = log;
    this.#local = new MemoryBus(replica, log);
    this.#last = events.lastId(TOPIC);
    createPrivate(signal);
  }

  publish(topic: string, message: JsonValue): void {
    this.#outgoing.push({ topic, message: structuredClone(message), from: this.#replica });
    this.#sending ??= this.#send();
  }

  /** One after the other: a message that waits for another process's lock must not be overtaken by a later one. */
  async #send(): Promise<void> {
    for (let event = this.#outgoing.shift(); event; event = this.#outgoing.shift()) {
      try {
        await this.#events.append(TOPIC, event);
        this.#look();
        const now = new Date();
        utimesSync(this.#signal, now, now);
      } catch (error) {
        this.#log.warn({ err: error }, 'A message to other gateways could not be sent.');
      }
    }
    this.#sending = undefined;
  }

  subscribe(topic: string, listener: BusListener): () => void {
    this.#start();
    return this.#local.subscribe(topic, listener);
  }

  /** The log keeps more messages than are sent between two looks. */
  onGap(): () => void {
    return () => {};
  }

  close(): void {
    clearInterval(this.#timer);
    this.#watcher?.close();
  }

  #start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
    try {
      this.#watcher = watch(this.#signal, { persistent: false }, () => this.#look());
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch (error) {
      this.#log.debug({ err: error }, 'Messages of other gateways are looked for once a second.');
    }
  }

  #look(): void {
    try {
      for (const { id, event } of this.#events.readNow(TOPIC, this.#last).events) {
        this.#last = id;
        const { topic, message, from } = event as { topic: string; message: JsonValue; from: ReplicaId };
        this.#local.deliver(topic, message, from);
      }
    } catch (error) {
      this.#log.warn({ err: error }, 'Messages of other gateways could not be read.');
    }
  }
}
