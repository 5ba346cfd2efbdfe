/** Round the gate by another name: whatever a client calls a thing, its rule is the same. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Clients } from '../e2e/clients.ts';
import { gatewayFolder, type OwnGateway, startReadyGateway, stdioCommand } from '../e2e/gateway.ts';
import { modernRequest, send } from '../e2e/raw.ts';
import { grant } from '../policy/grants.ts';
import { type RecordingUpstream, startRecording } from './recording-upstream.ts';
import { denialOf, isRefused, legacy, modern, modernText } from './talk.ts';

const LONG = `t_${'x'.repeat(100)}`;
const OPEN = 'file:///public/a.txt';
const SHUT = 'file:///secret/b.txt';
/** Its rule looks at the URI. */
const LOOKED_AT = 'file:///looked-at.txt';
const HIDDEN = 'file:///hidden/c.txt';
const APP = 'ui://app/secret.html';

const document = {
  version: '1',
  default: 'deny',
  hide: ['v__hid', `v+${HIDDEN}`],
  tools: {
    v__echo: {},
    v__cond: { deny_if: [{ conditions: [{ path: 'args.amount', op: 'gt', value: 10 }] }] },
  },
  prompts: { v__hello: {} },
  resources: { [`v+${OPEN}`]: {}, 'v+file:///public/{name}': {} },
};
const strict = grant({ policy: document });
/** Everything but what is named. */
const loose = grant({
  policy: {
    version: '1',
    default: 'allow',
    hide: [`v+${HIDDEN}`],
    tools: { v__secret: { action: 'deny' }, [`v__${LONG}`]: { action: 'deny' }, bare_secret: { action: 'deny' } },
    prompts: { v__forbidden: { action: 'deny' } },
    resources: {
      [`v+${SHUT}`]: { action: 'deny' },
      'ui://v+app/secret.html': { action: 'deny' },
      [`v+${LOOKED_AT}`]: { deny_if: [{ conditions: [{ path: 'args.uri', op: 'regex', value: 'looked' }] }] },
    },
  },
});

/** Names that look like others, as their server spells them; the document spells them otherwise. */
const ODD = { wiped: 'lo\u0308schen', dropped: 'dro\u200bp', widened: 'ｗipe', kept: 'be\u0301nin' };
const looking = grant({
  policy: {
    version: '1',
    default: 'allow',
    hide: ['odd__l\u00f6schen'],
    tools: {
      odd__drop: { action: 'deny' },
      'odd__w*': { action: 'deny' },
      odd__connectServer: { action: 'deny' },
      connectServer: { deny_if: [{ path: 'args.url', op: 'eq', value: 'http://127.0.0.1:9/mcp' }] },
    },
  },
});
/** Under default deny a look-alike of an allowed name is not allowed. */
const listing = grant({ policy: { version: '1', default: 'deny', tools: { odd__drop: {}, 'odd__b\u00e9nin': {} } } });

let v: RecordingUpstream;
let odd: RecordingUpstream;
let bare: RecordingUpstream;
let gateway: OwnGateway;

beforeAll(async () => {
  v = await startRecording({
    tools: ['echo', 'cond', 'secret', 'hid', LONG],
    prompts: ['hello', 'forbidden'],
    resources: [OPEN, SHUT, HIDDEN, APP, LOOKED_AT],
    templates: ['file:///public/{name}', 'file:///secret/{name}'],
  });
  bare = await startRecording({ tools: ['bare_secret', 'v__echo', 'connectServer'] });
  odd = await startRecording({ tools: Object.values(ODD) });
  gateway = await startReadyGateway({
    servers: {
      v: { url: v.url, kind: 'mcp' },
      bare: { url: bare.url, kind: 'mcp', namespace: false },
      odd: { url: odd.url, kind: 'mcp' },
    },
    gateway: {
      grants: { strict: strict.entry, loose: loose.entry, looking: looking.entry, listing: listing.entry },
      connect: { allowPrivate: ['*'] },
    },
  });
});
beforeEach(() => {
  v.heard.length = 0;
  odd.heard.length = 0;
  bare.heard.length = 0;
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([v?.close(), odd?.close(), bare?.close()]);
});

const merged = () => gateway.url;
const own = () => gateway.at('/servers/v/mcp');

const SPELLINGS = (name: string): string[] => [
  name,
  `v__${name}`,
  `v.${name}`,
  `v/${name}`,
  `V__${name}`,
  `v__${name.toUpperCase()}`,
  `v__${name} `,
  ` v__${name}`,
  `v__${name}\u0000`,
  `v__${name}\u200b`,
  `v__v__${name}`,
  `v__${name.replace('e', '\u0435')}`,
  `v__${name.normalize('NFD')}\u0301`,
  '__proto__',
  'constructor',
  'v____proto__',
  'hasOwnProperty',
];

