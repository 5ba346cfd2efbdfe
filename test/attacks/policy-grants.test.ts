/** Between grants: a caller cannot see, receive, continue or end what belongs to another grant, nor learn that it exists. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, type Servers, startReadyGateway } from '../e2e/gateway.ts';
import { envelope, modernRequest, send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { type ModernTasksHttp, startModernTasks } from '../fixtures/tasks/http-modern.ts';
import { auditText, edit } from '../policy/gateway.ts';
import { grant } from '../policy/grants.ts';
import { type Params, type RecordingUpstream, startRecording } from './recording-upstream.ts';
import { denialOf, isRefused, legacy, modern, nextAsk } from './talk.ts';

const CONTENT = { content: [{ type: 'text', text: 'done' }] };
const FORM = { elicitation: { form: {} } };
const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} } };

const open = { version: '1', default: 'allow' };
const asking = { ...open, tools: { v__pay: { approve: true } } };

const grants = {
  /** Everything. */
  one: grant({ policy: asking }),
  two: grant({ policy: asking }),
  /** One server of the list. */
  few: grant({ servers: ['v'], policy: open }),
  /** All servers, but its policy lists one tool of one. */
  strict: grant({
    policy: { version: '1', default: 'deny', tools: { v__echo: {}, connectServer: {}, callAgent: {} } },
  }),
  /** Called like a server. */
  secretsrv: grant({ servers: ['v'], policy: open }),
  constructor: grant({ servers: [], policy: open }),
};
const { one, two, few, strict } = grants;
const section = { grants: Object.fromEntries(Object.entries(grants).map(([name, { entry }]) => [name, entry])) };

let v: RecordingUpstream;
let s: RecordingUpstream;
let changing: HttpFixture;
let tasks: ModernTasksHttp;
let servers: Servers;
let gateway: OwnGateway;
const hanging: (() => void)[] = [];

beforeAll(async () => {
  v = await startRecording({
    tools: ['echo', 'hang', 'pay'],
    handlers: {
      'tools/call': async ({ name }: Params) => {
        if (name === 'hang') await new Promise<void>((resolve) => hanging.push(resolve));
        return CONTENT;
      },
    },
  });
  s = await startRecording({
    tools: ['hush'],
    prompts: ['whisper'],
    resources: ['file:///hush.txt'],
    instructions: 'Words of secretsrv.',
  });
  changing = await startV1Http();
  tasks = await startModernTasks();
  servers = {
    v: { url: v.url, kind: 'mcp' },
    secretsrv: { url: s.url, kind: 'mcp' },
    changing: { url: changing.url, kind: 'mcp' },
    tasks: { url: tasks.url, kind: 'mcp' },
  };
  gateway = await startReadyGateway({ servers, gateway: section });
});
afterEach(() => {
  for (const end of hanging.splice(0)) end();
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([v?.close(), s?.close(), changing?.close(), tasks?.close()]);
});

type Key = typeof one;
const ANYTHING_OF_S = /secretsrv|hush|whisper|Words of/;

describe.each(['few', 'strict'] as const)('a server kept from the grant %s', (who) => {
  const key: Key = grants[who];

  it('appears in no list, notification or error', async () => {
    const session = await legacy(gateway.url, key);
    const texts: string[] = [];
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
    texts.push(
      (
        await send(gateway.url, {
          headers: key.headers,
          body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }),
        })
      ).text,
      (await modern(gateway.url, key, 'server/discover')).text,
    );
    for (const method of ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list']) {
      texts.push((await modern(gateway.url, key, method)).text, (await session.request(method)).text);
    }
    for (const [name, args] of [
      ['listServers', {}],
      ['listAgents', {}],
      ['describeAgent', { agent: 'none/none' }],
      ['callAgent', { agent: 'none/none', message: 'x' }],
      ['disconnectServer', { name: 'none' }],
    ] as const) {
      texts.push((await modern(gateway.url, key, 'tools/call', { name, arguments: args })).text);
    }
    expect(texts.join('\n')).not.toMatch(ANYTHING_OF_S);
  });

  it('is answered like an unknown server at every address, in every era, by every method', async () => {
    const clientInfo = { name: 'raw', version: '1' };
    const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
    const stream = { accept: 'text/event-stream' };
    for (const path of ['mcp', 'sse', 'messages?sessionId=x']) {
      const seen = async (server: string) => {
        const to = gateway.at(`/servers/${server}/${path}`);
        const rpc = (method: string, params: object) => ({
          headers: { ...key.headers },
          body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
        });
        const list = modernRequest('tools/list');
        const replies = [
          await send(to, rpc('initialize', initialize)),
          await send(to, rpc('tools/list', {})),
          await send(to, { ...list, headers: { ...list.headers, ...key.headers } }),
          await send(to, { method: 'GET', headers: { ...key.headers, ...stream } }),
          await send(to, { method: 'DELETE', headers: { ...key.headers, 'mcp-session-id': 'x' } }),
        ];
        return replies.map(({ status, text }) => `${status} ${text.replaceAll(server, 'X')}`);
      };
      expect(await seen('secretsrv')).toEqual(await seen('nothing'));
    }
  });
});

