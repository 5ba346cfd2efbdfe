/**
 * One connection to an MQTT broker, from CONNACK to its end. It is never resumed: what was not acknowledged is not sent
 * again, because a call must not run twice. The caller opens another connection where it wants one.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MqttClient } from 'mqtt';
import type { IConnackPacket, Packet } from 'mqtt-packet';
import { within } from '../../core/deadline.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { type Linked, LinkedList } from '../../core/linked-list.ts';
import { Dispatch, type MessageListener } from './dispatch.ts';
import { type BoundedFrames, edgesOf } from './frames.ts';
import { refusal, unreachable } from './reasons.ts';
import {
  type BrokerMessage,
  type BrokerOptions,
  type Publication,
  type PublishOptions,
  type SubscribeOptions,
  TOO_LARGE,
} from './types.ts';

/** How long `close` waits for acknowledgements and for the broker to take its leave. */
const CLOSE_MS = 1_000;
/** How long messages without a listener are kept after CONNACK. */
const KEEP_EARLY_MS = 5_000;
/** Unacknowledged messages at one time, however many the broker would take. */
const MOST_IN_FLIGHT = 8_192;
/** Room for topic and properties beside a payload, in the size the broker allows a packet. */
const PACKET_OVERHEAD = 2_048;
const SESSION_TAKEN_OVER = 0x8e;

/** A message that waits until the broker may be sent another one. */
interface Waiting extends Linked<Waiting> {
  topic: string;
  payload: string | Buffer;
  options: PublishOptions;
  publication: Publication | undefined;
}

export class BrokerConnection {
  readonly name: string;
  readonly clientId: string;
  readonly mqtt: '5' | '3.1.1';
  /** Properties of the CONNACK packet. */
  readonly granted: NonNullable<IConnackPacket['properties']>;
  readonly #client: MqttClient;
  readonly #options: BrokerOptions;
  readonly #dispatch: Dispatch;
  readonly #frames: BoundedFrames;
  readonly #window: number;
  readonly #maxPacketBytes: number;
  readonly #waiting = new LinkedList<Waiting>();
  readonly #early: NodeJS.Timeout;
  #inFlight = 0;
  /** Of the acknowledgement that is being read. */
  #reasonCode = 0;
  #ended: SwitchboardError | undefined;
  #closing: Promise<void> | undefined;

  constructor(client: MqttClient, connack: IConnackPacket, frames: BoundedFrames, options: BrokerOptions) {
    this.name = options.name;
    this.clientId = client.options.clientId ?? '';
    this.mqtt = client.options.protocolVersion === 5 ? '5' : '3.1.1';
    this.granted = connack.properties ?? {};
    this.#client = client;
    this.#options = options;
    this.#frames = frames;
    this.#dispatch = new Dispatch(options.maxPayloadBytes);
    this.#window = Math.min(this.granted.receiveMaximum ?? MOST_IN_FLIGHT, MOST_IN_FLIGHT);
    this.#maxPacketBytes = this.granted.maximumPacketSize ?? 268_435_455;
    this.#early = setTimeout(() => this.#dispatch.stopKeeping(), KEEP_EARLY_MS);
    this.#early.unref();
  }

  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /** Messages that match `filter` go to `listener`, if the broker sends them: see {@link subscribe}. */
  on(filter: string, listener: MessageListener): () => void {
    return this.#dispatch.add(filter, listener);
  }

