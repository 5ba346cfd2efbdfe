import { connectAsync } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startToolClient, type ToolClientOptions } from '../../../../test/fixtures/mcp/tool-client.ts';
import { hasMosquitto, type Mosquitto, startMosquitto } from '../../../../test/fixtures/mosquitto.ts';
import { SwitchboardError } from '../../../core/errors.ts';
import { grantIdentity } from '../../../core/identity.ts';
import { Denied } from '../../../policy/denied.ts';
import { isObject, type JsonObject, notification } from '../../../wire/jsonrpc.ts';
import { silentLog } from '../../testing/http.ts';
import { StubRelay, stubFederation } from '../../testing/stub-relay.ts';
import { type ExportOptions, exportTools } from './serve.ts';

describe.runIf(hasMosquitto())('the export of tools to a broker', () => {
  let broker: Mosquitto;
  let namespaces = 0;
  const open: { close(): unknown }[] = [];

  beforeAll(async () => {
    broker = await startMosquitto({ more: ['max_packet_size 262144'] });
  });
  afterAll(() => broker?.stop());
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  async function start(changes: Partial<ExportOptions> = {}, relay = new StubRelay()) {
    const namespace = `test/${++namespaces}`;
    const options: ExportOptions = {
      relay,
      view: stubFederation().all,
      log: silentLog,
      broker: { url: new URL(broker.url), login: {} },
      namespace,
      server: 'gateway',
      identity: grantIdentity('research'),
      tools: { include: [], exclude: [] },
      maxBodyBytes: 64 * 1024,
      isValid: () => true,
      ...changes,
    };
    const exported = exportTools(options);
    open.push(exported);
    await vi.waitFor(() => expect(exported.tools.length).toBeGreaterThan(0), 5_000);
    return { relay, exported, namespace: options.namespace };
  }

  async function client(namespace: string, options: Partial<ToolClientOptions> = {}) {
    const made = await startToolClient(broker.url, { clientId: 'scout', namespace, ...options });
    open.push(made);
    return made;
  }

  /** What is retained in a namespace, and what comes there, as JSON or as it is. */
  async function watch(namespace: string, filter = `${namespace}/#`) {
    const mqtt = await connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 100 });
    open.push({ close: () => mqtt.endAsync(true) });
    const cards = new Map<string, JsonObject>();
    const others: { topic: string; text: string; correlation: string | undefined }[] = [];
    mqtt.on('message', (topic, payload, { properties }) => {
      const text = payload.toString('utf8');
      if (!topic.endsWith('/card')) others.push({ topic, text, correlation: properties?.correlationData?.toString() });
      else if (text === '') cards.delete(topic);
      else cards.set(topic, JSON.parse(text));
    });
    await mqtt.subscribeAsync(filter, { qos: 1 });
    return { mqtt, cards, others };
  }

  const text = (value: string, more: JsonObject = {}) => ({
    value: { content: [{ type: 'text', text: value }], ...more },
  });

  it('shows each tool and the server as cards that the package reads', async () => {
    const { namespace, exported } = await start({ tools: { include: ['e*', 'wait'], exclude: ['*at'] } });
    const { client: own } = await client(namespace);
    expect(exported.tools).toEqual(['echo', 'wait']);
    await vi.waitFor(async () => {
      expect(await own.getToolCard('echo')).toMatchObject({
        version: '1',
        tool: 'echo',
        server: 'gateway',
        namespace,
        description: "The stub's echo.",
        input_schema: { type: 'object' },
        supports_streaming: true,
        status: 'online',
      });
    });
    expect(await own.getToolCard('fail', 100)).toBeNull();
    const { cards } = await watch(namespace);
    await vi.waitFor(() =>
      expect(cards.get(`${namespace}/mcp/servers/gateway/card`)).toMatchObject({
        tools: ['echo', 'wait'],
        status: 'online',
      }),
    );
  });

  it('answers the client of the package: results, errors, progress', async () => {
    const { namespace, relay } = await start();
    const { client: own } = await client(namespace);
    expect(await own.call('echo', { n: 1 })).toBe('{"n":1}');
    const seen: unknown[] = [];
    expect(
      await own.call('progress', { steps: 3, gapMs: 20 }, { onStream: (content) => void seen.push(content) }),
    ).toBe('done');
    expect(seen).toEqual([1, 2, 3].map((progress) => ({ progress, total: 3 })));
    await expect(own.call('fail', {})).rejects.toThrow(/"fail" failed \(tool_error\): The gateway failed/);
    expect(relay.requests.at(-1)?.caller).toMatchObject({ principal: 'research', capabilities: {} });
    expect(new Set(relay.requests.map(({ caller }) => caller.key)).size).toBe(1);
  });

  it('gives errors the type that says what to do about them', async () => {
    const { namespace, relay } = await start();
    const { client: own } = await client(namespace);
    const outcomes: [type: string, outcome: () => Promise<never> | { value: JsonObject }][] = [
      ['unavailable', () => Promise.reject(new SwitchboardError('SWB_QUEUE_FULL', 'Full.'))],
      ['timeout', () => Promise.reject(new SwitchboardError('SWB_CALL_TIMEOUT', 'Late.'))],
      ['invalid_arguments', () => Promise.reject(new SwitchboardError('SWB_ARGUMENTS_INVALID', 'No.'))],
      [
        'unauthorized',
        () => ({
          value: new Denied({
            code: 'SWB_DENIED',
            policy: 'grant:x',
            rule: '/tools/a',
            reason: 'Not you.',
            hidden: false,
          }).toolResult(),
        }),
      ],
      ['tool_error', () => text('It broke.', { isError: true })],
    ];
    for (const [type, outcome] of outcomes) {
      relay.on('tools/call', outcome);
      await expect(own.call('echo', {}), type).rejects.toThrow(`(${type})`);
    }
  });

  it('keeps numbers as they are written, both ways, and prefers structured content', async () => {
    const { namespace, relay } = await start();
    relay.on('tools/call', ({ inbound }) => ({
      raw: Buffer.from(
        `{"content":[{"type":"text","text":"x"}],"structuredContent":{"big":12345678901234567890,"args":${JSON.stringify(
          JSON.stringify(inbound.request.params?.arguments),
        )}}}`,
      ),
    }));
    const { mqtt, others } = await watch(namespace);
    await mqtt.publishAsync(
      `${namespace}/mcp/tools/echo/call`,
      `{"call_id":"c1","arguments":{"a":1.0},"response_topic":"${namespace}/mcp/clients/me/responses"}`,
      { qos: 1 },
    );
    await vi.waitFor(() => expect(others.some(({ topic }) => topic.endsWith('/responses'))).toBe(true));
    const answer = others.find(({ topic }) => topic.endsWith('/responses'));
    expect(answer?.text).toContain('"call_id":"c1","status":"ok","result":{"big":12345678901234567890');
  });

  it('answers nowhere but where clients of the namespace receive, and then runs nothing', async () => {
    const { namespace, relay } = await start();
    const { mqtt, others } = await watch(namespace, '#');
    const topic = `${namespace}/mcp/tools/echo/call`;
    const wrong = [
      'elsewhere',
      `${namespace}/mcp/tools/echo/card`,
      `${namespace}/mcp/clients/a/b/responses`,
      `x/mcp/clients/a/responses`,
    ];
    for (const responseTopic of wrong) {
      await mqtt.publishAsync(topic, '{"call_id":"c","arguments":{}}', { qos: 1, properties: { responseTopic } });
      await mqtt.publishAsync(topic, JSON.stringify({ call_id: 'c', response_topic: responseTopic }), { qos: 1 });
    }
    for (const payload of ['', 'x', '[]', '{}', '{"arguments":{}}', JSON.stringify({ call_id: 'c', client: 'a/b' })]) {
      await mqtt.publishAsync(topic, payload, { qos: 1 });
    }
    const { client: own } = await client(namespace);
    expect(await own.call('echo', {})).toBe('{}');
    expect(relay.requests.filter(({ request }) => request.method === 'tools/call')).toHaveLength(1);
    expect(others.filter(({ topic: each }) => wrong.includes(each))).toEqual([]);
  });

  it('answers a call that cannot be read by its correlation data', async () => {
    const { namespace, relay } = await start();
    const { mqtt, others } = await watch(namespace);
    const properties = { responseTopic: `${namespace}/mcp/clients/me/responses`, correlationData: Buffer.from('c7') };
    for (const payload of [
      '{"call_id":',
      `{"call_id":"c7","arguments":{"x":"${'y'.repeat(70_000)}"}}`,
      '{"call_id":"c7","arguments":[]}',
    ]) {
      others.length = 0;
      await mqtt.publishAsync(`${namespace}/mcp/tools/echo/call`, payload, { qos: 1, properties });
      await vi.waitFor(() =>
        expect(others.find(({ topic }) => topic.endsWith('/responses'))).toMatchObject({
          correlation: 'c7',
          text: expect.stringMatching(/"call_id":"c7","status":"error","error":\{"type":"invalid_arguments"/),
        }),
      );
    }
    expect(relay.requests.filter(({ request }) => request.method === 'tools/call')).toEqual([]);
  });

  it('runs neither a retained call nor one that is running already, and gives up one that has expired', async () => {
    const relay = new StubRelay();
    const namespace = 'retained/calls';
    const { mqtt, others } = await watch(namespace);
    const topic = `${namespace}/mcp/tools/wait/call`;
    const responseTopic = `${namespace}/mcp/clients/me/responses`;
    await mqtt.publishAsync(topic, '{"call_id":"old"}', { qos: 1, retain: true, properties: { responseTopic } });
    await start({ namespace }, relay);
    const calls = () => relay.requests.filter(({ request }) => request.method === 'tools/call');
    const publish = (messageExpiryInterval?: number) =>
      mqtt.publishAsync(topic, '{"call_id":"twice"}', {
        qos: 1,
        properties: { responseTopic, ...(messageExpiryInterval ? { messageExpiryInterval } : {}) },
      });
    await publish(1);
    await publish(1);
    await vi.waitFor(() => expect(relay.cancelled).toHaveLength(1), 5_000);
    await vi.waitFor(() => expect(others.at(-1)?.text).toContain('"type":"timeout"'));
    expect(calls()).toHaveLength(1);
    await mqtt.publishAsync(topic, '', { qos: 1, retain: true });
  });

  it('follows list changes: new cards, cards taken back, and the server card', async () => {
    const relay = new StubRelay();
    let names = ['one', 'two'];
    relay.on('tools/list', () => ({
      value: {
        tools: names.map((name) => ({ name, description: `v${names.length}`, inputSchema: { type: 'object' } })),
      },
    }));
    const { namespace, exported } = await start({}, relay);
    const { cards } = await watch(namespace);
    const shown = () =>
      [...cards.values()].flatMap(({ tool, description }) => (tool ? [`${tool} ${description}`] : []));
    await vi.waitFor(() => expect(shown().sort()).toEqual(['one v2', 'two v2']));
    names = ['two', 'three', 'four', 'not/one/level'];
    for (const session of relay.sessions) session.notify(notification('notifications/tools/list_changed'));
    await vi.waitFor(() => expect(shown().sort()).toEqual(['four v4', 'three v4', 'two v4']));
    expect(exported.tools).toEqual(['two', 'three', 'four']);
    await vi.waitFor(() =>
      expect(cards.get(`${namespace}/mcp/servers/gateway/card`)?.tools).toEqual(['two', 'three', 'four']),
    );
  });

  it('goes offline in order, takes back what a crash has left, and shows the crash by its will', async () => {
    const namespace = 'left/behind';
    const { mqtt, cards } = await watch(namespace);
    const left = { version: '1', tool: 'gone', server: 'gateway', status: 'online' };
    await mqtt.publishAsync(`${namespace}/mcp/tools/gone/card`, JSON.stringify(left), { retain: true, qos: 1 });
    const foreign = { ...left, tool: 'other', server: 'somebody' };
    await mqtt.publishAsync(`${namespace}/mcp/tools/other/card`, JSON.stringify(foreign), { retain: true, qos: 1 });
    const { exported } = await start({
      namespace,
      staleMs: 200,
      broker: { url: new URL(broker.url), login: {}, clientId: 'exporter-1' },
    });
    await vi.waitFor(() => expect(cards.has(`${namespace}/mcp/tools/gone/card`)).toBe(false), 5_000);
    expect(cards.has(`${namespace}/mcp/tools/other/card`)).toBe(true);
    const server = () => cards.get(`${namespace}/mcp/servers/gateway/card`);
    await vi.waitFor(() => expect(server()).toMatchObject({ status: 'online', tools: exported.tools }));

    const history: unknown[] = [];
    mqtt.on('message', (topic, payload) => {
      if (topic.endsWith('servers/gateway/card')) history.push(JSON.parse(payload.toString('utf8')).status);
    });
    const thief = await connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 0, clientId: 'exporter-1' });
    await thief.endAsync();
    await vi.waitFor(() => expect(history).toEqual(['offline', 'online']), 5_000);
    await vi.waitFor(() => expect(cards.get(`${namespace}/mcp/tools/echo/card`)?.status).toBe('online'));
    await exported.close();
    await vi.waitFor(() => expect(server()?.status).toBe('offline'));
    await vi.waitFor(() => expect(cards.get(`${namespace}/mcp/tools/echo/card`)?.status).toBe('offline'));
  });

  it('answers after the broker was restarted in the middle of a call, which runs once', async () => {
    const { namespace, relay } = await start();
    const { client: own } = await client(namespace);
    const waiting = own.call('wait', {}, { timeoutMs: 20_000 });
    const calls = () => relay.requests.filter(({ request }) => request.method === 'tools/call');
    await vi.waitFor(() => expect(calls()).toHaveLength(1));
    await broker.kill();
    relay.released.resolve();
    await broker.start();
    expect(await waiting).toBe('waited');
    expect(calls()).toHaveLength(1);
    await vi.waitFor(async () => expect((await own.getToolCard('echo', 200))?.status).toBe('online'), 10_000);
    expect(await own.call('echo', { again: true })).toBe('{"again":true}');
  });

  it('says so when a result is larger than the broker takes', async () => {
    const { namespace, relay } = await start();
    relay.on('tools/call', () => text('x'.repeat(300_000)));
    const { client: own } = await client(namespace);
    await expect(own.call('echo', {})).rejects.toThrow(/\(tool_error\): The result is larger than the broker takes/);
    expect(isObject(await own.getToolCard('echo'))).toBe(true);
  });
});
