/**
 * LiveTap behind the gateway: its thirteen tools, its four sources, its alerts to their owner alone, and the policy that ships for it.
 * The server is a stand-in with the same tools, texts and notifications; brokers and sockets are real.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseJsonc } from '../../src/config/jsonc.ts';
import { type ClientKind, Clients, type TestClient, textOf } from '../e2e/clients.ts';
import { gatewayFolder, type OwnGateway, startReadyGateway, stdioCommand } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type Broker, startBroker } from '../fixtures/aedes.ts';
import { LIVETAP_TOOLS } from '../fixtures/livetap/tools.ts';
import { denialOf } from '../policy/gateway.ts';
import { grant } from '../policy/grants.ts';

const LEGACY = ['v1', 'v2-legacy'] satisfies ClientKind[];
const EVERY = [...LEGACY, 'v2-modern'] satisfies ClientKind[];
const EXAMPLES = join(import.meta.dirname, '../../examples/systems');
const PASSWORD = 'pw-of-the-broker';
const FIXTURE = {
  LIVETAP_COMMAND: process.execPath,
  LIVETAP_CHANNEL: join(import.meta.dirname, '../fixtures/livetap/server.ts'),
  LIVETAP_PORT: '0',
};
const CHANNEL = 'notifications/claude/channel';

const everything = { version: '1', default: 'allow' };
const owners = { ann: grant({ policy: everything }), bob: grant({ policy: everything }) };
const guest = grant({ servers: ['ann'], policy: everything });

let broker: Broker;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  broker = await startBroker({ users: { scout: PASSWORD } });
  const { value } = parseJsonc(readFileSync(join(EXAMPLES, 'livetap.jsonc'), 'utf8')) as {
    value: { mcpServers: { livetap: Record<string, unknown> } };
  };
  const { livetap } = value.mcpServers;
  const bare = { ...livetap, policy: everything };
  gateway = await startReadyGateway({
    servers: {
      livetap: { ...livetap, policy: JSON.parse(readFileSync(join(EXAMPLES, 'policies/livetap.json'), 'utf8')) },
      // A process for each tenant, and one for each client.
      ann: bare,
      bob: bare,
      apart: { ...bare, isolation: 'caller' },
    },
    gateway: {
      audit: true,
      grants: {
        ann: { ...owners.ann.entry, servers: ['ann', 'livetap', 'apart'] },
        bob: { ...owners.bob.entry, servers: ['bob', 'livetap', 'apart'] },
        guest: guest.entry,
      },
      hooks: [
        {
          use: 'rewrite-arguments',
          servers: ['ann'],
          options: { rules: [{ tools: ['create_connection'], set: { password: `\${BROKER_PASSWORD}` } }] },
        },
      ],
    },
    env: { ...FIXTURE, BROKER_PASSWORD: PASSWORD },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await broker?.close();
});

const open = (kind: ClientKind, { headers } = owners.ann): Promise<TestClient> =>
  clients.connect(kind, { http: gateway.url, headers });

type Answer = Record<string, unknown> & { connectionId: string };

/** What a tool answers, which is JSON in a text. */
async function ask(client: TestClient, tool: string, args: Record<string, unknown> = {}): Promise<Answer> {
  const result = await client.call(tool, args);
  expect(result.isError, textOf(result)).not.toBe(true);
  return JSON.parse(textOf(result));
}

const mqtt = (topic: string) => ({
  type: 'mqtt',
  broker: '127.0.0.1',
  port: broker.port,
  topics: [topic],
  username: 'scout',
  password: PASSWORD,
});

const alerts = (client: TestClient): Record<string, unknown>[] =>
  client.heard(CHANNEL).map(({ content }) => JSON.parse(String(content)));

/** Watches a webhook of its own for `n` over 5, and gives a way to send one. */
async function watched(client: TestClient, server: string): Promise<(n: number) => Promise<unknown>> {
  const { connectionId, ingestUrl } = await ask(client, `${server}__create_connection`, { type: 'webhook' });
  const conditions = [{ field: 'n', op: '>', value: 5 }];
  await ask(client, `${server}__create_watcher`, { connectionId, conditions, cooldown: 0 });
  return (n) => fetch(String(ingestUrl), { method: 'POST', body: JSON.stringify({ n }) });
}

