/**
 * The whole gateway on a broker: a client on the broker, the gateway between, an MCP server on the same broker; with users and
 * access control as docs/mqtt.md has them.
 */
import { readFileSync } from 'node:fs';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { connectAsync } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { clientV1 } from '../../src/endpoint/testing/clients.ts';
import { readConfig } from '../../src/load-config.ts';
import { type OwnGateway, serveGateway, startReadyGateway } from '../e2e/gateway.ts';
import { MqttClientTransport, type MqttFixture, startV1Mqtt } from '../fixtures/mcp/mqtt.ts';
import { startToolClient } from '../fixtures/mcp/tool-client.ts';
import { hasMosquitto, type Mosquitto, startMosquitto } from '../fixtures/mosquitto.ts';

const USERS = { gateway: 'pw-g', scout: 'pw-s', operator: 'pw-o', device: 'pw-d' };

const PAGE = readFileSync(new URL('../../docs/mqtt.md', import.meta.url), 'utf8');

/** The access control of docs/mqtt.md, and the server of this test. */
const ACL = `${[...PAGE.matchAll(/```acl\n([\s\S]*?)```/g)].map(([, text]) => text).join('\n')}
user device
topic readwrite $mcp-server/#
topic readwrite $mcp-client/#
topic readwrite $mcp-rpc/#
user gateway
topic readwrite $mcp-server/#
topic readwrite $mcp-client/#
topic readwrite $mcp-rpc/#
`;

const SERVER = { id: 'gw-1', name: 'switchboard' };

describe('the configurations of docs/mqtt.md', () => {
  const blocks = [...PAGE.matchAll(/```json[^\n]*\n([\s\S]*?)```/g)].map(([, text]) => text as string);
  const env = Object.fromEntries([...PAGE.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => [name, `the-${name}`]));

  it('are configurations', async () => {
    expect(blocks.length).toBeGreaterThan(3);
    for (const block of blocks) await expect(readConfig(block, undefined, { env }), block).resolves.toBeDefined();
  });
});

