/**
 * What the published package needs of an MQTT client, over the `mqtt` package: its own client library is not public. Done as
 * a careful user would: listeners before the connection, TCP_NODELAY, the will, expiry of calls.
 * @module
 */
import { Socket } from 'node:net';
import { connect as connectMqtt, type IClientOptions, type IClientPublishOptions, type MqttClient } from 'mqtt';
import type { IPublishPacket } from 'mqtt-packet';

type Callback = (topic: string, payload: Buffer, packet: IPublishPacket) => void;

export interface Handle {
  transmit(topic: string, message: string, options?: IClientPublishOptions): Promise<void>;
  subscribe(filter: string, options?: { qos?: 0 | 1; callback?: Callback }): Promise<unknown>;
  unsubscribe(filter: string): Promise<unknown>;
  disconnect(force?: boolean): Promise<void>;
  isConnected(): boolean;
  /** Whether `disconnect` was called: what is sent then is refused. */
  isEnded(): boolean;
  /** Topics of the messages that have come since it connected, those that the broker had kept for it included. */
  readonly received: readonly string[];
  readonly client: MqttClient;
}

export async function connectHandle(url: string, options: IClientOptions = {}): Promise<Handle> {
  const client = connectMqtt(url, { protocolVersion: 5, reconnectPeriod: 50, manualConnect: true, ...options });
  const callbacks: { levels: string[]; callback: Callback }[] = [];
  const received: string[] = [];
  client.on('message', (topic, payload, packet) => {
    received.push(topic);
    const levels = topic.split('/');
    for (const { levels: filter, callback } of callbacks) if (fits(filter, levels)) callback(topic, payload, packet);
  });
  client.on('connect', () => {
    const { stream } = client;
    if (stream instanceof Socket) stream.setNoDelay(true);
  });
  const connected = new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
  });
  client.connect();
  await connected;
  let ended = false;
  return {
    client,
    received,
    async transmit(topic, message, given = {}) {
      const { properties } = given;
      const correlationData = properties?.correlationData;
      await client.publishAsync(topic, message, {
        ...given,
        ...(options.protocolVersion === 4
          ? { properties: undefined as never }
          : {
              properties: {
                contentType: 'application/json',
                ...properties,
                ...(correlationData ? { correlationData: Buffer.from(correlationData) } : {}),
              },
            }),
      });
    },
    async subscribe(filter, { qos = 1, callback } = {}) {
      if (callback) callbacks.push({ levels: filter.replace(/^\$share\/[^/]+\//, '').split('/'), callback });
      return client.subscribeAsync(filter, { qos });
    },
    unsubscribe: (filter) => client.unsubscribeAsync(filter),
    disconnect(force = false) {
      ended = true;
      return client.endAsync(force);
    },
    isConnected: () => client.connected,
    isEnded: () => ended,
  };
}

const fits = (filter: readonly string[], topic: readonly string[]): boolean =>
  filter.length === topic.length && filter.every((level, index) => level === '+' || level === topic[index]);