describe.each(EVERY)('the tools of LiveTap for a %s client', (kind) => {
  it('are thirteen, with arguments of any type where the server says so', async () => {
    const client = await open(kind);
    const names = LIVETAP_TOOLS.map(({ name }) => `livetap__${name}`).sort();
    expect((await client.tools()).filter((name) => name.startsWith('livetap__')).sort()).toEqual(names);
    const { tools } = (await client.request('tools/list')) as { tools: { name: string; inputSchema: object }[] };
    for (const { name, inputSchema } of LIVETAP_TOOLS) {
      expect(tools.find((tool) => tool.name === `livetap__${name}`)?.inputSchema).toEqual(inputSchema);
    }
  });

  it('open a broker, read its stream, watch it, and end', async () => {
    const client = await open(kind);
    const { connectionId, status } = await ask(client, 'ann__create_connection', mqtt(`${kind}/t`));
    expect(status).toBe('connected');
    expect(connectionId).toMatch(/^conn_[0-9a-f]{8}$/);
    await broker.publish(`${kind}/t`, '{"sensor":{"n":21}}');
    const fields = { topic: `${kind}/t`, payload: '{"sensor":{"n":21}}' };
    await until(async () => {
      const { entries } = await ask(client, 'ann__read_stream', { connectionId });
      return JSON.stringify(entries).includes('21') && (expect(entries).toMatchObject([{ fields }]) ?? true);
    }, 'the message to be read');
    const watcher = await ask(client, 'ann__create_watcher', {
      connectionId,
      conditions: [{ field: 'sensor.n', op: '>', value: 20 }],
      action: 'channel_alert',
      cooldown: 0,
    });
    await broker.publish(`${kind}/t`, '{"sensor":{"n":22}}');
    await until(
      async () => (await ask(client, 'ann__get_watcher', { watcherId: watcher.id })).matchCount === 1,
      'the watcher to have seen it',
    );
    expect((await ask(client, 'ann__get_watcher_logs', { watcherId: watcher.id })).logs).toHaveLength(2);
    expect(await ask(client, 'ann__delete_watcher', { watcherId: watcher.id })).toEqual({ deleted: watcher.id });
    expect(await ask(client, 'ann__destroy_connection', { connectionId })).toEqual({ deleted: connectionId });
    const gone = await client.call('ann__get_connection', { connectionId });
    expect([gone.isError, textOf(gone)]).toEqual([true, 'Connection not found']);
  });
});

describe('a source', () => {
  it('that cannot be opened is a success with an error in it, as the server says it', async () => {
    const client = await open('v1');
    const answer = await ask(client, 'ann__create_connection', { ...mqtt('a'), username: 'nobody' });
    expect(answer.error).toContain('timed out');
  });

  it('may be a WebSocket', async () => {
    const socket = await startWebSocket('{"n":9}');
    const client = await open('v1');
    const { connectionId } = await ask(client, 'ann__create_connection', { type: 'websocket', url: socket.url });
    await until(
      async () => JSON.stringify((await ask(client, 'ann__read_stream', { connectionId })).entries).includes('json'),
      'the frame to be read',
    );
    await ask(client, 'ann__destroy_connection', { connectionId });
    socket.close();
  });

  it('may be a file where no policy is against it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'switchboard-livetap-'));
    const path = join(folder, 'app.log');
    writeFileSync(path, 'before\n');
    const client = await open('v1');
    const { connectionId } = await ask(client, 'ann__create_connection', { type: 'file', path });
    appendFileSync(path, 'after\n');
    const payloads = await until(async () => {
      const { entries } = await ask(client, 'ann__read_stream', { connectionId });
      const found = (entries as { fields: { payload: string } }[]).map(({ fields }) => fields.payload);
      return found.length > 0 && found;
    }, 'the line to be read');
    expect(payloads).toEqual(['after']);
    await ask(client, 'ann__destroy_connection', { connectionId });
    rmSync(folder, { recursive: true });
  });
});