// What a policy does not list is denied by name, and only what it hides is kept secret: names, not servers.
it('a server outside a grant cannot be told from an unknown one by any name in any call', async () => {
  const both = async (method: string, params: (server: string) => object) => {
    const text = async (server: string) => {
      const reply = await modern(gateway.url, few, method, { ...params(server) });
      return `${reply.status} ${reply.text.replaceAll(server, 'X')}`;
    };
    expect(await text('secretsrv')).toBe(await text('nothing'));
  };
  await both('tools/call', (server) => ({ name: `${server}__hush`, arguments: {} }));
  await both('tools/call', (server) => ({ name: 'callAgent', arguments: { agent: `${server}/a`, message: 'x' } }));
  await both('tools/call', (server) => ({ name: 'disconnectServer', arguments: { name: server } }));
  await both('prompts/get', (server) => ({ name: `${server}__whisper` }));
  await both('resources/read', (server) => ({ uri: `${server}+file:///hush.txt` }));
  await both('resources/read', () => ({ uri: 'file:///hush.txt' }));
  await both('tasks/get', (server) => ({ taskId: `${server}+1` }));
});

describe('a session of another grant', () => {
  it('is unknown', async () => {
    const mine = await legacy(gateway.url, one);
    const as = (headers: Record<string, string>, method: string, body?: string) =>
      send(gateway.url, { method, headers: { ...two.headers, ...headers }, ...(body ? { body } : {}) });
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    const version = { 'mcp-protocol-version': '2025-11-25' };
    const texts: Record<string, string[]> = {};
    for (const id of [mine.id, '0'.repeat(mine.id.length)]) {
      const session = { ...version, 'mcp-session-id': id };
      const replies = [
        await as(session, 'POST', body),
        await as({ ...session, accept: 'text/event-stream' }, 'GET'),
        await as({ ...session, accept: 'text/event-stream', 'last-event-id': 'r1-0' }, 'GET'),
        await as(session, 'DELETE'),
      ];
      texts[id] = replies.map(({ status, text }) => `${status} ${text}`);
      expect(replies.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
    }
    expect(texts[mine.id]).toEqual(texts['0'.repeat(mine.id.length)]);
    expect(isRefused(await mine.request('tools/list'))).toBe(false);
  });

  it('is not cancelled, nor answered', async () => {
    const [mine, theirs] = [
      await legacy(gateway.url, one, { capabilities: FORM }),
      await legacy(gateway.url, two, { capabilities: FORM }),
    ];
    const calling = mine.request('tools/call', { name: 'v__hang', arguments: {} }, 41);
    await until(() => hanging.length === 1, 'the call to be with the server');
    await theirs.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 41 } });
    // A modern one on a channel of its own, which is passed on to servers in no form.
    const { cancel, post } = await oldChannel(two);
    for (let requestId = 0; requestId < 60; requestId++) {
      await post({
        jsonrpc: '2.0',
        method: 'notifications/cancelled',
        params: { requestId, _meta: envelope() },
      });
    }
    await cancel();
    expect(v.of('notifications/cancelled')).toEqual([]);
    hanging.shift()?.();
    expect((await calling).message.result).toMatchObject(CONTENT);

    const asked = nextAsk(gateway);
    const paying = mine.request('tools/call', { name: 'v__pay', arguments: {} }, 42);
    const yes = { action: 'accept', content: { approve: true } };
    await asked;
    await theirs.post({ jsonrpc: '2.0', id: 1, result: yes });
    expect(v.calls('pay')).toEqual([]);
    await mine.post({ jsonrpc: '2.0', id: 1, result: yes });
    expect((await paying).message.result).toMatchObject(CONTENT);
    v.heard.length = 0;
  });
});

