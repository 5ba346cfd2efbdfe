/**
 * A device with a tool on an MQTT broker, in the form of retained cards (docs/mqtt.md), and the broker itself. The device speaks
 * MQTT alone and knows nothing of MCP.
 * @module
 */
import mqtt, { type MqttClient } from 'mqtt';
import { type Broker, startBroker } from '../../test/fixtures/aedes.ts';

/** What the topics begin with. */
export const NAMESPACE = 'demo';
const SERVER_CARD = `${NAMESPACE}/mcp/servers/greenhouse/card`;
const TOOL = `${NAMESPACE}/mcp/tools/water`;

export interface Greenhouse {
  readonly brokerUrl: string;
  /** The device loses its power without a DISCONNECT, and the broker publishes its will. */
  cutPower(): void;
  close(): Promise<void>;
}

interface Call {
  call_id: string;
  arguments: { seconds?: number };
  response_topic: string;
}

export async function startGreenhouse(): Promise<Greenhouse> {
  const broker = await startBroker();
  try {
    const brokerUrl = `mqtt://127.0.0.1:${broker.port}`;
    const device = await startDevice(brokerUrl);
    return {
      brokerUrl,
      cutPower: () => void device.stream.destroy(),
      close: () => end(device, broker),
    };
  } catch (error) {
    await broker.close();
    throw error;
  }
}

async function end(device: MqttClient, broker: Broker): Promise<void> {
  await device.endAsync(true);
  await broker.close();
}

/** Announces itself and its tool, with a will for the day its power fails, and then waits for calls. */
async function startDevice(brokerUrl: string): Promise<MqttClient> {
  const card = { version: '1', server: 'greenhouse', namespace: NAMESPACE, tools: ['water'] };
  const will = { topic: SERVER_CARD, payload: Buffer.from(JSON.stringify({ ...card, status: 'offline' })) };
  const device = await mqtt.connectAsync(brokerUrl, {
    protocolVersion: 4,
    reconnectPeriod: 0,
    will: { ...will, qos: 1, retain: true },
  });
  device.on('message', (_topic, payload) => void water(device, JSON.parse(payload.toString()) as Call));
  await device.subscribeAsync(`${TOOL}/call`, { qos: 1 });
  await announce(device, `${TOOL}/card`, {
    version: '1',
    tool: 'water',
    server: 'greenhouse',
    namespace: NAMESPACE,
    description: 'Waters the tomatoes for some seconds.',
    input_schema: { type: 'object', properties: { seconds: { type: 'number' } }, required: ['seconds'] },
    supports_streaming: true,
    status: 'online',
  });
  await announce(device, SERVER_CARD, { ...card, status: 'online' });
  return device;
}

const announce = (device: MqttClient, topic: string, card: object): Promise<unknown> =>
  device.publishAsync(topic, JSON.stringify(card), { qos: 1, retain: true });

/** Says how far it is while it works, then what came of it. */
async function water(device: MqttClient, { call_id, arguments: { seconds = 1 }, response_topic }: Call): Promise<void> {
  for (let seq = 1; seq <= seconds; seq++) {
    const piece = { call_id, seq, type: 'partial', content: `${seq} s of ${seconds} … ` };
    await device.publishAsync(`${TOOL}/stream/${call_id}`, JSON.stringify(piece));
  }
  const result = { watered: 'tomatoes', seconds };
  await device.publishAsync(response_topic, JSON.stringify({ call_id, status: 'ok', result }), { qos: 1 });
}
