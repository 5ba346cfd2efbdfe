/**
 * The MQTTX SSE server behind the gateway: its four tools, the messages of its brokers, and each of its oddities on the wire.
 * The server is a stand-in with the same wire; the broker is a real one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startMuteServer } from '../../adapters/testing/faults.ts';
import { parseJsonc } from '../../src/config/jsonc.ts';
import { freePort } from '../../src/core/testing/free-port.ts';
import { type ClientKind, Clients, type TestClient, type ToolResult, textOf } from '../e2e/clients.ts';
import { type OwnGateway, type Servers, startReadyGateway } from '../e2e/gateway.ts';
import { inSession, send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { type Broker, startBroker } from '../fixtures/aedes.ts';
import { type MqttxServer, startMqttx } from '../fixtures/mqttx/server.ts';
import { denialOf } from '../policy/gateway.ts';
import { grant, type TestGrant } from '../policy/grants.ts';

const LEGACY = ['v1', 'v2-legacy'] satisfies ClientKind[];
const EVERY = [...LEGACY, 'v2-modern'] satisfies ClientKind[];
const EXAMPLE = join(import.meta.dirname, '../../examples/systems/mqttx.jsonc');
interface Example {
  mcpServers: Servers;
  gateway: Record<string, unknown>;
}
/** A grant for each test, so that the limit of ten connections a minute is no matter of the others. */
const keys = Array.from({ length: 24 }, () => grant({ policy: { version: '1', default: 'allow' } }));
const unused = keys.values();
const PASSWORD = 'pw-of-the-broker';

let broker: Broker;
let server: MqttxServer;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  broker = await startBroker({ users: { scout: PASSWORD } });
  server = await startMqttx();
  const { value } = parseJsonc(readFileSync(EXAMPLE, 'utf8')) as { value: Example };
  gateway = await startReadyGateway({
    servers: {
      ...value.mcpServers,
      plain: { url: server.url, validateArguments: false },
      brief: { kind: 'mcp', url: server.url, timeoutMs: 2_000, resetSessionOnFailure: ['mqttConnect'] },
    },
    gateway: { ...value.gateway, grants: Object.fromEntries(keys.map(({ entry }, n) => [`g${n}`, entry])) },
    env: { MQTTX_URL: server.url },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await server?.close();
  await broker?.close();
});

const newKey = (): TestGrant => unused.next().value as TestGrant;

const open = (kind: ClientKind, { headers } = newKey()): Promise<TestClient> =>
  clients.connect(kind, { http: gateway.url, headers });

const access = (clientId: string, port = broker.port) => ({
  host: '127.0.0.1',
  port,
  clientId,
  username: 'scout',
  password: PASSWORD,
});

/** What came of a call that the server or the gateway refuses, whichever way. */
const refusal = (call: Promise<ToolResult>): Promise<string> =>
  call.then(
    (result) => (result.isError ? textOf(result) : `It succeeded: ${textOf(result)}`),
    (error: Error) => error.message,
  );

const heard = (client: TestClient): unknown[] => client.heard('notifications/message').map(({ data }) => data);

describe.each(EVERY)('the four tools for a %s client', (kind) => {
  it('connect, subscribe, publish and disconnect', async () => {
    const client = await open(kind);
    expect((await client.tools()).filter((name) => name.startsWith('lab__')).sort()).toEqual([
      'lab__mqttConnect',
      'lab__mqttDisconnect',
      'lab__mqttPublish',
      'lab__mqttSubscribe',
    ]);
    const connected = textOf(await client.call('lab__mqttConnect', access(kind)));
    expect(connected).toContain(`Successfully connected to MQTT broker at 127.0.0.1:${broker.port}`);
    expect(textOf(await client.call('lab__mqttSubscribe', { topic: 'a/#', qos: 1 }))).toBe(
      "Successfully subscribed to MQTT topic 'a/#' with QoS 1",
    );
    expect(textOf(await client.call('lab__mqttPublish', { topic: 'a/b', payload: 'x', retain: false }))).toBe(
      "Successfully published message to MQTT topic 'a/b' with QoS 0, retain: false",
    );
    expect(textOf(await client.call('lab__mqttDisconnect'))).toBe('Successfully disconnected from MQTT broker');
    expect(await refusal(client.call('lab__mqttDisconnect'))).toContain('Not connected to an MQTT broker');
    expect(gateway.log()).not.toContain(PASSWORD);
  });

  it('are all the server has: its advertised resources and prompts spoil no list', async () => {
    const client = await open(kind);
    expect(await client.request('prompts/list')).toMatchObject({ prompts: [] });
    expect(await client.request('resources/list')).toMatchObject({ resources: [] });
  });
});

describe.each(LEGACY)('messages of the broker, for a %s client', (kind) => {
  it('reach the session that subscribed, whole, and no other', async () => {
    // Not even another session of the same grant.
    const key = newKey();
    const [one, two] = await Promise.all([open(kind, key), open(kind, key)]);
    for (const [client, id] of [
      [one, 'one'],
      [two, 'two'],
    ] as const) {
      await client.call('lab__mqttConnect', access(id));
      await client.call('lab__mqttSubscribe', { topic: `to/${id}`, qos: 0 });
    }
    const payload = JSON.stringify({ text: 'für eins \u2028', n: 1 });
    await broker.publish('to/one', payload);
    await broker.publish('to/two', 'for two');
    await until(() => heard(one).length > 0 && heard(two).length > 0, 'both to hear');
    expect(one.heard('notifications/message')).toEqual([
      { level: 'info', logger: expect.stringContaining('upstream'), data: { topic: 'to/one', payload } },
    ]);
    expect(heard(two)).toEqual([{ topic: 'to/two', payload: 'for two' }]);
    // A third one has no link of its own, and none of the others'.
    const three = await open(kind, key);
    expect(await refusal(three.call('lab__mqttPublish', { topic: 'to/one', payload: 'x' }))).toContain(
      'MQTT operation error: Not connected to an MQTT broker',
    );
    expect(heard(three)).toEqual([]);
  });
});