  /**
   * Asks the broker for messages that match a filter (`$share/<group>/<filter>` for a part of them). Listeners are added
   * before, with {@link on}. Rejects when the broker refuses. One that grants it need not keep its word: Mosquitto's
   * `acl_file` drops the messages instead.
   */
  async subscribe(filter: string, { qos = 1, noLocal = false }: SubscribeOptions = {}): Promise<void> {
    this.#requireOpen();
    const nl = noLocal && this.mqtt === '5' ? { nl: true } : {};
    await new Promise<void>((resolve, reject) => {
      this.#client.subscribe(filter, { qos, ...nl }, (error, _granted, packet) => {
        if (!error) resolve();
        else reject(this.#ended ?? this.#refusedSubscription(error, packet?.granted[0]));
      });
    });
  }

  #refusedSubscription(error: Error, granted: unknown): SwitchboardError {
    if (typeof granted !== 'number') return unreachable(this.name, error);
    // MQTT 3.1.1 has one code for every refusal, and nearly all of them mean this.
    return refusal(this.name, 'subscribe', granted === 0x80 && this.mqtt === '3.1.1' ? 135 : granted);
  }

  /** Ends a subscription. Its success is not waited for; listeners stay. */
  unsubscribe(filter: string): void {
    if (this.isOpen) this.#client.unsubscribe(filter, () => {});
  }

  /**
   * Publishes a message, now or as soon as the broker may be sent another one. Never throws: `publication` learns what
   * became of it, maybe before this returns.
   */
  publish(topic: string, payload: string | Buffer, options: PublishOptions = {}, publication?: Publication): void {
    if (this.#ended) publication?.published(this.#ended, 0);
    else if (!isTopic(topic)) publication?.published(refusal(this.name, 'publish', 144), 144);
    else if (Buffer.byteLength(payload) + PACKET_OVERHEAD > this.#maxPacketBytes) {
      publication?.published(refusal(this.name, 'publish', TOO_LARGE), TOO_LARGE);
    } else if (options.qos !== 0 && this.#inFlight >= this.#window) {
      this.#waiting.append({ topic, payload, options, publication, previous: undefined, next: undefined });
    } else this.#send(topic, payload, options, publication);
  }

  /** A published message, as a promise. Rejects as `publication` would fail; resolves with the broker's reason code. */
  published(topic: string, payload: string | Buffer, options?: PublishOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      const published = (failure: SwitchboardError | undefined, reasonCode: number): void =>
        failure ? reject(failure) : resolve(reasonCode);
      this.publish(topic, payload, options, { published });
    });
  }

  #send(topic: string, payload: string | Buffer, options: PublishOptions, publication: Publication | undefined): void {
    if (publication?.leaves?.() === false) return;
    const { qos = 1, retain = false, properties } = options;
    if (qos === 1) this.#inFlight++;
    const settle = (error: unknown): void => {
      if (qos === 1) this.#inFlight--;
      const code = (error as { code?: unknown } | null)?.code;
      if (typeof code === 'number') publication?.published(refusal(this.name, 'publish', code), code);
      else if (error) publication?.published(this.#ended ?? unreachable(this.name, error), 0);
      else publication?.published(undefined, qos === 1 ? this.#reasonCode : 0);
      this.#sendWaiting();
    };
    this.#client.publish(topic, payload, { qos, retain, ...(properties ? { properties } : {}) }, settle);
  }

  #sendWaiting(): void {
    while (this.isOpen && this.#inFlight < this.#window) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#send(next.topic, next.payload, next.options, next.publication);
    }
  }

  /** Ends the connection in order: the broker does not publish the will. Bounded in time; never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#ended) return;
    clearTimeout(this.#early);
    const ended = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${this.name}' was disconnected.`);
    this.#ended = ended;
    this.#failWaiting(ended);
    const over = AbortSignal.timeout(CLOSE_MS);
    // The client takes its leave only when everything is acknowledged.
    while (this.#inFlight > 0 && !over.aborted && this.#client.connected) await sleep(5);
    if (this.#inFlight === 0) {
      const leave = new Promise<void>((resolve) => this.#client.end(false, {}, () => resolve()));
      await within(leave, CLOSE_MS, () => undefined);
    }
    this.#destroy();
  }

  /** Ends the connection as if it had been lost, with this reason. */
  fail(reason: SwitchboardError): void {
    if (this.#ended) return;
    this.#ended = reason;
    clearTimeout(this.#early);
    this.#failWaiting(reason);
    this.#destroy();
    this.#options.onLost(reason);
  }

  /** Publications in flight are failed by the client, with what it calls "Connection closed". */
  #destroy(): void {
    this.#client.end(true, () => {});
    this.#client.stream?.destroy();
  }

  #failWaiting(reason: SwitchboardError): void {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      next.publication?.published(reason, 0);
    }
  }

  // Events of the client.

  /** Before the client handles a packet. */
  received(packet: Packet): void {
    if (packet.cmd === 'puback') this.#reasonCode = packet.reasonCode ?? 0;
    else if (packet.cmd === 'disconnect') {
      const code = packet.reasonCode ?? 0;
      if (code === SESSION_TAKEN_OVER) {
        this.#options.log.warn(
          { server: this.name, clientId: this.clientId },
          'another connection to the broker has the same client id',
        );
      }
      this.fail(code >= 0x80 ? lostBy(this.name, code) : unreachable(this.name, undefined));
    } else if (packet.cmd === 'publish') {
      const truncated = this.#frames.takeTruncated();
      const { topic, retain, dup, properties } = packet;
      const payload = packet.payload as Buffer;
      const { maxPayloadBytes } = this.#options;
      const tooLong = payload.length > maxPayloadBytes;
      this.#deliver({
        topic,
        payload: tooLong && !truncated ? edgesOf(payload) : payload,
        retain,
        dup,
        properties,
        truncated: truncated || tooLong,
      });
    }
  }

  #deliver(message: BrokerMessage): void {
    try {
      this.#dispatch.deliver(message);
    } catch (error) {
      this.#options.log.error({ server: this.name, err: error }, 'A message of the broker could not be handled.');
    }
  }

  lost(cause: unknown): void {
    this.fail(unreachable(this.name, cause));
  }

  #requireOpen(): void {
    if (this.#ended) throw this.#ended;
  }
}

/** A connection that the broker ended loses its calls, whatever the reason: none of them was refused. */
function lostBy(name: string, reasonCode: number): SwitchboardError {
  const { message, data } = refusal(name, 'connect', reasonCode);
  const words = message.slice(message.indexOf(': it ') + 2).replace(/\.$/, '');
  return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', unreachable(name, undefined, words).message, {
    data: { ...data, reason: 'unavailable' },
  });
}

/** MQTT 5, 4.7: wildcards and NUL stand in no topic, and the client ends the connection over one. */
const isTopic = (topic: string): boolean =>
  topic !== '' &&
  Buffer.byteLength(topic) <= 65_535 &&
  !topic.includes('+') &&
  !topic.includes('#') &&
  !topic.includes('\0');