describe.each(['strict', 'loose'] as const)('a forbidden tool under any name, by the grant %s', (who) => {
  it('is reached at no endpoint, in neither era', async () => {
    const key = who === 'strict' ? strict : loose;
    for (const url of [merged(), own()]) {
      const session = await legacy(url, key);
      for (const name of SPELLINGS('secret')) {
        // What no header can hold, no modern client can name.
        if (/^[\x21-\x7e]+$/.test(name)) {
          expect(isRefused(await modern(url, key, 'tools/call', { name, arguments: {} })), name).toBe(true);
        }
        expect(isRefused(await session.request('tools/call', { name, arguments: {} })), name).toBe(true);
      }
    }
    expect(v.calls('secret')).toEqual([]);
    expect(v.of('tools/call')).toEqual([]);
    expect(bare.of('tools/call')).toEqual([]);
  });
});

it('a tool that its server spells otherwise than the document is forbidden all the same, at both endpoints, in both eras', async () => {
  const listed = async (key: typeof looking) => {
    const { message } = await modern(merged(), key, 'tools/list');
    const tools = message.result?.tools as { name: string }[];
    return tools.map(({ name }) => name).filter((name) => name.startsWith('odd__'));
  };
  // Clients see such names respelled, with a hash.
  const all = await listed(loose);
  expect(all).toHaveLength(4);
  expect(await listed(looking)).toHaveLength(3);
  expect(await listed(listing)).toEqual([]);
  const called: string[] = [];
  for (const key of [looking, listing]) {
    const sessions = [await legacy(merged(), key)];
    // A server of which a grant may see nothing has no endpoint for it.
    if (key === looking) sessions.push(await legacy(gateway.at('/servers/odd/mcp'), key));
    for (const name of [...all, ...Object.values(ODD), ...Object.values(ODD).map((each) => `odd__${each}`)]) {
      for (const session of sessions) {
        if (!isRefused(await session.request('tools/call', { name, arguments: {} }))) called.push(name);
      }
      if (!/^[\x21-\x7e]+$/.test(name)) continue;
      if (!isRefused(await modern(merged(), key, 'tools/call', { name, arguments: {} }))) called.push(name);
    }
  }
  // `bénin` alone, to the grant that forbids nothing of the kind.
  expect(new Set(odd.of('tools/call').map(({ name }) => name))).toEqual(new Set([ODD.kept]));
  expect(called.length).toBeGreaterThan(1);
});

it('the URL of connectServer is judged in any of its spellings', async () => {
  for (const url of ['http://127.0.0.1:9/mcp', 'HTTP://0x7f.1:09/x/../mcp#x', ' http://[::ffff:127.0.0.1]:9/%6Dcp']) {
    const reply = await modern(merged(), looking, 'tools/call', { name: 'connectServer', arguments: { url } });
    expect(denialOf(reply)?.rule, url).toBe('/tools/connectServer/deny_if/args.url-eq');
  }
  const { text } = await modern(merged(), looking, 'tools/call', {
    name: 'connectServer',
    arguments: { url: 'http://127.0.0.1:9/other' },
  });
  expect(text).toContain('SWB_');
  expect(text).not.toContain('SWB_DENIED');
});

it('a name that is cut is judged as a whole', async () => {
  const { message } = await modern(merged(), loose, 'tools/list');
  const tools = message.result?.tools as { name: string }[];
  const cut = tools.map(({ name }) => name).filter((name) => name.startsWith('v__t_x'));
  expect(cut).toHaveLength(1);
  expect(cut[0]?.length).toBeLessThanOrEqual(64);
  expect(isRefused(await modern(merged(), loose, 'tools/call', { name: cut[0], arguments: {} }))).toBe(true);
  expect(isRefused(await modern(own(), loose, 'tools/call', { name: LONG, arguments: {} }))).toBe(true);
  expect(v.of('tools/call')).toEqual([]);
});

it('a hidden tool is answered like an unknown one, at both endpoints', async () => {
  for (const [url, hidden, absent] of [
    [merged(), 'v__hid', 'v__none'],
    [own(), 'hid', 'none'],
  ] as const) {
    const [one, other] = [
      await modern(url, strict, 'tools/call', { name: hidden, arguments: {} }),
      await modern(url, strict, 'tools/call', { name: absent, arguments: {} }),
    ];
    expect(one.text.replaceAll(hidden, 'X')).toBe(other.text.replaceAll(absent, 'X'));
    expect(one.status).toBe(other.status);
  }
});

