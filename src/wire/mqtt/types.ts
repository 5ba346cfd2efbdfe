/**
 * What a connection to an MQTT broker takes and gives.
 * @module
 */
import type { IPublishPacket, UserProperties } from 'mqtt-packet';
import type { NetworkGuard } from '../../core/adapter.ts';
import type { BrokerLogin, MqttVersion } from '../../core/broker.ts';
import type { SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';

/** Properties of a message (MQTT 5, 3.3.2.3). `correlationData` is a Buffer, `messageExpiryInterval` whole seconds. */
export type MessageProperties = NonNullable<IPublishPacket['properties']>;
export type { UserProperties };

export interface BrokerMessage {
  readonly topic: string;
  readonly payload: Buffer;
  /** The broker had kept the message: it is older than the subscription. */
  readonly retain: boolean;
  /** The broker may have delivered it before. */
  readonly dup: boolean;
  /** Undefined with MQTT 3.1.1. */
  readonly properties: MessageProperties | undefined;
  /** The payload was longer than `maxPayloadBytes`: this is its beginning and, right behind it, its end (512 bytes each). */
  readonly truncated: boolean;
}

export interface Will {
  topic: string;
  payload: string | Buffer;
  qos?: 0 | 1;
  retain?: boolean;
  userProperties?: UserProperties;
}

export interface BrokerOptions {
  /** The server's name, for messages. */
  name: string;
  /** `mqtt:`, `mqtts:`, `ws:` or `wss:`; a user and a password in it are not used. */
  url: URL;
  login: BrokerLogin;
  /** Sent with the request that opens a WebSocket. */
  headers?: Readonly<Record<string, string>>;
  version?: MqttVersion;
  /** Undefined: that of the login, or one that is made up. Two connections with one id push each other out. */
  clientId?: string | undefined;
  keepaliveSeconds?: number;
  /** Published by the broker when the connection ends otherwise than by `close`. */
  will?: Will | undefined;
  /** Of the CONNECT packet (MQTT 5). */
  userProperties?: UserProperties | undefined;
  /** Longer payloads are truncated and marked so. */
  maxPayloadBytes: number;
  guard?: NetworkGuard | undefined;
  log: Log;
  /** Ends the attempt to connect; later it has no effect. */
  signal: AbortSignal;
  /** The connection is lost: once, and never after `close`. Publications that wait were rejected before. */
  onLost(reason: SwitchboardError): void;
}

export interface SubscribeOptions {
  /** Default: 1. */
  qos?: 0 | 1;
  /** Not what this very connection publishes (MQTT 5 only). */
  noLocal?: boolean;
}

export interface PublishOptions {
  /** Default: 1. */
  qos?: 0 | 1;
  retain?: boolean;
  /** Left out with MQTT 3.1.1, which has none. */
  properties?: MessageProperties | undefined;
}

/** Watches over one message that is published. Both members are called at most once. */
export interface Publication {
  /** Just before the message is written. False: its sender does not want it any more, it is dropped, and `published` is not called. */
  leaves?(): boolean;
  /**
   * The message was acknowledged (QoS 0: written), or it was not and `failure` says why. `reasonCode` is the broker's,
   * of which {@link NO_SUBSCRIBERS} is a success.
   */
  published(failure: SwitchboardError | undefined, reasonCode: number): void;
}

/**
 * MQTT 5, 3.4.2.1: the message was accepted, and no client had subscribed. A hint, no proof: a subscriber that may not read
 * the topic hides it, and MQTT 3.1.1 does not tell.
 */
export const NO_SUBSCRIBERS = 0x10;

/** MQTT 5, 3.4.2.1: a message is larger than the other side takes. */
export const TOO_LARGE = 0x95;