describe('a session with the server', () => {
  it('ends with the client’s, and with it the link to the broker', async () => {
    const { headers } = newKey();
    const initialize = {
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
    };
    const opened = await send(gateway.url, { headers, body: JSON.stringify({ jsonrpc: '2.0', id: 0, ...initialize }) });
    const id = opened.headers.get('mcp-session-id') ?? '';
    const call = inSession(id, 'tools/call', { name: 'plain__mqttConnect', arguments: access('leaver') });
    const own = { ...call.headers, ...headers };
    expect((await send(gateway.url, { ...call, headers: own })).text).toContain('Successfully connected');
    expect(broker.clients()).toContain('leaver');
    await send(gateway.url, { method: 'DELETE', headers: own });
    await until(() => !broker.clients().includes('leaver'), 'the link to be closed');
  });

  it('keeps its client id to itself: two that name one alike do not throw each other out', async () => {
    const key = newKey();
    const pair = await Promise.all(LEGACY.map((kind) => open(kind, key)));
    for (const client of pair) await client.call('lab__mqttConnect', access('same'));
    expect(new Set(broker.clients().filter((id) => id.startsWith('same-'))).size).toBe(2);
    for (const client of pair) expect(textOf(await client.call('lab__mqttDisconnect'))).toContain('Successfully');
  });
});

describe('what the server does not check', () => {
  it.each(EVERY)('is checked before it leaves, for a %s client', async (kind) => {
    const client = await open(kind);
    const missing = await client.call('lab__mqttPublish', { topic: 'a' });
    expect(denialOf(missing)?.code).toBe('SWB_ARGUMENTS_INVALID');
    expect(textOf(missing)).toContain('payload');
    const qos = await client.call('lab__mqttPublish', { topic: 'a', payload: 'x', qos: 7 });
    expect(denialOf(qos)?.code).toBe('SWB_ARGUMENTS_INVALID');
    await client.call('plain__mqttConnect', access(`unchecked-${kind}`));
    expect(await refusal(client.call('plain__mqttPublish', { topic: 'a' }))).toContain('Cannot read properties');
    expect(await refusal(client.call('plain__mqttPublish', {}))).not.toContain(' at ');
  });
});

describe('odd frames', () => {
  it('are passed over: heartbeats, broken JSON, errors in reply to notifications', async () => {
    const client = await open('v1');
    await client.call('lab__mqttConnect', access('odd'));
    server.emit('heartbeat', String(Date.now()));
    server.emit('message', '{"jsonrpc":"2.0",');
    await client.request('notifications/none').catch(() => {});
    expect(textOf(await client.call('lab__mqttSubscribe', { topic: 'a' }))).toContain('Successfully subscribed');
  });
});

describe('a broker that', () => {
  it('is mute costs its caller the time limit of the call, and not the session', async () => {
    const mute = await startMuteServer();
    const client = await open('v1');
    const started = performance.now();
    const failed = await refusal(client.call('brief__mqttConnect', access('mute', Number(new URL(mute.origin).port))));
    expect(failed).toContain('did not answer within 2 s');
    expect(performance.now() - started).toBeGreaterThan(1_990);
    expect(textOf(await client.call('brief__mqttConnect', access('mute')))).toContain('Successfully connected');
    await mute.close();
  });

  it.each([
    ['lab', 'does not come back as a ghost where the session is reset', 'Not connected'],
    ['plain', 'comes back as a ghost where it is not', 'It succeeded'],
  ])('refuses (%s): it %s', async (name, _what, then) => {
    const port = await freePort();
    const client = await open('v1');
    const failed = await refusal(client.call(`${name}__mqttConnect`, access(`ghost-${name}`, port)));
    expect(failed).toContain('MQTT operation error');
    const late = await startBroker({ port });
    try {
      await until(() => late.clients().some((id) => id.startsWith('ghost')), 'the server to try again');
      expect(await refusal(client.call(`${name}__mqttPublish`, { topic: 'a', payload: 'x' }))).toContain(then);
    } finally {
      await late.close();
    }
  });
});

describe('a session that the server has given up', () => {
  it.each([
    ['the stream drops', () => server.dropStreams()],
    ['the server names another endpoint on it', () => server.emit('endpoint', '/mqttx/message?sessionId=other')],
  ])('is reported as lost to its client, and replaced, when %s', async (_how, lose) => {
    const client = await open('v1');
    await client.call('plain__mqttConnect', access('lost'));
    const { since } = gateway.status('plain');
    lose();
    // The gateway is back before the client calls again: it would never know.
    await until(
      () => gateway.status('plain').since !== since && gateway.status('plain').state === 'ready',
      'the gateway',
    );
    const told = await refusal(client.call('plain__mqttSubscribe', { topic: 'a' }));
    expect(told).toContain("The session with server 'plain' was lost, and what it held with it.");
    expect(await refusal(client.call('plain__mqttSubscribe', { topic: 'a' }))).toContain('Not connected');
    expect(textOf(await client.call('plain__mqttConnect', access('lost')))).toContain('Successfully connected');
  });
});