/** A channel of the old transport. */
async function oldChannel(key: Key) {
  const stop = new AbortController();
  const response = await fetch(gateway.at('/sse'), {
    headers: { accept: 'text/event-stream', ...key.headers },
    signal: stop.signal,
  });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const text = new TextDecoder().decode((await reader.read()).value);
  const to = gateway.at(/data: (messages\S+)/.exec(text)?.[1] ?? '');
  return {
    post: (message: object) => send(to, { headers: key.headers, body: JSON.stringify(message) }),
    cancel: () => reader.cancel(),
  };
}

it('a task of another grant is unknown', async () => {
  const capabilities = TASKS;
  const { message } = await modern(
    gateway.url,
    one,
    'tools/call',
    { name: 'tasks__slow_compute', arguments: { seconds: 30 } },
    { capabilities },
  );
  const taskId = (message.result?.taskId ?? '') as string;
  expect(taskId, JSON.stringify(message)).toMatch(/^tasks/);
  const ask = (key: Key, method: string, params: Params) =>
    modern(gateway.url, key, method, params, { capabilities, headers: { 'mcp-name': String(params.taskId) } });
  const none = `${taskId.slice(0, -6)}000000`;
  for (const [method, more] of [
    ['tasks/get', {}],
    ['tasks/update', { inputResponses: {} }],
    ['tasks/cancel', {}],
  ] as const) {
    const [foreign, absent] = [
      await ask(two, method, { taskId, ...more }),
      await ask(two, method, { taskId: none, ...more }),
    ];
    expect(foreign.message.error).toBeDefined();
    expect(foreign.text.replaceAll(taskId, 'X')).toBe(absent.text.replaceAll(none, 'X'));
  }
  expect((await ask(one, 'tasks/get', { taskId })).message.result).toMatchObject({ status: 'working' });
  await ask(one, 'tasks/cancel', { taskId });
});

it('a change on a server reaches only callers who may know it', async () => {
  const hear = async (key: Key) => {
    const session = await legacy(gateway.url, key);
    const stop = new AbortController();
    const response = await fetch(gateway.url, {
      headers: {
        accept: 'text/event-stream',
        'mcp-session-id': session.id,
        'mcp-protocol-version': '2025-11-25',
        ...key.headers,
      },
      signal: stop.signal,
    });
    let text = '';
    const reading = (async () => {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) text += new TextDecoder().decode(chunk);
    })().catch(() => {});
    return {
      session,
      text: () => text,
      stop: async () => {
        stop.abort();
        await reading;
      },
    };
  };
  const [mine, theirs, strictly] = [await hear(one), await hear(few), await hear(strict)];
  try {
    const uri = 'changing+fixture://counter';
    expect((await mine.session.request('resources/subscribe', { uri })).message.error).toBeUndefined();
    for (const other of [theirs, strictly]) {
      for (const spelled of [uri, 'fixture://counter', 'CHANGING+fixture://counter']) {
        expect((await other.session.request('resources/subscribe', { uri: spelled })).message.error).toBeDefined();
      }
    }
    await until(async () => {
      changing.world.touch();
      await new Promise((resolve) => setTimeout(resolve, 50));
      return mine.text().includes('resources/updated');
    }, 'the update to be heard');
    changing.world.addTool();
    await until(() => mine.text().includes('tools/list_changed'), 'the change to be heard');
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const other of [theirs, strictly]) expect(other.text()).not.toMatch(/updated|list_changed/);
  } finally {
    await Promise.all([mine.stop(), theirs.stop(), strictly.stop()]);
  }
});

