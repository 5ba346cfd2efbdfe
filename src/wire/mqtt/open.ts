/**
 * Opens a connection to an MQTT broker: network guard, byte stream, CONNECT and CONNACK, and MQTT 3.1.1 where the broker
 * does not know MQTT 5.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { MqttClient, Store, UniqueMessageIdProvider } from 'mqtt';
import type { IConnackPacket, Packet } from 'mqtt-packet';
import { BROKER_DEFAULTS, BROKER_PROTOCOLS, portOf } from '../../core/broker.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { BrokerConnection } from './connection.ts';
import { BoundedFrames } from './frames.ts';
import { refusal, unreachable } from './reasons.ts';
import { type Certificates, hostOf, openStream, readCertificates } from './stream.ts';
import type { BrokerOptions } from './types.ts';

/** Topic and properties beside the longest payload. */
const FRAME_OVERHEAD = 65_536;
/** Where no signal ends the attempt before. */
const CONNACK_MS = 60_000;

/** Connects, or rejects with `SWB_UPSTREAM_AUTH`, `SWB_UPSTREAM_UNAVAILABLE`, `SWB_UPSTREAM_PROTOCOL` or `SWB_CONFIG`. */
export async function openBroker(options: BrokerOptions): Promise<BrokerConnection> {
  const { name, url, guard, login, signal, version = BROKER_DEFAULTS.version } = options;
  if (!BROKER_PROTOCOLS.has(url.protocol)) {
    throw new SwitchboardError(
      'SWB_CONFIG',
      `Server '${name}' needs the URL of an MQTT broker: mqtt, mqtts, ws or wss.`,
    );
  }
  signal.throwIfAborted();
  await guard?.check(asHttp(url));
  const certificates = await readCertificates(name, login);
  try {
    return await attempt(options, certificates, version === '3.1.1' ? 4 : 5);
  } catch (error) {
    if (version !== 'auto' || !isUnknownVersion(error)) throw error;
    await guard?.check(asHttp(url));
    return attempt(options, certificates, 4);
  }
}

/** What the network guard judges: host and port. */
function asHttp(url: URL): URL {
  const secure = url.protocol === 'mqtts:' || url.protocol === 'wss:';
  const host = hostOf(url);
  return new URL(`${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${portOf(url)}`);
}

const isUnknownVersion = (error: unknown): boolean =>
  error instanceof SwitchboardError && (error.data.reasonCode === 1 || error.data.reasonCode === 132);

function attempt(
  options: BrokerOptions,
  certificates: Certificates,
  protocolVersion: 4 | 5,
): Promise<BrokerConnection> {
  const { name, login, signal, maxPayloadBytes, userProperties, will } = options;
  const clientId = options.clientId ?? login.clientId ?? randomClientId();
  const { keepaliveSeconds = BROKER_DEFAULTS.keepaliveSeconds } = options;
  return new Promise((resolve, reject) => {
    let connection: BrokerConnection | undefined;
    let cause: unknown;
    let failed = false;
    let opened = false;
    const frames = new BoundedFrames(maxPayloadBytes + FRAME_OVERHEAD, protocolVersion === 5);
    const client = new MqttClient(
      () => {
        const stream = openStream(options, certificates, maxPayloadBytes + FRAME_OVERHEAD);
        // The client pipes the stream into its parser: what it reads passes here first.
        const pipe = stream.pipe.bind(stream);
        stream.pipe = (destination) => pipe(frames).pipe(destination);
        frames.on('error', (error) => stream.destroy(error));
        // The first error says most; the client hides those without a code.
        stream.on('error', (error) => {
          cause ??= error;
        });
        return stream;
      },
      {
        manualConnect: true,
        clientId,
        protocolVersion,
        keepalive: keepaliveSeconds,
        clean: true,
        reconnectPeriod: 0,
        resubscribe: false,
        connectTimeout: CONNACK_MS,
        messageIdProvider: new UniqueMessageIdProvider(),
        outgoingStore: new NothingKept(),
        ...(login.username === undefined ? {} : { username: login.username }),
        ...(login.password === undefined ? {} : { password: login.password }),
        ...(will ? { will: willPacket(will, protocolVersion) } : {}),
        ...(protocolVersion === 5 && userProperties ? { properties: { userProperties } } : {}),
      },
    );
    const fail = (error: SwitchboardError): void => {
      if (failed || opened) return;
      failed = true;
      signal.removeEventListener('abort', aborted);
      reject(error);
      client.end(true, () => {});
      client.stream?.destroy();
    };
    const aborted = (): void => {
      const { reason } = signal;
      fail(reason instanceof SwitchboardError ? reason : unreachable(name, reason, 'it did not answer in time'));
    };
    const broken = (error?: unknown): void => {
      cause ??= error;
      if (opened) connection?.lost(cause);
      else fail(unreachable(name, cause));
    };
    const onLost = (reason: SwitchboardError): void => (opened ? options.onLost(reason) : fail(reason));
    client.on('packetreceive', (packet: Packet) => {
      if (connection) connection.received(packet);
      else if (packet.cmd === 'connack') {
        const code = (protocolVersion === 5 ? packet.reasonCode : packet.returnCode) ?? 0;
        if (code !== 0) fail(refusal(name, 'connect', code));
        else if (!failed)
          connection = new BrokerConnection(client, packet as IConnackPacket, frames, { ...options, onLost });
      }
    });
    client.on('connect', () => {
      if (failed || !connection?.isOpen) return;
      opened = true;
      signal.removeEventListener('abort', aborted);
      resolve(connection);
    });
    client.on('error', broken);
    client.on('close', () => broken());
    signal.addEventListener('abort', aborted, { once: true });
    try {
      client.connect();
    } catch (error) {
      broken(error);
    }
  });
}

/** What was not acknowledged is never sent again, so it need not be kept. */
class NothingKept extends Store {
  override put(_packet: Packet, done?: (error?: Error) => void): this {
    done?.();
    return this;
  }

  override del(_packet: Packet, done: (error?: Error, packet?: Packet) => void): this {
    done();
    return this;
  }
}

function willPacket(
  { topic, payload, qos = 1, retain = false, userProperties }: NonNullable<BrokerOptions['will']>,
  version: 4 | 5,
) {
  return {
    topic,
    payload: Buffer.from(payload as string),
    qos,
    retain,
    ...(version === 5 && userProperties ? { properties: { userProperties } } : {}),
  };
}

/** At most 23 letters and digits: every MQTT 3.1.1 broker takes those. */
const randomClientId = (): string => `swb${randomBytes(10).toString('hex')}`;
