/**
 * What an operator does at one replica holds in the other: a server is started again, an edit of its entry is taken on, a definition is
 * accepted. On one Redis with a configuration for each, on one Redis with one configuration, and on one state folder.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../src/state/testing/redis-server.ts';
import { Clients } from './clients.ts';
import { gatewayFolder, type ServedGateway, serveGateway } from './gateway.ts';
import { until } from './until.ts';

const TOKEN = 'admin-token-of-two-replicas';
/** Processes start beside others. */
const START_MS = 90_000;
const FIXTURE = join(import.meta.dirname, '../fixtures/mcp/stdio-defined.ts');

type Json = Record<string, unknown>;

interface Reply {
  status: number;
  json: Json;
}

async function admin(gateway: ServedGateway, path: string, body?: Json): Promise<Reply> {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  const posted = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const reply = await fetch(gateway.at(path), { headers, ...posted });
  return { status: reply.status, json: (await reply.json()) as Json };
}

interface Elsewhere {
  replies: { replica: string; result?: Json; problem?: string }[];
  silent: number;
}

const elsewhereIn = ({ json }: Reply): Elsewhere => json.elsewhere as Elsewhere;

interface Shown {
  name: string;
  state: string;
  queue: { concurrency: number };
}

const serverIn = async (gateway: ServedGateway, name: string): Promise<Shown | undefined> =>
  ((await admin(gateway, '/admin/api/servers')).json.servers as Shown[]).find((server) => server.name === name);

/** What an operator's page does: it reads the entry, and writes it with a change. */
async function edited(gateway: ServedGateway, name: string, change: Json): Promise<Reply> {
  const path = `/admin/api/servers/${name}/entry`;
  const { json } = await admin(gateway, path);
  return admin(gateway, path, { entry: { ...(json.entry as Json), ...change }, revision: json.revision, write: true });
}

/** How many replicas there are, as the pages read it. */
async function replicasKnownTo(gateway: ServedGateway): Promise<number> {
  const ended = new AbortController();
  const headers = { authorization: `Bearer ${TOKEN}` };
  const { body } = await fetch(gateway.at('/admin/api/events?only=servers'), { headers, signal: ended.signal });
  let text = '';
  for await (const chunk of (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes('\n\n')) break;
  }
  ended.abort();
  const [, data = '{}'] = /^data: (.*)$/m.exec(text) ?? [];
  return (JSON.parse(data) as { replicas: number }).replicas;
}

/** Of the environment of each replica. */
const variable = (name: string): string => `\${${name}}`;

const tool = (name: string, description: string) => ({ name, description, inputSchema: { type: 'object' } });

interface Setting {
  name: string;
  onRedis: boolean;
  oneFile: boolean;
}

const SETTINGS: readonly Setting[] = [
  { name: 'one Redis, a configuration for each', onRedis: true, oneFile: false },
  { name: 'one Redis and one configuration', onRedis: true, oneFile: true },
  { name: 'one state folder', onRedis: false, oneFile: true },
];