describe.runIf(hasMosquitto())('the gateway on a broker', () => {
  let broker: Mosquitto;
  let device: MqttFixture;
  let running: OwnGateway;
  const open: { close(): unknown }[] = [];

  const login = (username: keyof typeof USERS) => ({ username, password: USERS[username] });

  const gateway = () => ({
    mqtt: {
      url: broker.url,
      broker: login('gateway'),
      serverName: SERVER.name,
      serverId: SERVER.id,
      clients: { scout: 'research', operator: 'operator', 'chain-*': 'operator' },
      export: { topicNamespace: 'gtm', grant: 'research', tools: { include: ['device__*'] } },
    },
    grants: {
      research: { policy: { version: '1', default: 'deny', tools: { echo: {}, slow: {}, ask: {}, add: {} } } },
      operator: { policy: { version: '1', default: 'allow' } },
    },
  });

  const servers = () => ({
    device: {
      kind: 'mcp',
      url: broker.url,
      broker: login('gateway'),
      serverName: 'lab/device',
      concurrency: 512,
      maxQueue: 1_000,
    },
  });

  beforeAll(async () => {
    broker = await startMosquitto({ users: USERS, acl: ACL });
    device = await startV1Mqtt(broker.url, { name: 'lab/device', ...login('device') });
    running = await startReadyGateway({ servers: servers(), gateway: gateway() });
    await online();
  });
  afterAll(async () => {
    await running?.close();
    await device?.close();
    await broker?.stop();
  });
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  /** The endpoint and the export have connected so many times. */
  async function online(times = 1): Promise<void> {
    await vi.waitFor(() => {
      for (const text of ['The MQTT endpoint is online', 'The exported tools are connected']) {
        expect(running.log().split(text).length).toBeGreaterThan(times);
      }
    });
  }

  function transport(user: 'scout' | 'operator', clientId: string = user): MqttClientTransport {
    const made = new MqttClientTransport(broker.url, { server: SERVER, clientId, ...login(user) });
    open.push(made);
    return made;
  }

  async function tools(user: 'scout' | 'operator', clientId: string = user) {
    const made = await startToolClient(broker.url, { clientId, namespace: 'gtm', ...login(user) });
    open.push(made);
    return made;
  }

  it('serves each user what its grant allows, through every part', async () => {
    const scout = await clientV1(transport('scout'), () => ({ name: 'Ada' }));
    const operator = await clientV1(transport('operator'));
    expect((await scout.tools()).filter((name) => name.startsWith('device__')).sort()).toEqual([
      'device__add',
      'device__ask',
      'device__echo',
      'device__slow',
    ]);
    expect(await operator.tools()).toContain('device__big');
    expect(await scout.call('device__echo', { text: 'over two hops' })).toBe('over two hops');
    expect(await scout.call('device__ask')).toContain('Ada');
    expect(await scout.call('device__big', { bytes: 10 })).toMatch(/^Not allowed: the policy "grant:research"/);
    const steps: number[] = [];
    const onprogress = ({ progress }: { progress: number }) => void steps.push(progress);
    await scout.call('device__slow', { ms: 60, steps: 3 }, { onprogress });
    // The SDK loses a report that comes in one read with the result.
    expect(steps.slice(0, 2)).toEqual([1, 2]);
    const before = device.ledger.count('slow:cancelled');
    const controller = new AbortController();
    const cancelled = scout.call('device__slow', {}, { signal: controller.signal }).catch((error: Error) => error);
    await vi.waitFor(() => expect(device.ledger.count('slow:started')).toBeGreaterThan(before + 1));
    controller.abort();
    await cancelled;
    await vi.waitFor(() => expect(device.ledger.count('slow:cancelled')).toBe(before + 1));
  });

  it('hears of list changes of its servers, and its clients do', async () => {
    const scout = await clientV1(transport('operator'));
    const name = device.world.addTool();
    await vi.waitFor(() => expect(scout.listChanges()).toBeGreaterThan(0), 10_000);
    expect(await scout.tools()).toContain(`device__${name}`);
  });

  it('lets nobody speak for another: the broker does not take it, and claims have no effect', async () => {
    const scout = await clientV1(transport('scout'));
    const mqtt = await connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 0, ...login('operator') });
    open.push({ close: () => mqtt.endAsync(true) });
    const call = {
      jsonrpc: '2.0',
      id: 5,
      method: 'tools/call',
      params: { name: 'device__echo', arguments: { text: 'x' } },
    };
    const properties = { userProperties: { 'MCP-COMPONENT-TYPE': 'mcp-client', 'MCP-MQTT-CLIENT-ID': 'scout' } };
    const asScout = mqtt.publishAsync(`$mcp-rpc/scout/gw-1/switchboard`, JSON.stringify(call), { qos: 1, properties });
    await expect(asScout).rejects.toThrow(/Not authorized/);
    const leaves = mqtt.publishAsync(
      '$mcp-client/presence/scout',
      '{"jsonrpc":"2.0","method":"notifications/disconnected"}',
      { qos: 1 },
    );
    await expect(leaves).rejects.toThrow(/Not authorized/);
    expect(await scout.call('device__echo', { text: 'mine' })).toBe('mine');
    const stranger = { userProperties: { 'MCP-MQTT-CLIENT-ID': 'stranger' } };
    const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25' } };
    await mqtt.publishAsync('$mcp-server/gw-1/switchboard', JSON.stringify(initialize), {
      qos: 1,
      properties: stranger,
    });
    await vi.waitFor(() => expect(running.log()).toContain("client id 'stranger'"));
  });

  it('exports what the grant may use, where the broker decides who may call which tool', async () => {
    const scout = await tools('scout');
    const operator = await tools('operator');
    await vi.waitFor(
      async () => expect((await scout.client.getToolCard('device__echo'))?.status).toBe('online'),
      10_000,
    );
    expect(await scout.client.getToolCard('device__big', 200)).toBeNull();
    expect(await scout.client.call('device__echo', { text: 'a card' })).toBe('a card');
    expect(await operator.client.call('device__add', { a: 1, b: 2 })).toEqual({ sum: 3 });
    const startedAt = performance.now();
    await expect(scout.client.call('device__add', { a: 1, b: 2 })).rejects.toThrow(/Not authorized/);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await expect(scout.client.call('device__echo', {})).rejects.toThrow(/\((?:invalid_arguments|tool_error)\)/);
  });

  it('completes 1,000 calls at one time over either form, none of them lost', async () => {
    const operator = new Client({ name: 'many', version: '1' });
    await operator.connect(transport('operator'));
    const call = (i: number) => operator.callTool({ name: 'device__echo', arguments: { text: `n${i}` } });
    const texts = (await Promise.all(Array.from({ length: 1_000 }, (_, i) => call(i)))).map(
      ({ content }) => (content as { text: string }[])[0]?.text,
    );
    expect(texts).toEqual(Array.from({ length: 1_000 }, (_, i) => `n${i}`));
    const scout = await tools('scout');
    const results = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => scout.client.call('device__echo', { text: `m${i}` })),
    );
    expect(results).toEqual(Array.from({ length: 1_000 }, (_, i) => `m${i}`));
  });

  it('has definite errors while a server is away, and its tools again once it is back', async () => {
    const scout = await clientV1(transport('scout'));
    const waiting = scout.call('device__slow').catch((error: Error) => error);
    await vi.waitFor(() => expect(device.sessions()).toBeGreaterThan(1));
    const leftAt = performance.now();
    await device.close();
    expect(await waiting).toMatchObject({ message: expect.stringMatching(/offline|not available|unavailable/) });
    await expect(scout.call('device__echo', { text: 'x' })).rejects.toThrow();
    expect(performance.now() - leftAt).toBeLessThan(5_000);
    device = await startV1Mqtt(broker.url, { name: 'lab/device', ...login('device') });
    await running.reaches('device', 'ready');
    await vi.waitFor(async () => expect(await scout.call('device__echo', { text: 'back' })).toBe('back'), 10_000);
  });

  it('goes on after the broker was killed in the middle of calls: each has its answer, and none ran twice', async () => {
    const scout = await clientV1(transport('scout'));
    const started = device.ledger.count('slow:started');
    const calls = [1, 2, 3].map(() => scout.call('device__slow').catch((error: Error) => error));
    await vi.waitFor(() => expect(device.ledger.count('slow:started')).toBe(started + 3));
    await broker.kill();
    for (const outcome of await Promise.all(calls)) expect(outcome).toBeInstanceOf(Error);
    await broker.start();
    await device.kill();
    device = await startV1Mqtt(broker.url, { name: 'lab/device', ...login('device') });
    await running.reaches('device', 'ready');
    await online(2);
    const again = await clientV1(transport('scout'));
    expect(await again.call('device__echo', { text: 'again' })).toBe('again');
    expect(device.ledger.count('slow:started')).toBe(0);
    const cards = await tools('scout');
    await vi.waitFor(
      async () => expect(await cards.client.call('device__echo', { text: 'card' }, { timeoutMs: 1_000 })).toBe('card'),
      {
        timeout: 20_000,
        interval: 300,
      },
    );
  });

  it('is itself a server that another gateway reaches by the broker', async () => {
    const second = await startReadyGateway({
      servers: {
        first: {
          kind: 'mcp',
          url: broker.url,
          broker: { ...login('device'), clientId: 'chain' },
          serverName: 'switchboard',
        },
      },
      gateway: {},
    });
    open.push(second);
    const result = await second.gateway.call('tools/call', {
      name: 'first__device__echo',
      arguments: { text: 'twice' },
    });
    expect(result.content).toEqual([{ type: 'text', text: 'twice' }]);
  });

  it('is off the broker once it is told to stop', async () => {
    const own = await startMosquitto();
    open.push({ close: () => own.stop() });
    const served = await serveGateway({
      gateway: {
        mqtt: {
          url: own.url,
          serverId: 'gw-2',
          clients: { '*': 'local' },
          export: { grant: 'local', topicNamespace: 'x' },
        },
      },
    });
    open.push(served);
    const mqtt = await connectAsync(own.url, { protocolVersion: 5, reconnectPeriod: 0 });
    open.push({ close: () => mqtt.endAsync(true) });
    const seen = new Map<string, string>();
    mqtt.on('message', (topic, payload) => void seen.set(topic, payload.toString('utf8')));
    await mqtt.subscribeAsync(['$mcp-server/presence/#', 'x/mcp/servers/#'], { qos: 1 });
    await vi.waitFor(() => expect(seen.get('$mcp-server/presence/gw-2/switchboard')).toContain('online'), 15_000);
    await vi.waitFor(() => expect(seen.get('x/mcp/servers/switchboard/card')).toContain('"online"'), 15_000);
    expect(await served.end('SIGTERM')).toBe(0);
    await vi.waitFor(() => expect(seen.get('$mcp-server/presence/gw-2/switchboard')).toBe(''));
    expect(seen.get('x/mcp/servers/switchboard/card')).toContain('"offline"');
  });
});