describe('arguments that two parsers could read differently', () => {
  it('are refused where they name a member twice, and otherwise judged as the server gets them', async () => {
    const name = 'v__cond';
    const send = (params: string) => modernText(merged(), strict, 'tools/call', name, params);
    expect(isRefused(await send(`"name":"${name}","arguments":{"amount":1},"arguments":{"amount":99}`))).toBe(true);
    expect(isRefused(await send(`"name":"${name}","arguments":{"amount":1,"amount":99}`))).toBe(true);
    expect(isRefused(await send(`"name":"${name}","arguments":{"amount":"99"}`))).toBe(true);
    expect(isRefused(await send(`"name":"${name}","arguments":{"amount":1e999}`))).toBe(true);
    const twice = await send(`"name":"${name}","arguments":{"amount":99,"amount":1}`);
    expect(twice.message.error).toMatchObject({ code: -32602, data: { code: 'SWB_DUPLICATE_KEY', key: 'amount' } });
    const nested = await send(`"name":"${name}","arguments":{"amount":1,"x":[{"a":1,"\\u0061":2}]}`);
    expect(nested.message.error).toMatchObject({ code: -32602, data: { code: 'SWB_DUPLICATE_KEY', key: 'a' } });
    expect(v.of('tools/call')).toEqual([]);
    expect(isRefused(await send(`"name":"${name}","arguments":{"amount":99},"arguments":{"amount":1}`))).toBe(false);
    expect(v.calls('cond')).toMatchObject([{ arguments: { amount: 1 } }]);
  });

  it('are objects or nothing', async () => {
    const session = await legacy(merged(), strict);
    for (const args of [[], [99], 'x', 1, null, true]) {
      expect(isRefused(await session.request('tools/call', { name: 'v__cond', arguments: args }))).toBe(true);
      expect(isRefused(await modern(merged(), strict, 'tools/call', { name: 'v__cond', arguments: args }))).toBe(true);
    }
    expect(v.of('tools/call')).toEqual([]);
  });

  it('of the envelope change nothing', async () => {
    const session = await legacy(own(), strict);
    for (const extra of [
      { task: { ttl: 1_000 } },
      { inputResponses: { a: {} } },
      { requestState: 'x', inputResponses: {} },
      { requestState: 'swb1.e30.AAAA' },
      { requestState: 'swbu1.e30.AAAA' },
      { _meta: { progressToken: 1, principal: 'local', grant: 'loose', 'switchboard/principal': 'loose' } },
    ]) {
      expect(isRefused(await session.request('tools/call', { name: 'secret', arguments: {}, ...extra }))).toBe(true);
      const { _meta: _, ...rest } = extra as Record<string, unknown>;
      expect(isRefused(await modern(own(), strict, 'tools/call', { name: 'secret', arguments: {}, ...rest }))).toBe(
        true,
      );
    }
    expect(v.of('tools/call')).toEqual([]);
  });
});

describe('forbidden prompts', () => {
  it.each(['strict', 'loose'] as const)('are neither got nor completed by %s', async (who) => {
    const key = who === 'strict' ? strict : loose;
    for (const [url, name] of [
      [merged(), 'v__forbidden'],
      [own(), 'forbidden'],
    ] as const) {
      const ref = { type: 'ref/prompt', name };
      const argument = { name: 'a', value: '' };
      const session = await legacy(url, key);
      for (const reply of [
        await modern(url, key, 'prompts/get', { name }),
        await session.request('prompts/get', { name }),
        await modern(url, key, 'completion/complete', { ref, argument }),
        await session.request('completion/complete', { ref, argument }),
      ]) {
        expect(reply.message.error).toBeDefined();
        expect(reply.text).not.toContain('SECRET-VALUE');
      }
    }
    expect(v.of('prompts/get')).toEqual([]);
    expect(v.of('completion/complete')).toEqual([]);
  });
});

