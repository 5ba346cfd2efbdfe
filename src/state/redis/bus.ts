/**
 * The bus over Redis: a channel that every replica hears, and one of each replica for what is meant for it alone. Messages
 * reach subscribers of the same process without Redis.
 * @module
 */
import { Listeners } from '../../core/listeners.ts';
import type { Log } from '../../core/log.ts';
import { Quiet } from '../../core/quiet.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { MemoryBus } from '../memory/memory-state.ts';
import type { ReplicaId } from '../replica.ts';
import type { Bus, BusListener, JsonValue } from '../state.ts';
import type { RedisConnection } from './connection.ts';

export interface RedisBusOptions {
  commands: RedisConnection;
  messages: RedisConnection;
  prefix: string;
  replica: ReplicaId;
  log: Log;
}

const OF_A_REPLICA = /^replica:([\w-]+)$/;

export class RedisBus implements Bus {
  readonly #commands: RedisConnection;
  readonly #messages: RedisConnection;
  readonly #prefix: string;
  readonly #replica: ReplicaId;
  readonly #log: Log;
  readonly #local: MemoryBus;
  readonly #gaps: Listeners<[]>;
  readonly #quiet = new Quiet();

  constructor({ commands, messages, prefix, replica, log }: RedisBusOptions) {
    this.#commands = commands;
    this.#messages = messages;
    this.#prefix = prefix;
    this.#replica = replica;
    this.#log = log;
    this.#local = new MemoryBus(replica, log);
    this.#gaps = new Listeners(log);
    // The client of a cluster subscribes again by itself, at whichever node it chooses.
    messages.onRecovered(() => (messages.client.isCluster ? this.#gaps.emit() : void this.#subscribeAgain()));
    messages.client.on('message', (_channel: string, text: string) => this.#heard(text));
  }

  /** Resolves when messages of other replicas arrive. */
  async open(): Promise<void> {
    await this.#messages.run((client) => client.subscribe(this.#channel(), this.#channel(this.#replica)));
  }

  /** Never rejects: where this connection has ended too, the next one subscribes. */
  async #subscribeAgain(): Promise<void> {
    try {
      await this.open();
      // What is read again now misses nothing that is published later.
      this.#gaps.emit();
    } catch (error) {
      this.#log.debug({ err: error }, 'Messages of other replicas do not arrive until Redis is reached again.');
    }
  }

  publish(topic: string, message: JsonValue): void {
    const to = OF_A_REPLICA.exec(topic)?.[1];
    if (to === undefined || to === this.#replica) this.#local.publish(topic, message);
    if (to === this.#replica) return;
    const text = JSON.stringify([this.#replica, topic, message]);
    this.#commands.tell(
      (client) => client.publish(this.#channel(to), text),
      (problem) => this.#log.warn({ problem }, 'A message to other replicas could not be sent.'),
    );
  }

  subscribe(topic: string, listener: BusListener): () => void {
    return this.#local.subscribe(topic, listener);
  }

  onGap(listener: () => void): () => void {
    return this.#gaps.add(listener);
  }

  #channel(replica?: ReplicaId): string {
    return `${this.#prefix}bus${replica === undefined ? '' : `:${replica}`}`;
  }

  #heard(text: string): void {
    try {
      const [from, topic, message] = JSON.parse(text) as [ReplicaId, string, JsonValue];
      if (from !== this.#replica && !isObject(topic)) this.#local.deliver(topic, message, from);
    } catch (error) {
      // Others may publish there as often as they like.
      const skipped = this.#quiet.skippedBefore('odd');
      const more = skipped ? { alsoLeftOut: skipped } : {};
      if (skipped !== undefined) this.#log.warn({ err: error, ...more }, 'A message on the bus is none of a replica.');
    }
  }
}
