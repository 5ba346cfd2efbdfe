import { randomUUID } from 'node:crypto';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BrokerLogin } from '../../../src/core/broker.ts';
import { BROKER_DEFAULTS } from '../../../src/core/broker.ts';
import { fixedHeaders } from '../../../src/core/credentials.ts';
import { identityOf } from '../../../src/core/identity.ts';
import { type ServerOptions, startV1Mqtt } from '../../../test/fixtures/mcp/mqtt.ts';
import { hasMosquitto, type Mosquitto, startMosquitto } from '../../../test/fixtures/mosquitto.ts';
import { codeOf } from '../../cases.ts';
import { fakeCall } from '../../testing/call.ts';
import { type ContextOverrides, fakeDetectContext } from '../../testing/context.ts';
import { mcpAdapter } from '../index.ts';
import { connections, textOf, toolCall } from '../testing/connected.ts';

const USERS = { gateway: 'pw-gateway', scout: 'pw-scout', server: 'pw-server', outsider: 'pw-outsider' };
const ALL = ['$mcp-server/#', '$mcp-client/#', '$mcp-rpc/#', 'echo/#']
  .map((topic) => `topic readwrite ${topic}`)
  .join('\n');
/** The outsider may look for servers and open sessions, and nothing more. */
const ACL = `
user gateway
${ALL}
user scout
${ALL}
user server
${ALL}
user outsider
topic read $mcp-server/presence/#
topic write $mcp-server/+/locked/#
`;

/** What Mosquitto logs by itself, and subscriptions. */
const LOGGED = ['error', 'warning', 'notice', 'information', 'subscribe'].map((type) => `log_type ${type}`);

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => Promise.reject(new Error('It did not fail.')),
    (error: Error) => error,
  );