/** Spellings of one URI that a server built on the official SDK reads as that one: it looks `new URL(uri)` up. */
const SAME = (uri: string): string[] => [
  uri,
  uri.replace('file:', 'FILE:'),
  uri.replace('file:///', 'file:/'),
  uri.replace('file:///', 'file://localhost/'),
  uri.replace('file:///', 'file:///public/../'),
  uri.replace('file:///', 'file:///public/%2e%2e/'),
  uri.replace('file:///', 'file:///./'),
  uri.replace('file:///', 'file:\\\\\\'),
  uri.replace('file:///', 'file:////'),
  uri.replace('.txt', '%2etxt'),
  uri.replace('.txt', '%2Etxt'),
  uri.replace('.txt', '.t%78t'),
  uri.replace('e', '%65'),
  uri.replace('/b', '//b').replace('/c', '//./c'),
  `${uri}?x`,
  `${uri}#x`,
  `${uri.slice(0, 9)}\n${uri.slice(9)}`,
  `${uri.slice(0, 9)}\t${uri.slice(9)}`,
  ` ${uri}`,
  `${uri} `,
];

describe.each(['strict', 'loose'] as const)('a forbidden resource under any name, by the grant %s', (who) => {
  const key = who === 'strict' ? strict : loose;

  it.each([SHUT, HIDDEN])('is not read: %s', async (uri) => {
    const spelled = SAME(uri).flatMap((each) => [each, `v+${each}`, `V+${each}`]);
    for (const [url, uris] of [
      [merged(), spelled],
      [own(), SAME(uri)],
    ] as const) {
      const session = await legacy(url, key);
      for (const each of uris) {
        expect(isRefused(await session.request('resources/read', { uri: each })), JSON.stringify(each)).toBe(true);
        if (/[\n\t]|^ | $/.test(each)) continue;
        expect(isRefused(await modern(url, key, 'resources/read', { uri: each })), each).toBe(true);
      }
    }
    expect(v.of('resources/read')).toEqual([]);
  });

  it('nor by the spellings of an app', async () => {
    const session = await legacy(merged(), key);
    for (const uri of ['ui://v+app/secret.html', 'UI://v+app/secret.html', 'ui://V+app/secret.html', APP, `v+${APP}`]) {
      expect(isRefused(await session.request('resources/read', { uri })), uri).toBe(true);
    }
    expect(v.of('resources/read')).toEqual([]);
  });

  it('is not subscribed to, nor listened to', async () => {
    for (const [url, spell] of [
      [merged(), (uri: string) => `v+${uri}`],
      [own(), (uri: string) => uri],
    ] as const) {
      const session = await legacy(url, key);
      for (const uri of [SHUT, HIDDEN, LOOKED_AT]) {
        const reply = await session.request('resources/subscribe', { uri: spell(uri) });
        expect(reply.message.error, `${spell(uri)}: ${reply.text}`).toBeDefined();
      }
      expect(await session.request('resources/subscribe', { uri: spell(OPEN) })).toMatchObject({
        message: { result: {} },
      });
      const heard = await listen(url, key, [SHUT, HIDDEN, LOOKED_AT, OPEN].map(spell));
      expect(heard).toEqual([spell(OPEN)]);
    }
  });

  it('is not completed', async () => {
    const session = await legacy(merged(), key);
    for (const uri of ['v+file:///secret/{name}', 'file:///secret/{name}', `v+${SHUT}`, SHUT, `v+${HIDDEN}`]) {
      const ref = { type: 'ref/resource', uri };
      const reply = await session.request('completion/complete', { ref, argument: { name: 'name', value: '' } });
      // Completing the template is allowed to whom its expansions are.
      if (who === 'loose' && uri.includes('{')) continue;
      expect(reply.text, uri).not.toContain('SECRET-VALUE');
    }
  });
});

/** The resources a subscription is acknowledged for. */
async function listen(url: string | URL, key: { headers: Record<string, string> }, uris: string[]): Promise<string[]> {
  const request = modernRequest('subscriptions/listen', { notifications: { resourceSubscriptions: uris } });
  const stop = new AbortController();
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...request.headers,
      ...key.headers,
    },
    body: request.body as string,
    signal: stop.signal,
  });
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes('subscriptions/acknowledged') && text.includes('\n\n')) break;
  }
  stop.abort();
  const data = text.split('\n').find((line) => line.startsWith('data: {')) ?? 'data: {}';
  const { params } = JSON.parse(data.slice(6));
  return params?.notifications?.resourceSubscriptions ?? [];
}