describe.each(SETTINGS)('two replicas on $name', ({ onRedis, oneFile }) => {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-replicas-'));
  const starts = [0, 1].map((n) => join(folder, `starts-${n}`));
  const definitions = [0, 1].map((n) => join(folder, `definitions-${n}.json`));
  const clients = new Clients();
  let redis: RedisServer | undefined;
  let one: ServedGateway;
  let other: ServedGateway;

  const define = (at: number, ...tools: object[]): void =>
    writeFileSync(definitions[at] as string, JSON.stringify({ tools, prompts: [], templates: [] }));
  /** How often the server was started behind this replica. */
  const startsOf = (at: number): number => readFileSync(starts[at] as string, 'utf8').split('\n').length - 1;
  const lockedTools = ({ folder: at }: ServedGateway): string[] => {
    const { servers } = JSON.parse(readFileSync(join(at, 'switchboard.lock.json'), 'utf8'));
    return Object.keys(servers.defined?.tools ?? {});
  };
  const readers = new Map<string, ReturnType<Clients['connect']>>();
  const toolsOf = async ({ url }: ServedGateway): Promise<string[]> => {
    const reader = readers.get(url) ?? clients.connect('v2-auto', { http: url });
    readers.set(url, reader);
    const client = await reader;
    return (await client.tools()).filter((name) => name.startsWith('defined__')).sort();
  };

  beforeAll(async () => {
    redis = onRedis ? await startRedis() : undefined;
    for (const at of [0, 1]) {
      writeFileSync(starts[at] as string, '');
      define(at, tool('first', 'Is there from the start.'), tool('second', 'Is accepted later.'));
    }
    // Each replica has files of its own machine, which the configuration names by variables.
    const defined = {
      command: 'sh',
      args: [
        '-c',
        'echo started >> "$STARTS"; [ ! -e "$STARTS.fails" ] || exit 1; exec "$0" "$1"',
        process.execPath,
        FIXTURE,
      ],
      env: { STARTS: variable('STARTS'), DEFINITIONS: variable('DEFINITIONS') },
    };
    const gateway = { adminToken: TOKEN, lock: 'deny', ...(redis ? { state: redis.url } : {}) };
    const setup = { servers: { defined }, gateway };
    const envOf = (at: number) => ({ STARTS: starts[at] as string, DEFINITIONS: definitions[at] as string });
    const first = gatewayFolder(setup);
    const second = oneFile ? first : gatewayFolder(setup);
    for (const each of [first, second])
      writeFileSync(join(each.folder, 'switchboard.lock.json'), '{"version":1,"servers":{}}');
    [one, other] = await Promise.all([
      serveGateway({ ...setup, folder: first.folder, env: envOf(0) }),
      serveGateway({ ...setup, folder: second.folder, env: envOf(1) }),
    ]);
    for (const replica of [one, other]) {
      await until(
        async () => (await serverIn(replica, 'defined'))?.state === 'ready' || undefined,
        () => `the server of a replica to be ready: ${replica.stderr()}`,
        START_MS,
      );
    }
    if (!onRedis) return;
    for (const replica of [one, other]) {
      await until(
        async () => (await replicasKnownTo(replica)) === 2 || undefined,
        () => 'the replicas to know of each other',
        START_MS,
      );
    }
  }, 180_000);
  afterAll(async () => {
    await clients.close();
    await Promise.all([one?.close(), other?.close()]);
    await redis?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('accept a definition together, each for what its own server says', async () => {
    expect([await toolsOf(one), await toolsOf(other)]).toEqual([[], []]);
    const { json } = await admin(one, '/admin/api/definitions');
    const change = (json.changes as Json[]).find(({ key }) => key === 'first');
    const accepted = await admin(one, '/admin/api/definitions/accept', {
      server: 'defined',
      kind: 'tools',
      key: 'first',
      hash: change?.hash,
    });
    expect(accepted.status).toBe(200);
    if (onRedis)
      expect(elsewhereIn(accepted)).toEqual({ replies: [{ replica: expect.any(String), result: {} }], silent: 0 });
    for (const replica of [one, other]) {
      await expect.poll(() => toolsOf(replica)).toEqual(['defined__first']);
      expect(lockedTools(replica)).toEqual(['first']);
    }
    const all = await admin(other, '/admin/api/definitions/accept', { server: 'defined' });
    if (onRedis)
      expect(elsewhereIn(all)).toEqual({ replies: [{ replica: expect.any(String), result: {} }], silent: 0 });
    for (const replica of [one, other]) {
      await expect.poll(() => toolsOf(replica)).toEqual(['defined__first', 'defined__second']);
      expect(lockedTools(replica).sort()).toEqual(['first', 'second']);
    }
  });

  it('start a server again once each', async () => {
    const before = [startsOf(0), startsOf(1)];
    const restarted = await admin(one, '/admin/api/servers/defined/restart', {});
    expect(restarted).toMatchObject({ status: 200, json: { server: { name: 'defined', state: 'ready' } } });
    const replies = onRedis ? [{ replica: expect.any(String), result: { state: 'ready' } }] : [];
    expect(elsewhereIn(restarted)).toEqual({ replies, silent: 0 });
    await expect.poll(() => [startsOf(0), startsOf(1)]).toEqual(before.map((times) => times + 1));
    await expect.poll(async () => (await serverIn(other, 'defined'))?.state).toBe('ready');
    // And once only: the second one comes after everything that the first has set off.
    await admin(other, '/admin/api/servers/defined/restart', {});
    await expect.poll(() => [startsOf(0), startsOf(1)]).toEqual(before.map((times) => times + 2));
    expect((await admin(one, '/admin/api/servers/nothing/restart', {})).status).toBe(404);
  });

  it('leave a server that does not start again at one of them as it is in the other', async () => {
    const before = startsOf(1);
    const fails = `${starts[0]}.fails`;
    writeFileSync(fails, '');
    const { status, json } = await admin(one, '/admin/api/servers/defined/restart', {});
    rmSync(fails);
    expect([status, json.elsewhere, json.left]).toEqual([200, { replies: [], silent: 0 }, onRedis ? 1 : 0]);
    expect((json.server as Shown).state).not.toBe('ready');
    expect((await serverIn(other, 'defined'))?.state).toBe('ready');
    expect(await toolsOf(other)).toEqual(['defined__first', 'defined__second']);
    // An order would have come before that of the next restart, which starts here.
    const again = await admin(one, '/admin/api/servers/defined/restart', {});
    expect(again.json).not.toHaveProperty('left');
    await expect.poll(() => startsOf(1)).toBe(before + 1);
    await expect.poll(async () => (await serverIn(other, 'defined'))?.state).toBe('ready');
  });

  it('take on an edit of the file that both read, and say of a file of their own that it stays', async () => {
    const written = await edited(one, 'defined', { concurrency: 3 });
    expect(written).toMatchObject({ status: 200, json: { written: true } });
    await expect.poll(async () => (await serverIn(one, 'defined'))?.queue.concurrency).toBe(3);
    if (oneFile) {
      await expect.poll(async () => (await serverIn(other, 'defined'))?.queue.concurrency).toBe(3);
      if (onRedis) expect(elsewhereIn(written).replies).toMatchObject([{ result: { reads: 'same' } }]);
      return;
    }
    expect(elsewhereIn(written).replies).toMatchObject([{ result: { reads: 'another', file: other.file } }]);
    expect(readFileSync(other.file, 'utf8')).not.toContain('concurrency');
    expect((await serverIn(other, 'defined'))?.queue.concurrency).not.toBe(3);
    // A copy of the file that has been edited there before is the same file.
    writeFileSync(other.file, readFileSync(one.file, 'utf8').replace('"concurrency": 3', '"concurrency": 4'));
    const again = await edited(one, 'defined', { concurrency: 4 });
    expect(elsewhereIn(again).replies).toMatchObject([{ result: { reads: 'same' } }]);
    await expect.poll(async () => (await serverIn(other, 'defined'))?.queue.concurrency).toBe(4);
  });

  it('accept nothing that their own server does not say', async () => {
    define(0, tool('first', 'Is there from the start.'), tool('second', 'Says something new.'));
    define(1, tool('first', 'Is there from the start.'), tool('second', 'Says something else.'));
    await admin(one, '/admin/api/servers/defined/restart', {});
    for (const replica of [one, other]) await expect.poll(() => toolsOf(replica)).toEqual(['defined__first']);
    const accepted = await admin(one, '/admin/api/definitions/accept', { server: 'defined' });
    expect(accepted.status).toBe(200);
    await expect.poll(() => toolsOf(one)).toEqual(['defined__first', 'defined__second']);
    expect(await toolsOf(other)).toEqual(['defined__first']);
    if (!onRedis) return;
    const [reply] = elsewhereIn(accepted).replies;
    // One lock file for both holds what was accepted, and it is not what the other server says.
    if (oneFile) expect(reply).toMatchObject({ result: {} });
    else expect(reply).toMatchObject({ problem: expect.stringContaining('something else') });
  });

  if (!onRedis || !oneFile) return;

  it('take on a key that is made and revoked at one of them', async () => {
    const made = await admin(one, '/admin/api/grants', { name: 'ci' });
    expect(elsewhereIn(made).replies).toMatchObject([{ result: { reads: 'same' } }]);
    const status = async (gateway: ServedGateway): Promise<number> =>
      (await fetch(gateway.url, { headers: { authorization: `Bearer ${made.json.key}` } })).status;
    await expect.poll(() => status(other)).not.toBe(401);
    const revoked = await admin(other, '/admin/api/grants/revoke', { name: 'ci' });
    expect(elsewhereIn(revoked).replies).toMatchObject([{ result: { reads: 'same' } }]);
    await expect.poll(() => status(one)).toBe(401);
  });
});