describe('an alert', () => {
  it.each(LEGACY)('reaches a %s client that owns it, and no other grant', async (kind) => {
    const [ann, bob] = await Promise.all([open(kind, owners.ann), open(kind, owners.bob)]);
    const send = { ann: await watched(ann, 'ann'), bob: await watched(bob, 'bob') };
    await send.ann(6);
    await send.bob(7);
    await until(() => alerts(ann).length > 0 && alerts(bob).length > 0, 'both to be alerted');
    expect(alerts(ann)).toMatchObject([{ matchedValues: { n: 6 }, expression: 'n > 5' }]);
    expect(alerts(bob)).toMatchObject([{ matchedValues: { n: 7 } }]);
    expect(ann.heard(CHANNEL)[0]?.meta).toEqual({
      type: 'alert',
      connection: expect.stringMatching(/^conn_/),
      watcher: expect.stringMatching(/^w_/),
    });
  });

  it('reaches its own client only, where each has a process of its own', async () => {
    const [one, two] = await Promise.all([open('v1'), open('v1')]);
    const send = [await watched(one, 'apart'), await watched(two, 'apart')];
    await send[0]?.(6);
    await send[1]?.(7);
    await until(() => alerts(one).length > 0 && alerts(two).length > 0, 'both to be alerted');
    expect(alerts(one)).toMatchObject([{ matchedValues: { n: 6 } }]);
    expect(alerts(two)).toMatchObject([{ matchedValues: { n: 7 } }]);
    expect(await ask(two, 'apart__list_connections')).toHaveLength(1);
  });

  it('reaches nobody where grants share one process: it does not say whose it is', async () => {
    const ann = await open('v1');
    const send = await watched(ann, 'ann');
    await send(6);
    await until(() => alerts(ann).length === 1, 'the alert');
    const other = await open('v1', guest);
    const before = alerts(ann).length;
    await send(7);
    const watcher = async () => JSON.stringify(await ask(ann, 'ann__list_watchers'));
    await until(async () => (await watcher()).includes('"matchCount":2'), 'the second match');
    expect(alerts(ann)).toHaveLength(before);
    expect(alerts(other)).toEqual([]);
    expect(gateway.log()).toContain('dropped a notification of a shared session');
  });

  it('reaches a client that starts the gateway on stdio', async () => {
    const folder = gatewayFolder({
      servers: { livetap: { command: process.execPath, args: [FIXTURE.LIVETAP_CHANNEL] } },
      // However long the server takes to start on a busy machine, the handshake waits for what it declares.
      gateway: { firstList: { httpMs: 60_000, stdioMs: 60_000 } },
    });
    const client = await clients.connect('v1', { stdio: stdioCommand(folder) });
    expect(client.capabilities.experimental).toEqual({ 'claude/channel': {} });
    const send = await watched(client, 'livetap');
    await send(8);
    await until(() => alerts(client).length === 1, 'the alert');
    await clients.close();
    folder.remove();
  });
});

describe.each(EVERY)('under the policy that ships, a %s client', (kind) => {
  const denied = async (tool: string, args: Record<string, unknown>) =>
    denialOf(await (await open(kind)).call(`livetap__${tool}`, args));

  it('reads no files', async () => {
    expect(await denied('create_connection', { type: 'file', path: '/etc/passwd' })).toMatchObject({
      code: 'SWB_DENIED',
      rule: '/tools/create_connection/deny_if/file',
      reason: 'Files of this machine may not be read.',
    });
  });

  it.each(['create_watcher', 'update_watcher'])('runs no shell by %s', async (tool) => {
    const args = { connectionId: 'conn_1', watcherId: 'w_1', conditions: [{ field: 'n', op: '>', value: 1 }] };
    expect(await denied(tool, { ...args, action: { shell: 'id' } })).toMatchObject({
      code: 'SWB_DENIED',
      rule: `/tools/${tool}/deny_if/shell`,
    });
    // Null counts as absent in conditions, and is a member all the same.
    expect(await denied(tool, { ...args, action: { shell: null } })).toMatchObject({ code: 'SWB_ARGUMENTS_INVALID' });
    expect(await denied(tool, { ...args, action: { webhook: 'http://127.0.0.1:9/' } })).toBeUndefined();
  });

  it('gives away no password: what a client writes stays in the gateway', async () => {
    const client = await open(kind);
    const answer = await ask(client, 'livetap__create_connection', mqtt('a'));
    expect(answer.error).toContain('timed out');
    // Where the operator gives it, the client need not know it.
    const given = await ask(client, 'ann__create_connection', { ...mqtt('a'), password: 'not known here' });
    expect(given.status).toBe('connected');
    await ask(client, 'ann__destroy_connection', { connectionId: given.connectionId });
    const kept = readFileSync(join(gateway.folder, 'state/audit.jsonl'), 'utf8') + gateway.log();
    expect(kept).toContain('create_connection');
    expect(kept).not.toContain(PASSWORD);
  });
});

/** A WebSocket server that sends one text to every client. */
async function startWebSocket(text: string): Promise<{ url: string; close(): void }> {
  const server = createServer();
  server.on('upgrade', (request, socket) => {
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.on('error', () => {});
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.write(Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
