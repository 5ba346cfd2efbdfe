/**
 * The four published PolicyLayer documents, as they ship in examples/systems/policies, in front of the very servers they were written
 * for: the MQTTX SSE server, LiveTap (stand-ins with the same tools) and `connectServer`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ClientKind, Clients, type TestClient } from '../e2e/clients.ts';
import { FIXTURES_ALLOWED, type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type Broker, startBroker } from '../fixtures/aedes.ts';
import { LIVETAP_TOOLS } from '../fixtures/livetap/tools.ts';
import { type MqttxServer, startMqttx } from '../fixtures/mqttx/server.ts';
import { MQTTX_TOOLS } from '../fixtures/mqttx/tools.ts';
import { denialOf } from '../policy/gateway.ts';
import { grant } from '../policy/grants.ts';

const KINDS = ['v1', 'v2-legacy', 'v2-modern'] satisfies ClientKind[];
/** 17 seconds into a minute of UTC. */
const NOW = Date.UTC(2026, 10, 20, 12, 0, 17);

const document = (tool: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../../examples/systems/policies/${tool}.json`), 'utf8'));

const wide = { policy: { version: '1', default: 'allow' } };
const keys = KINDS.map((kind) => ({
  kind,
  /** The document of one server binds everybody; the grant may do all it leaves. */
  servers: grant(wide),
  builtin: grant({ policy: document('connectServer') }),
}));

let broker: Broker;
let mqttx: MqttxServer;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  // Before the gateway is made: it keeps the clock it finds. Only the date stands still, no timer does.
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
  broker = await startBroker();
  mqttx = await startMqttx();
  const livetap = { command: process.execPath, args: [join(import.meta.dirname, '../fixtures/livetap/server.ts')] };
  gateway = await startReadyGateway({
    servers: {
      connect: { url: mqttx.url, policy: document('mqttConnect') },
      disconnect: { url: mqttx.url, policy: document('mqttDisconnect') },
      livetap: { ...livetap, policy: document('create_connection') },
    },
    gateway: {
      ...FIXTURES_ALLOWED,
      grants: Object.fromEntries(
        keys.flatMap(({ kind, servers, builtin }) => [
          [kind, servers.entry],
          [`${kind}-builtin`, builtin.entry],
        ]),
      ),
    },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  vi.useRealTimers();
  await gateway?.close();
  await mqttx?.close();
  await broker?.close();
});

/** What kept a call from its server; undefined where it got there, whatever the server said to it. */
const stopped = (client: TestClient, tool: string, args: Record<string, unknown> = {}) =>
  client.call(tool, args).then(denialOf, () => undefined);

const times = async (client: TestClient, count: number, tool: string, args: (n: number) => Record<string, unknown>) => {
  const codes = [];
  for (let n = 0; n < count; n++) codes.push((await stopped(client, tool, args(n)))?.code);
  return codes;
};

const limited = (policy: string, tool: string, max: number) => ({
  code: 'SWB_RATE_LIMITED',
  policy,
  rule: `/tools/${tool}/limits/${tool.toLowerCase()}_rate`,
  max,
  window: 'minute',
  retryAfterMs: 43_000,
});

describe.each(keys)('with a $kind client', ({ kind, servers, builtin }) => {
  const open = ({ headers } = servers) => clients.connect(kind, { http: gateway.url, headers });

  it('mqttConnect passes ten times a minute, and no other tool of its server does', async () => {
    const client = await open();
    const access = (n: number) => ({ host: '127.0.0.1', port: broker.port, clientId: `${kind}-${n}` });
    expect(await times(client, 10, 'connect__mqttConnect', access)).toEqual(Array(10).fill(undefined));
    expect(broker.clients()).toContain(`${kind}-9`);
    expect(await stopped(client, 'connect__mqttConnect', access(10))).toMatchObject(
      limited('server:connect', 'mqttConnect', 10),
    );
    expect((await client.tools()).filter((name) => name.startsWith('connect__'))).toEqual(['connect__mqttConnect']);
    for (const { name } of MQTTX_TOOLS.filter((tool) => tool.name !== 'mqttConnect')) {
      expect(await stopped(client, `connect__${name}`), name).toMatchObject({ rule: '(default deny)' });
    }
  });

  it('mqttDisconnect passes sixty times a minute', async () => {
    const client = await open();
    expect(await times(client, 60, 'disconnect__mqttDisconnect', () => ({}))).toEqual(Array(60).fill(undefined));
    expect(await stopped(client, 'disconnect__mqttDisconnect')).toMatchObject(
      limited('server:disconnect', 'mqttDisconnect', 60),
    );
    expect(await stopped(client, 'disconnect__mqttConnect')).toMatchObject({ rule: '(default deny)' });
  });

  it('create_connection passes thirty times a minute, and no other tool of LiveTap does', async () => {
    const client = await open();
    const webhook = () => ({ type: 'webhook' });
    expect(await times(client, 30, 'livetap__create_connection', webhook)).toEqual(Array(30).fill(undefined));
    expect(await stopped(client, 'livetap__create_connection', webhook())).toMatchObject(
      limited('server:livetap', 'create_connection', 30),
    );
    for (const { name } of LIVETAP_TOOLS.filter((tool) => tool.name !== 'create_connection')) {
      expect(await stopped(client, `livetap__${name}`), name).toMatchObject({ rule: '(default deny)' });
    }
  });

  it('connectServer passes thirty times a minute, and nothing else does', async () => {
    const client = await open(builtin);
    expect(await client.tools()).toEqual(['connectServer']);
    // Nothing listens there: connecting fails, and counts.
    const absent = () => ({ url: 'http://127.0.0.1:9/mcp' });
    expect(await times(client, 30, 'connectServer', absent)).toEqual(Array(30).fill(undefined));
    expect(await stopped(client, 'connectServer', absent())).toMatchObject(
      limited(`grant:${kind}-builtin`, 'connectServer', 30),
    );
    for (const name of ['listServers', 'disconnectServer', 'connect__mqttConnect', 'livetap__status']) {
      expect(await stopped(client, name), name).toMatchObject({ rule: '(default deny)' });
    }
  });
});