describe.runIf(hasMosquitto())('an MCP server at a broker', () => {
  let broker: Mosquitto;
  const { connect, closing } = connections();

  beforeAll(async () => {
    broker = await startMosquitto({ users: USERS, acl: ACL, more: LOGGED });
  });
  afterAll(() => broker?.stop());

  const loginOf = (user: keyof typeof USERS) => ({ username: user, password: USERS[user] });
  const start = async (options: ServerOptions = {}) =>
    closing(await startV1Mqtt(broker.url, { name: `own/${randomUUID()}`, ...loginOf('server'), ...options }));
  const target = (login: BrokerLogin = loginOf('gateway')) => ({
    transport: 'mqtt' as const,
    url: broker.url,
    headers: {},
    broker: { ...BROKER_DEFAULTS, ...login },
  });
  const reach = (options: Record<string, unknown>, overrides: ContextOverrides = {}, login?: BrokerLogin) =>
    connect(target(login), { ...overrides, options });

  describe('is found', () => {
    it('by its name, by a filter that matches it alone, and by instance', async () => {
      const place = randomUUID();
      const [one, other] = [await start({ name: `${place}/a/x` }), await start({ name: `${place}/b/x` })];
      const twin = await start({ name: one.name });
      for (const serverName of [one.name, `${place}/a/+`, `+/a/#`]) {
        const { upstream } = await reach({ serverName });
        expect(textOf(await upstream.request(...toolCall('echo', { text: 'here' }), fakeCall()))).toBe('here');
      }
      const before = twin.sessions();
      await reach({ serverName: one.name, serverId: twin.id });
      expect(twin.sessions()).toBe(before + 1);
      expect(other.sessions()).toBe(0);
    });

    it('without a name when it is the only one; several are named in the error', async () => {
      const own = await startMosquitto();
      closing({ close: () => own.stop() });
      const at = { ...target({}), url: own.url };
      const first = closing(await startV1Mqtt(own.url, { name: 'lab/one' }));
      const { upstream } = await connect(at);
      expect(upstream.serverInfo?.name).toBe('fixture-v1');
      expect(first.sessions()).toBe(1);
      closing(await startV1Mqtt(own.url, { name: 'lab/two' }));
      const failed = await failure(connect(at));
      expect(failed).toMatchObject({ code: 'SWB_CONFIG', message: expect.stringContaining('"lab/one", "lab/two"') });
      expect(await mcpAdapter.detect(new URL(own.url), fakeDetectContext())).toBe(true);
    });

    it('only by the notification that it is online: garbage that is retained there is no server', async () => {
      const { client } = await start();
      const name = `garbage/${randomUUID()}`;
      const garbage = ['online', '{"method":"notifications/server/offline"}', '\xff'.repeat(10), '[1]'];
      const topics = garbage.map((_, i) => `$mcp-server/presence/x${i}/${name}`);
      const retained = { qos: 1, retain: true } as const;
      await Promise.all(topics.map((topic, i) => client.publishAsync(topic, garbage[i] as string, retained)));
      const failed = await failure(reach({ serverName: name }));
      expect(failed).toMatchObject({ code: 'SWB_UPSTREAM_UNAVAILABLE', message: expect.stringContaining(name) });
      await Promise.all(topics.map((topic) => client.publishAsync(topic, '', retained)));
    });

    it('when it comes online while it is looked for', async () => {
      const server = await start({ name: `late/${randomUUID()}`, hidden: true });
      const connecting = reach({ serverName: server.name });
      await vi.waitFor(() => expect(broker.log()).toContain(`$mcp-server/presence/+/${server.name}`));
      await server.announce();
      const { upstream } = await connecting;
      expect(textOf(await upstream.request(...toolCall('echo', { text: 'back' }), fakeCall()))).toBe('back');
    });

    it('not over MQTT 3.1.1, which has none of what the form needs', async () => {
      const old = { ...target(), broker: { ...target().broker, version: '3.1.1' as const } };
      expect(await failure(connect(old))).toMatchObject({ code: 'SWB_CONFIG' });
    });
  });

  it('that goes offline ends every waiting call, in order or by its will', async () => {
    for (const leave of ['close', 'kill'] as const) {
      const server = await start();
      const { upstream, context } = await reach({ serverName: server.name });
      const calls = [1, 2, 3].map(() => failure(upstream.request(...toolCall('slow'), fakeCall())));
      await vi.waitFor(() => expect(server.ledger.count('slow:started')).toBe(3));
      await server[leave]();
      for (const failed of await Promise.all(calls)) {
        expect(failed).toMatchObject({ code: 'SWB_UPSTREAM_UNAVAILABLE', message: expect.stringContaining('offline') });
      }
      expect(context.downs).toHaveLength(1);
    }
  });

  it('has a session per caller where they are isolated, each a connection with the login of its caller', async () => {
    const server = await start();
    const scout = loginOf('scout');
    const credentials = {
      ...fixedHeaders({}),
      loginFor: ({ principal }: { principal: string }) => (principal === 'scout' ? scout : undefined),
    };
    const { upstream } = await reach({ serverName: server.name }, { isolation: 'caller', credentials });
    const callers = [
      { key: 'k1', principal: 'scout', identity: identityOf('scout') },
      { key: 'k2', principal: 'ops', identity: identityOf('ops') },
    ];
    for (const caller of callers) await upstream.request(...toolCall('echo', { text: 'x' }), fakeCall({ caller }));
    expect(server.sessions()).toBe(3);
    await vi.waitFor(() => expect(broker.log()).toMatch(/as switchboard-[0-9a-f]{16} \(p5, c1, k30, u'scout'\)/));
    upstream.release?.('k1');
    await vi.waitFor(() => expect(server.sessions()).toBe(2));
  });

  it('loses the session of one caller alone when another program takes its client id', async () => {
    const server = await start();
    const ids = () => [...broker.log().matchAll(/as (switchboard-[0-9a-f]{16}) /g)].map(([, id]) => id as string);
    const before = ids().length;
    const { upstream, context } = await reach({ serverName: server.name }, { isolation: 'caller' });
    const caller = { key: 'k1' };
    const running = failure(upstream.request(...toolCall('slow'), fakeCall({ caller })));
    await vi.waitFor(() => expect(server.ledger.count('slow:started')).toBe(1));
    // The gateway's and the caller's.
    await vi.waitFor(() => expect(ids()).toHaveLength(before + 2));
    const thief = await connectAsync(broker.url, {
      protocolVersion: 5,
      reconnectPeriod: 0,
      clientId: ids().at(-1) as string,
      ...loginOf('server'),
    });
    expect(codeOf(await running)).toBe('SWB_UPSTREAM_UNAVAILABLE');
    await thief.endAsync();
    expect(context.downs).toEqual([]);
    // The server has seen the will, and a new session works.
    await vi.waitFor(() => expect(server.ledger.count('slow:cancelled')).toBe(1));
    expect(textOf(await upstream.request(...toolCall('echo', { text: 'new' }), fakeCall({ caller })))).toBe('new');
  });

  it('is told that a client has gone when the gateway closes', async () => {
    const server = await start();
    const { upstream } = await reach({ serverName: server.name });
    expect(server.sessions()).toBe(1);
    await upstream.close();
    await vi.waitFor(() => expect(server.sessions()).toBe(0));
  });

  it('has its list changes and resource updates heard, on the topic all clients share or on the own one', async () => {
    const server = await start();
    const { upstream } = await reach({ serverName: server.name });
    const changes: string[] = [];
    upstream.listen({ lists: true }, (change) => void changes.push(change.type === 'list' ? change.kind : change.type));
    const shared = `$mcp-server/capability/${server.id}/${server.name}`;
    await server.client.publishAsync(shared, '{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}', {
      qos: 1,
    });
    await vi.waitFor(() => expect(changes).toContain('prompts'));
    server.world.addTool();
    await vi.waitFor(() => expect(changes).toContain('tools'));
  });

  it('whose messages make no sense fails no call that is answered after all', async () => {
    const server = await start();
    const { upstream, context } = await reach({ serverName: server.name });
    const call = upstream.request(...toolCall('slow', { ms: 300 }), fakeCall());
    await vi.waitFor(() => expect(server.ledger.count('slow:started')).toBe(1));
    for (const payload of [
      '',
      'nonsense',
      '{"jsonrpc":"2.0"',
      '[]',
      '{"jsonrpc":"2.0","id":999999,"result":{}}',
      'null',
    ]) {
      server.toClients(payload);
    }
    await expect(call).resolves.toBeDefined();
    expect(context.downs).toEqual([]);
  });

  it('whose reply is over the limit fails that call alone', async () => {
    const server = await start();
    const { upstream } = await reach({ serverName: server.name }, { maxReplyBytes: 100_000 });
    const other = upstream.request(...toolCall('slow', { ms: 500 }), fakeCall());
    await vi.waitFor(() => expect(server.ledger.count('slow:started')).toBe(1));
    for (const bytes of [120_000, 500_000, 3_000_000]) {
      const large = await failure(upstream.request(...toolCall('big', { bytes }), fakeCall()));
      expect(codeOf(large)).toBe('SWB_REPLY_TOO_LARGE');
    }
    await expect(other).resolves.toBeDefined();
  });

  it('that is gone although its presence was left behind is noticed at once', async () => {
    const { client } = await start();
    const name = `left/${randomUUID()}`;
    const topic = `$mcp-server/presence/nobody/${name}`;
    const online = '{"jsonrpc":"2.0","method":"notifications/server/online","params":{}}';
    await client.publishAsync(topic, online, { qos: 1, retain: true });
    // The deadline of the attempt would say something else.
    const failed = await failure(reach({ serverName: name }));
    expect(failed).toMatchObject({ code: 'SWB_UPSTREAM_UNAVAILABLE', message: expect.stringContaining('offline') });
    await client.publishAsync(topic, '', { qos: 1, retain: true });
  });

  it('answers nothing to a login that the broker lets do too little, and the gateway says which', async () => {
    const wrong = await failure(reach({ serverName: 'x' }, {}, { username: 'gateway', password: 'wrong' }));
    expect(codeOf(wrong)).toBe('SWB_UPSTREAM_AUTH');
    const server = await start({ name: `open/${randomUUID()}` });
    const refused = await failure(reach({ serverName: server.name }, {}, loginOf('outsider')));
    expect(refused).toMatchObject({ code: 'SWB_UPSTREAM_AUTH', message: expect.stringContaining('unauthorized') });
  });

  it('that is mute lets the connect deadline pass, and a broker that goes mute ends calls by its keepalive', async () => {
    const mute = await start({ mute: true });
    const deadline = AbortSignal.timeout(600);
    expect(codeOf(await failure(reach({ serverName: mute.name }, { signal: deadline })))).toBe(
      'SWB_UPSTREAM_UNAVAILABLE',
    );

    const own = await startMosquitto();
    closing({ close: () => own.stop() });
    const server = closing(await startV1Mqtt(own.url));
    const { upstream, context } = await connect({
      ...target({}),
      url: own.url,
      // No less: the broker ends a connection that is silent for half as long again, as this process may be on a busy machine.
      broker: { ...BROKER_DEFAULTS, keepaliveSeconds: 4 },
    });
    const running = failure(upstream.request(...toolCall('slow'), fakeCall()));
    await vi.waitFor(() => expect(server.ledger.count('slow:started')).toBe(1));
    own.pause();
    try {
      expect(codeOf(await running)).toBe('SWB_UPSTREAM_UNAVAILABLE');
      expect(context.downs).toHaveLength(1);
    } finally {
      own.resume();
    }
  });

  it('behind a broker that is killed fails its calls at once', async () => {
    const own = await startMosquitto();
    closing({ close: () => own.stop() });
    const server = closing(await startV1Mqtt(own.url));
    const { upstream, context } = await connect({ ...target({}), url: own.url });
    const running = failure(upstream.request(...toolCall('slow'), fakeCall()));
    await vi.waitFor(() => expect(server.ledger.count('slow:started')).toBe(1));
    await own.kill();
    const failed = await running;
    expect(codeOf(failed)).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect(failed.message).not.toMatch(/127\.0\.0\.1/);
    expect(context.downs).toHaveLength(1);
  });

  it('answers 1,000 calls at one time, none of them lost', async () => {
    const server = await start();
    const { upstream } = await reach({ serverName: server.name });
    const replies = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => upstream.request(...toolCall('echo', { text: `n${i}` }), fakeCall())),
    );
    expect(replies.map(textOf)).toEqual(Array.from({ length: 1_000 }, (_, i) => `n${i}`));
  });
});