describe('methods', () => {
  it('the gateway does not know do not pass a policy that denies by default', async () => {
    const session = await legacy(own(), strict);
    for (const method of [
      'x/y',
      'tools/exec',
      'Tools/call',
      'tools/call ',
      'TOOLS/CALL',
      'agents/call',
      'Agents/call',
    ]) {
      const params = { name: 'secret', arguments: {}, agent: 'a', message: 'x' };
      expect((await session.request(method, params)).message.error, method).toBeDefined();
    }
    expect(v.heard).toEqual([]);
  });

  it('of clients to servers that look like known ones do not pass where everything else may', async () => {
    const session = await legacy(own(), loose);
    for (const method of ['agents/call', 'agents/describe', 'roots/list', 'elicitation/create']) {
      expect((await session.request(method, { name: 'secret', agent: 'a' })).message.error, method).toBeDefined();
    }
    expect(v.heard).toEqual([]);
    // What it is for: extensions.
    await session.request('x/y');
    expect(v.heard.map(({ method }) => method)).toEqual(['x/y']);
  });

  it('that are notifications do not pass either', async () => {
    for (const url of [own(), merged()]) {
      const session = await legacy(url, strict);
      // Its own session with the server exists from now on.
      await session.request('tools/call', { name: url === own() ? 'echo' : 'v__echo', arguments: {} });
      for (const method of ['notifications/x', 'tools/call', 'x/y']) {
        await session.post({ jsonrpc: '2.0', method, params: { name: 'secret', arguments: {} } });
      }
      await session.post({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' });
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    const sent = new Set(v.heard.map(({ method }) => method));
    expect([...sent].filter((method) => /^(notifications\/x|x\/y)$/.test(method))).toEqual([]);
    expect(v.calls('secret')).toEqual([]);
  });
});

it('a batch is judged message by message', async () => {
  const session = await legacy(merged(), strict, { version: '2025-03-26' });
  const call = (id: number, name: string) => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name, arguments: {} },
  });
  await session.post([call(1, 'v__echo'), call(2, 'v__secret'), call(3, 'v__hid'), call(4, 'v__cond')]);
  expect(v.of('tools/call').map(({ name }) => name)).toEqual(['echo', 'cond']);
});

describe('a server without a prefix', () => {
  it('is not taken for another one or for the gateway', async () => {
    const { message } = await modern(merged(), strict, 'tools/list');
    const tools = message.result?.tools as { name: string }[];
    const names = tools.map(({ name }) => name);
    expect(names).toContain('v__echo');
    for (const name of names) await modern(merged(), strict, 'tools/call', { name, arguments: {} });
    expect(v.calls('echo')).toHaveLength(1);
  });
});

it('the old transport is behind the same gate', async () => {
  const response = await fetch(gateway.at('/sse'), { headers: { accept: 'text/event-stream', ...strict.headers } });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  const read = async (until: RegExp): Promise<void> => {
    while (!until.test(text)) text += new TextDecoder().decode((await reader.read()).value);
  };
  await read(/data: messages\S+/);
  const to = gateway.at(/data: (messages\S+)/.exec(text)?.[1] ?? '');
  const post = (id: number, method: string, params: object) =>
    send(to, { headers: strict.headers, body: JSON.stringify({ jsonrpc: '2.0', id, method, params }) });
  const clientInfo = { name: 'raw', version: '1' };
  await post(1, 'initialize', { protocolVersion: '2024-11-05', capabilities: {}, clientInfo });
  await read(/"id":1/);
  await post(2, 'tools/call', { name: 'v__secret', arguments: {} });
  await read(/"id":2/);
  expect(text).toContain('"isError":true');
  // Another grant has no such channel.
  const foreign = await send(to, { headers: loose.headers, body: '{"jsonrpc":"2.0","id":3,"method":"ping"}' });
  expect(foreign.status).toBe(404);
  await reader.cancel();
  expect(v.of('tools/call')).toEqual([]);
});

it('stdio is the local user, bound by the documents of servers and gateway', async () => {
  const folder = gatewayFolder({
    servers: {
      v: { url: v.url, kind: 'mcp', policy: { version: '1', default: 'allow', tools: { secret: { action: 'deny' } } } },
    },
    gateway: { policy: { version: '1', default: 'allow', hide: ['v__hid'] } },
  });
  const clients = new Clients();
  try {
    for (const kind of ['v1', 'v2-modern'] as const) {
      const client = await clients.connect(kind, { stdio: stdioCommand(folder) });
      await expect.poll(async () => (await client.tools()).filter((name) => name.startsWith('v__'))).toHaveLength(4);
      expect(await client.tools()).not.toContain('v__hid');
      for (const name of ['v__secret', 'v__hid', 'secret']) {
        const refused = await client.call(name, {}).then(
          ({ isError }) => isError === true,
          () => true,
        );
        expect(refused).toBe(true);
      }
    }
  } finally {
    await clients.close();
    folder.remove();
  }
  expect(v.calls('secret')).toEqual([]);
  expect(v.calls('hid')).toEqual([]);
});