describe('the key of a grant', () => {
  const body = modernRequest('tools/list').body as string;
  const raw = (headers: string[], path = '/mcp') =>
    new Promise<number>((resolve, reject) => {
      const { hostname, port, host } = new URL(gateway.url);
      const all = ['host', host, 'content-type', 'application/json', 'accept', 'application/json, text/event-stream'];
      const request = httpRequest(
        { host: hostname, port, path, method: 'POST', headers: [...all, ...modernHeaders, ...headers] as never },
        (reply) => {
          reply.resume();
          resolve(reply.statusCode ?? 0);
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  const modernHeaders = ['mcp-protocol-version', '2026-07-28', 'mcp-method', 'tools/list'];

  it('is read from the Authorization header and nowhere else', async () => {
    const { key } = one;
    for (const path of [
      `/mcp?token=${key}`,
      `/mcp?access_token=${key}`,
      `/mcp?key=${key}&authorization=Bearer%20${key}`,
    ])
      expect(await raw([], path)).toBe(401);
    expect(await raw(['x-api-key', key])).toBe(401);
    expect(await raw(['cookie', `authorization=Bearer ${key}`])).toBe(401);
    expect(await raw(['proxy-authorization', `Bearer ${key}`])).toBe(401);
  });

  it('is accepted under any case of the scheme, and only whole', async () => {
    const { key } = one;
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
      expect(await raw(['authorization', `${scheme} ${key}`])).toBe(200);
    }
    for (const value of [
      key,
      `Basic ${key}`,
      `Bearer ${key} x`,
      `Bearer ${key},${key}`,
      `Bearer ${key.slice(0, -1)}`,
      `Bearer ${key}A`,
      `Bearer ${key.toUpperCase()}`,
      `Bearer "${key}"`,
      `Bearer: ${key}`,
      'Bearer ',
      'Bearer swb_',
    ]) {
      expect(await raw(['authorization', value]), value).toBe(401);
    }
  });

  it('is never mixed from two headers', async () => {
    const wrong = `Bearer ${one.key.slice(0, -4)}AAAA`;
    expect(await raw(['authorization', wrong, 'authorization', `Bearer ${one.key}`])).toBe(401);
  });
});

it('a grant named like a server or a builtin gets no further rights', async () => {
  for (const name of ['secretsrv', 'constructor'] as const) {
    const { text } = await modern(gateway.url, grants[name], 'tools/list');
    expect(text).not.toMatch(/hush/);
    expect(isRefused(await modern(gateway.url, grants[name], 'tools/call', { name: 'secretsrv__hush' }))).toBe(true);
  }
  expect((await modern(gateway.url, grants.constructor, 'tools/list')).text).not.toContain('v__echo');
  expect(s.of('tools/call')).toEqual([]);
});

it('a revoked grant loses its sessions and streams at once', async () => {
  const temporary = grant({ policy: asking });
  const other = await startReadyGateway({
    servers: { v: { url: v.url, kind: 'mcp' } },
    gateway: { grants: { temporary: temporary.entry, stays: one.entry } },
  });
  try {
    const session = await legacy(other.url, temporary);
    const staying = await legacy(other.url, one);
    const calling = session.request('tools/call', { name: 'v__hang', arguments: {} });
    const modernly = modern(other.url, temporary, 'tools/call', { name: 'v__hang', arguments: {} });
    const remaining = staying.request('tools/call', { name: 'v__hang', arguments: {} });
    const parked = await modern(
      other.url,
      temporary,
      'tools/call',
      { name: 'v__pay', arguments: {} },
      { capabilities: FORM },
    );
    expect(parked.message.result?.resultType).toBe('input_required');
    const stream = fetch(other.url, {
      headers: { accept: 'text/event-stream', 'mcp-session-id': session.id, ...temporary.headers },
    }).then((response) => response.text());
    await until(() => hanging.length === 3, 'the calls to be with the server');
    await edit(other, { v: { url: v.url, kind: 'mcp' } }, { grants: { stays: one.entry } });
    await stream;
    expect(isRefused(await calling)).toBe(true);
    expect(isRefused(await modernly)).toBe(true);
    const after = await session.post({ jsonrpc: '2.0', id: 9, method: 'tools/list' });
    expect(after.status).toBe(401);
    // Under the same name again it is another grant: nothing of the old one goes on.
    const again = grant({ policy: asking });
    await edit(other, { v: { url: v.url, kind: 'mcp' } }, { grants: { stays: one.entry, temporary: again.entry } });
    const { requestState, inputRequests } = parked.message.result as { requestState: string; inputRequests: object };
    const [question] = Object.keys(inputRequests) as [string];
    const retried = await modern(
      other.url,
      again,
      'tools/call',
      {
        name: 'v__pay',
        arguments: {},
        requestState,
        inputResponses: { [question]: { action: 'accept', content: { approve: true } } },
      },
      { capabilities: FORM },
    );
    expect(isRefused(retried)).toBe(true);
    expect(v.calls('pay')).toEqual([]);
    for (const end of hanging.splice(0)) end();
    expect((await remaining).message.result).toMatchObject(CONTENT);
  } finally {
    for (const end of hanging.splice(0)) end();
    await other.close();
  }
});

it('servers are sent no key, and neither log nor audit holds one', async () => {
  const key = grant({ policy: open });
  const other = await startReadyGateway({
    servers: { v: { url: v.url, kind: 'mcp' } },
    gateway: { grants: { key: key.entry }, audit: true },
  });
  try {
    const session = await legacy(other.url, key);
    await session.request('tools/call', { name: 'v__echo', arguments: { text: 'PRIVATE-WORDS' } });
    await modern(other.url, key, 'tools/call', { name: 'v__none', arguments: {} });
    await modern(other.at(`/mcp?token=${key.key}`), undefined, 'tools/list');
    const audit = await until(() => {
      const lines = auditText(other).join('\n');
      return lines.includes('"echo"') && lines;
    }, 'the call to be in the audit');
    for (const text of [audit, other.log(), JSON.stringify(v.heard.map(({ authorization }) => authorization))]) {
      expect(text).not.toContain(key.key.slice(4));
    }
    expect(audit).not.toContain('PRIVATE-WORDS');
    expect(audit).not.toContain(session.id);
    expect(v.heard.every(({ authorization }) => authorization === undefined)).toBe(true);
  } finally {
    await other.close();
  }
});

it('an approval of another grant lets no call through', async () => {
  const pending = denialOf(await modern(gateway.url, one, 'tools/call', { name: 'v__pay', arguments: { a: 1 } }));
  const other = denialOf(await modern(gateway.url, two, 'tools/call', { name: 'v__pay', arguments: { a: 1 } }));
  expect(pending?.approvalId).toMatch(/^apr_/);
  expect(other?.approvalId).not.toBe(pending?.approvalId);
});

it('a list waits for a slow hook of list.filter', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'swb-hook-'));
  const module = join(folder, 'slow.mjs');
  writeFileSync(
    module,
    `export default { phases: ['list.filter'], async decide({ name }) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return name === 'hang' ? { effect: 'deny', reason: 'no' } : undefined;
    } };`,
  );
  const key = grant({ policy: { version: '1', default: 'deny', tools: { v__echo: {}, v__hang: {} } } });
  const other = await startReadyGateway({
    servers: { v: { url: v.url, kind: 'mcp' } },
    gateway: { grants: { key: key.entry }, hooks: [{ module }] },
  });
  try {
    // The server's own endpoint first: nothing has been decided about yet.
    const own = other.at('/servers/v/mcp');
    const names = async (url: string | URL) => {
      const { message } = await modern(url, key, 'tools/list');
      const tools = (message.result?.tools ?? []) as { name: string }[];
      return tools.map(({ name }) => name);
    };
    await until(async () => (await names(own)).join() === 'echo', 'the list to be there');
    expect(await names(other.url)).toEqual(['v__echo']);
    expect(isRefused(await modern(own, key, 'tools/call', { name: 'echo', arguments: {} }))).toBe(false);
    expect(isRefused(await modern(own, key, 'tools/call', { name: 'hang', arguments: {} }))).toBe(true);
  } finally {
    await other.close();
    rmSync(folder, { recursive: true });
  }
});

