import { randomUUID } from 'node:crypto';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ClientOptions, MqttClientTransport } from '../../../test/fixtures/mcp/mqtt.ts';
import { hasMosquitto, type Mosquitto, startMosquitto } from '../../../test/fixtures/mosquitto.ts';
import { grantIdentity } from '../../core/identity.ts';
import { notification } from '../../wire/jsonrpc.ts';
import { clientV1, clientV2 } from '../testing/clients.ts';
import { silentLog } from '../testing/http.ts';
import { StubRelay, stubFederation } from '../testing/stub-relay.ts';
import { clientIdentities } from './identities.ts';
import { type MqttEndpoint, type MqttServeOptions, serveMqtt } from './serve.ts';

const IDENTITIES = new Map(['research', 'operator'].map((name) => [name, grantIdentity(name)]));
const CLIENTS = { 'scout-*': 'research', 'ops-*': 'operator' };

describe.runIf(hasMosquitto())('the endpoint on a broker', () => {
  let broker: Mosquitto;
  const open: { close(): unknown }[] = [];

  beforeAll(async () => {
    broker = await startMosquitto({ more: ['max_packet_size 262144'] });
  });
  afterAll(() => broker?.stop());
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  async function serve(changes: Partial<MqttServeOptions> = {}, at = broker) {
    const relay = new StubRelay();
    const endpoint = serveMqtt({
      relay,
      view: stubFederation().all,
      log: silentLog,
      broker: { url: new URL(at.url), login: {} },
      serverName: 'gateway/test',
      serverId: `gw-${randomUUID()}`,
      description: 'For tests.',
      identify: clientIdentities(CLIENTS, IDENTITIES),
      severalPrincipals: true,
      isValid: () => true,
      limits: { maxSessions: 100, sessionIdleMs: 60_000, maxBodyBytes: 64 * 1024 },
      ...changes,
    });
    open.push(endpoint);
    await isOnline(endpoint, true, at);
    return { relay, endpoint };
  }

  /** A plain MQTT client with everything it receives. */
  async function watcher(...filters: string[]) {
    return watch(broker, filters);
  }

  async function watch(at: Mosquitto, filters: string[]) {
    const client = await connectAsync(at.url, { protocolVersion: 5, reconnectPeriod: 0 });
    open.push({ close: () => client.endAsync(true) });
    const seen: { topic: string; text: string; retain: boolean }[] = [];
    client.on('message', (topic, payload, { retain }) => seen.push({ topic, text: payload.toString('utf8'), retain }));
    if (filters.length > 0) await client.subscribeAsync(filters, { qos: 1 });
    return { client, seen };
  }

  const presenceOf = ({ server }: MqttEndpoint): string => `$mcp-server/presence/${server.id}/${server.name}`;
  const rpcOf = ({ server }: MqttEndpoint, clientId: string): string =>
    `$mcp-rpc/${clientId}/${server.id}/${server.name}`;

  async function isOnline(endpoint: MqttEndpoint, expected: boolean, at = broker): Promise<void> {
    await vi.waitFor(
      async () => {
        const { seen, client } = await watch(at, [presenceOf(endpoint)]);
        // A message of one's own comes after what is retained.
        await client.subscribeAsync('own/echo', { qos: 1 });
        await client.publishAsync('own/echo', '', { qos: 1 });
        await vi.waitFor(() => expect(seen.some(({ topic }) => topic === 'own/echo')).toBe(true));
        expect(seen.some(({ text }) => text.includes('notifications/server/online'))).toBe(expected);
      },
      { timeout: 15_000, interval: 100 },
    );
  }

  function transport({ server }: MqttEndpoint, options: Partial<ClientOptions> = {}, at = broker): MqttClientTransport {
    const made = new MqttClientTransport(at.url, { server, clientId: `scout-${randomUUID()}`, ...options });
    open.push(made);
    return made;
  }

  const sends = (client: MqttClient, topic: string, message: unknown, sender?: string) =>
    client.publishAsync(topic, typeof message === 'string' ? message : JSON.stringify(message), {
      qos: 1,
      ...(sender === undefined ? {} : { properties: { userProperties: { 'MCP-MQTT-CLIENT-ID': sender } } }),
    });

  const initialize = (id: number, capabilities = {}) => ({
    jsonrpc: '2.0',
    id,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'raw', version: '1' } },
  });

  describe.each([
    ['SDK v1', (made: MqttClientTransport, answer?: () => Record<string, string>) => clientV1(made, answer)],
    ['SDK v2', (made: MqttClientTransport, answer?: () => Record<string, string>) => clientV2(made, 'legacy', answer)],
  ])('for a client of %s', (_, connect) => {
    it('lists, calls, reports progress, asks, and passes errors on', async () => {
      const { endpoint, relay } = await serve();
      const client = await connect(transport(endpoint), () => ({ name: 'Ada' }));
      expect(await client.tools()).toContain('echo');
      expect(await client.call('echo', { big: 'x'.repeat(10_000) })).toContain('xxxx');
      const steps: number[] = [];
      const onprogress = ({ progress }: { progress: number }) => void steps.push(progress);
      expect(await client.call('progress', { steps: 3, gapMs: 20 }, { onprogress })).toBe('done');
      expect(steps).toEqual([1, 2, 3]);
      expect(await client.call('ask', { question: 'Who?' })).toContain('Ada');
      await expect(client.call('fail', { code: -32050 })).rejects.toThrow(/from the upstream/);
      await expect(client.call('fail')).rejects.not.toThrow(/postgres/);
      expect(relay.requests[0]?.caller).toMatchObject({ principal: 'research', identity: { grant: 'research' } });
      expect(client.errors).toEqual([]);
    });

    it('cancels', async () => {
      const { endpoint, relay } = await serve();
      const client = await connect(transport(endpoint));
      const controller = new AbortController();
      const call = client.call('wait', {}, { signal: controller.signal }).catch((error: Error) => error);
      await vi.waitFor(() => expect(relay.requests.some(({ request }) => request.method === 'tools/call')).toBe(true));
      controller.abort();
      expect(await call).toBeInstanceOf(Error);
      await vi.waitFor(() => expect(relay.cancelled).toHaveLength(1));
    });
  });

  it('gives each client a session of its own, with the grant of its client id', async () => {
    const { endpoint, relay } = await serve();
    const [scout, ops] = [transport(endpoint), transport(endpoint, { clientId: 'ops-1' })];
    const [first, second] = await Promise.all([clientV1(scout), clientV1(ops)]);
    await Promise.all([first.call('echo'), second.call('echo')]);
    const callers = relay.requests.filter(({ request }) => request.method === 'tools/call').map(({ caller }) => caller);
    expect(callers.map(({ principal }) => principal).sort()).toEqual(['operator', 'research']);
    expect(new Set(callers.map(({ key }) => key)).size).toBe(2);
    expect(endpoint.sessions).toBe(2);
  });

  it('refuses a client id that has no grant, and says so', async () => {
    const { endpoint, relay } = await serve();
    await expect(clientV1(transport(endpoint, { clientId: 'stranger' }))).rejects.toThrow(/may not use the gateway/);
    expect(relay.requests).toEqual([]);
    expect(endpoint.sessions).toBe(0);
  });

  it('does not let another client that claims an id disturb the session of that id', async () => {
    const { endpoint, relay } = await serve();
    const scout = transport(endpoint, { clientId: 'scout-real' });
    const client = await clientV1(scout);
    const waiting = client.call('wait');
    await vi.waitFor(() => expect(relay.requests.at(-1)?.request.method).toBe('tools/call'));
    const { client: impostor } = await watcher();
    const control = `$mcp-server/${endpoint.server.id}/${endpoint.server.name}`;
    // With the id of the call that waits: its client would take the answer for that of the call.
    await sends(impostor, control, initialize(1, { sampling: {} }), 'scout-real');
    await sends(impostor, control, initialize(77, { sampling: {} }), 'scout-real');
    await sends(impostor, control, initialize(78, { sampling: {} }), 'scout-real');
    await vi.waitFor(() => expect(relay.requests.at(-1)?.request).toMatchObject({ method: 'initialize', id: 77 }));
    expect(await client.call('echo', { still: 'there' })).toContain('there');
    expect(relay.requests.at(-1)?.caller.capabilities).toEqual({});
    expect(relay.requests.filter(({ request }) => request.method === 'initialize')).toHaveLength(2);
    expect(relay.cancelled).toEqual([]);
    relay.released.resolve();
    expect(await waiting).toBe('waited');
  });

  it('gives a client that starts over under its id a new session, and ends the old one', async () => {
    const { endpoint, relay } = await serve();
    const first = await clientV1(transport(endpoint, { clientId: 'scout-again' }));
    const waiting = first.call('wait').catch((error: Error) => error);
    await vi.waitFor(() => expect(relay.requests.at(-1)?.request.method).toBe('tools/call'));
    // The broker gives the id to the new connection, and sends the will of the old one.
    const second = await clientV1(transport(endpoint, { clientId: 'scout-again' }));
    expect(await waiting).toBeInstanceOf(Error);
    expect(await second.call('echo', { a: 1 })).toContain('1');
    await vi.waitFor(() => expect(relay.cancelled).toHaveLength(1));
    expect(endpoint.sessions).toBe(1);
  });

  it.each([
    ['leaves', (made: MqttClientTransport) => made.close()],
    ['is cut off, by its will', (made: MqttClientTransport) => made.cut()],
  ])('ends the session and cancels the calls of a client that %s', async (_, leave) => {
    const { endpoint, relay } = await serve();
    const made = transport(endpoint);
    const client = await clientV1(made);
    const waiting = client.call('wait').catch((error: Error) => error);
    await vi.waitFor(() => expect(relay.requests.at(-1)?.request.method).toBe('tools/call'));
    await leave(made);
    await vi.waitFor(() => expect(relay.cancelled).toHaveLength(1));
    await vi.waitFor(() => expect(relay.closedSessions).toBe(1));
    expect(endpoint.sessions).toBe(0);
    expect(await waiting).toBeInstanceOf(Error);
  });

  it('announces a list change once, to all clients, and passes on what they say of theirs', async () => {
    const { endpoint, relay } = await serve();
    const made = transport(endpoint);
    const clients = await Promise.all([clientV1(made), clientV2(transport(endpoint), 'legacy')]);
    const { seen } = await watcher(`$mcp-server/capability/${endpoint.server.id}/#`);
    await vi.waitFor(() => expect(relay.sessions.size).toBe(2));
    for (const session of relay.sessions) session.notify(notification('notifications/tools/list_changed'));
    await vi.waitFor(() => expect(clients.map((client) => client.listChanges())).toEqual([1, 1]));
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    await sends(made.mqtt, `$mcp-client/capability/${made.clientId}`, notification('notifications/roots/list_changed'));
    await vi.waitFor(() =>
      expect(relay.notifications.map(({ notification: { method } }) => method)).toEqual([
        'notifications/roots/list_changed',
      ]),
    );
    // A second one would have come before that.
    expect(seen).toHaveLength(1);
  });

  it('answers what is no request of a session precisely, and stays up', async () => {
    const { endpoint } = await serve();
    const { client, seen } = await watcher(rpcOf(endpoint, 'scout-raw'));
    const rpc = rpcOf(endpoint, 'scout-raw');
    const control = `$mcp-server/${endpoint.server.id}/${endpoint.server.name}`;
    const answers = () => seen.flatMap(({ text }) => (text.includes('"error":') ? [JSON.parse(text)] : []));
    const answered = async (code: string, id: unknown) => {
      await vi.waitFor(() => expect(answers().at(-1)).toMatchObject({ id, error: { data: { code } } }));
    };
    await sends(client, rpc, { jsonrpc: '2.0', id: 7, method: 'tools/list' });
    await answered('SWB_SESSION_NOT_FOUND', 7);
    await sends(client, rpc, '{"jsonrpc":');
    await answered('SWB_PARSE', null);
    await sends(client, rpc, `{"jsonrpc":"2.0","id":9,"method":"x","params":{"a":"${'y'.repeat(70_000)}"}}`);
    await answered('SWB_BODY_TOO_LARGE', 9);
    await sends(client, rpc, `{"method":"x","params":{"a":"${'y'.repeat(200_000)}"},"jsonrpc":"2.0","id":"last"}`);
    await answered('SWB_BODY_TOO_LARGE', 'last');
    await sends(client, control, { jsonrpc: '2.0', id: 3, method: 'tools/list' }, 'scout-raw');
    await answered('SWB_INVALID_REQUEST', 3);
    const before = seen.length;
    for (const payload of ['', '[]', 'null', '{}', '{"jsonrpc":"2.0","method":"notifications/initialized"}']) {
      await sends(client, rpc, payload);
      await sends(client, control, payload);
      await sends(client, `$mcp-client/presence/scout-raw`, payload);
      await sends(client, `$mcp-client/capability/scout-raw`, payload);
    }
    const good = await clientV1(transport(endpoint));
    expect(await good.call('echo')).toBe('{}');
    expect(seen.length - before).toBeLessThanOrEqual(10);
  });

  it('takes nothing that was retained for a message', async () => {
    const id = `gw-${randomUUID()}`;
    const { client, seen } = await watcher(`$mcp-rpc/scout-old/${id}/gateway/test`);
    const retained = [`$mcp-server/${id}/gateway/test`, `$mcp-rpc/scout-old/${id}/gateway/test`];
    const properties = { userProperties: { 'MCP-MQTT-CLIENT-ID': 'scout-old' } };
    for (const topic of retained) {
      await client.publishAsync(topic, JSON.stringify(initialize(1)), { qos: 1, retain: true, properties });
    }
    const { endpoint, relay } = await serve({ serverId: id });
    expect(await (await clientV1(transport(endpoint))).call('echo')).toBe('{}');
    expect(relay.requests.filter(({ request }) => request.method === 'initialize')).toHaveLength(1);
    expect(seen).toHaveLength(1);
    for (const topic of retained) await client.publishAsync(topic, '', { qos: 1, retain: true });
  });

  it('tells a client whose reply the broker does not take why there is none', async () => {
    const { endpoint, relay } = await serve();
    relay.on('prompts/list', () => ({ value: { prompts: [], pad: 'x'.repeat(300_000) } }));
    const made = transport(endpoint);
    const client = await clientV1(made);
    const { seen } = await watcher(rpcOf(endpoint, made.clientId));
    await made.send({ jsonrpc: '2.0', id: 'big-1', method: 'prompts/list' });
    await vi.waitFor(() => expect(seen.some(({ text }) => text.includes('SWB_REPLY_TOO_LARGE'))).toBe(true));
    expect(seen.some(({ text }) => text.includes('"id":"big-1","error"'))).toBe(true);
    await expect(client.call('echo')).resolves.toBe('{}');
  });

  it('has room for so many sessions, of which one principal may hold half', async () => {
    const limits = { maxSessions: 3, sessionIdleMs: 60_000, maxBodyBytes: 64 * 1024 };
    const { endpoint } = await serve({ limits });
    await clientV1(transport(endpoint));
    const second = await clientV1(transport(endpoint));
    await expect(clientV1(transport(endpoint))).rejects.toThrow(/This grant has 2 sessions in use/);
    await clientV1(transport(endpoint, { clientId: 'ops-a' }));
    await expect(clientV1(transport(endpoint, { clientId: 'ops-b' }))).rejects.toThrow(/has 3 sessions in use/);
    await second.close();
    await vi.waitFor(() => expect(endpoint.sessions).toBe(2));
    await clientV1(transport(endpoint));
  });

  it('asks an idle client for a sign of life, and ends its session when there is none', async () => {
    const limits = { maxSessions: 10, sessionIdleMs: 300, maxBodyBytes: 64 * 1024 };
    const { endpoint, relay } = await serve({ limits, patienceMs: 3_000 });
    const alive = await clientV1(transport(endpoint));
    // A client that subscribes, initializes, and says nothing more.
    const { client, seen } = await watcher(rpcOf(endpoint, 'scout-silent'));
    await sends(client, `$mcp-server/${endpoint.server.id}/${endpoint.server.name}`, initialize(1), 'scout-silent');
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    await sends(client, rpcOf(endpoint, 'scout-silent'), notification('notifications/initialized'));
    await vi.waitFor(() => expect(endpoint.sessions).toBe(2));
    await vi.waitFor(() => expect(seen.some(({ text }) => text.includes('"method":"ping"'))).toBe(true), 5_000);
    await vi.waitFor(() => expect(endpoint.sessions).toBe(1), 5_000);
    expect(relay.closedSessions).toBe(1);
    expect(await alive.call('echo')).toBe('{}');
  });

  it('forgets a session that is opened and never used', async () => {
    const { endpoint, relay } = await serve({ patienceMs: 200 });
    const { client, seen } = await watcher(rpcOf(endpoint, 'scout-claimed'));
    await sends(client, `$mcp-server/${endpoint.server.id}/${endpoint.server.name}`, initialize(1), 'scout-claimed');
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    await vi.waitFor(() => expect(relay.closedSessions).toBe(1));
    expect(endpoint.sessions).toBe(0);
  });

  it('ends the sessions of identities that lose their validity', async () => {
    let valid = true;
    const { endpoint, relay } = await serve({ isValid: ({ grant }) => valid || grant !== 'research' });
    const scout = await clientV1(transport(endpoint));
    const ops = await clientV1(transport(endpoint, { clientId: 'ops-1' }));
    const waiting = scout.call('wait').catch((error: Error) => error);
    await vi.waitFor(() => expect(relay.requests.at(-1)?.request.method).toBe('tools/call'));
    valid = false;
    endpoint.revoke(() => true);
    await vi.waitFor(() => expect(relay.cancelled).toHaveLength(1));
    expect(await ops.call('echo')).toBe('{}');
    await expect(scout.call('echo')).rejects.toThrow(/session is unknown/);
    await expect(clientV1(transport(endpoint))).rejects.toThrow(/may not use/);
    void waiting;
  });

  it('goes offline in order, and by its will when another program takes its id', async () => {
    const { endpoint } = await serve();
    const { seen } = await watcher(presenceOf(endpoint));
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    await endpoint.close();
    await vi.waitFor(() => expect(seen.map(({ text }) => text.length > 0)).toEqual([true, false]));
    await isOnline(endpoint, false);

    const { endpoint: second } = await serve();
    const thief = await connectAsync(broker.url, {
      protocolVersion: 5,
      reconnectPeriod: 0,
      clientId: second.server.id,
    });
    await thief.endAsync();
    // It comes back by itself.
    const { seen: presence } = await watcher(presenceOf(second));
    await isOnline(second, true);
    await vi.waitFor(() => expect(presence.at(-1)?.text).toContain('online'));
  });

  it('ends its sessions when the broker goes mute, and comes back when it speaks again', async () => {
    const own = await startMosquitto();
    open.push({ close: () => own.stop() });
    const settings = { url: new URL(own.url), login: {}, keepaliveSeconds: 1 };
    const { endpoint, relay } = await serve({ broker: settings }, own);
    const client = await clientV1(transport(endpoint, {}, own));
    const waiting = client.call('wait').catch((error: Error) => error);
    await vi.waitFor(() => expect(relay.requests.at(-1)?.request.method).toBe('tools/call'));
    own.pause();
    await vi.waitFor(() => expect(relay.cancelled).toHaveLength(1), 10_000);
    expect(endpoint.sessions).toBe(0);
    own.resume();
    await isOnline(endpoint, true, own);
    expect(await waiting).toBeInstanceOf(Error);
    expect(await (await clientV1(transport(endpoint, {}, own))).call('echo')).toBe('{}');
  });

  it('comes back after the broker was restarted, with nothing left of its sessions', async () => {
    const { endpoint, relay } = await serve();
    const client = await clientV1(transport(endpoint));
    const waiting = client.call('wait').catch((error: Error) => error);
    await vi.waitFor(() => expect(relay.requests.at(-1)?.request.method).toBe('tools/call'));
    await broker.kill();
    expect(await waiting).toBeInstanceOf(Error);
    await vi.waitFor(() => expect(relay.cancelled).toHaveLength(1));
    expect(endpoint.sessions).toBe(0);
    await broker.start();
    await isOnline(endpoint, true);
    expect(await (await clientV1(transport(endpoint))).call('echo')).toBe('{}');
    expect(relay.requests.filter(({ request }) => request.params?.name === 'wait')).toHaveLength(1);
  });
});