describe('a gateway whose last grant was revoked', () => {
  const hello = { headers: { ...grant().headers } };
  const statuses = async (url: string): Promise<number[]> => [
    (await modern(url, undefined, 'tools/list')).status,
    (await modern(url, hello, 'tools/list')).status,
    (await modern(url, { headers: { authorization: 'Bearer of-nobody' } }, 'tools/list')).status,
  ];

  it('refuses every client, while it runs and after a restart', async () => {
    const only = grant({ policy: open });
    const first = await startReadyGateway({ servers: {}, gateway: { grants: { only: only.entry } } });
    let again: OwnGateway | undefined;
    try {
      expect((await modern(first.url, only, 'tools/list')).status).toBe(200);
      await edit(first, {}, { grants: {} });
      expect(await statuses(first.url)).toEqual([401, 401, 401]);
      expect((await modern(first.url, only, 'tools/list')).status).toBe(401);
      await first.stop();
      again = await startReadyGateway({ folder: first.folder });
      expect(await statuses(again.url)).toEqual([401, 401, 401]);
      expect((await modern(again.url, only, 'tools/list')).status).toBe(401);
    } finally {
      await again?.close();
      await first.close();
    }
  });

  it('is closed by an empty grants section, also if it was open before', async () => {
    const was = await startReadyGateway({ servers: {} });
    try {
      expect((await modern(was.url, undefined, 'tools/list')).status).toBe(200);
      const session = await legacy(was.url, undefined);
      await edit(was, {}, { grants: {} });
      expect(await statuses(was.url)).toEqual([401, 401, 401]);
      expect((await session.request('tools/list')).status).toBe(401);
    } finally {
      await was.close();
    }
  });
});
