/** `connectServer` in the hands of a grant: no second way to a server, to the gateway itself, or past a policy. */

import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { grant } from '../policy/grants.ts';
import { type RecordingUpstream, startRecording } from './recording-upstream.ts';
import { isRefused, modern } from './talk.ts';

const allowPrivate = ['127.0.0.1', '127.0.0.2', '::1', 'localhost', 'a.localhost', '0.0.0.0'];
const document = { version: '1', default: 'deny', tools: { connectServer: {}, listServers: {}, v__echo: {} } };
const agent = grant({ policy: document });
/** Of names as a server has them, as they are published. */
const pasted = grant({ policy: { version: '1', default: 'deny', tools: { echo: {} } } });
const other = grant({ policy: { version: '1', default: 'deny', tools: { v__echo: {} } } });

let v: RecordingUpstream;
let governed: RecordingUpstream;
let unreached: RecordingUpstream;
let evil: RecordingUpstream;
let gateway: OwnGateway;
const redirecting: Server[] = [];

beforeEach(async () => {
  v = await startRecording({ tools: ['echo'] });
  governed = await startRecording({ tools: ['wipe'] });
  unreached = await startRecording({ tools: ['wipe'] });
  evil = await startRecording({ tools: ['echo', 'v__echo', 'connectServer', 'listServers', 'v__other'] });
  gateway = await startReadyGateway({
    servers: {
      v: { url: v.url, kind: 'mcp' },
      governed: { url: governed.url, kind: 'mcp', policy: { version: '1', default: 'deny', tools: {} } },
      unreached: { url: unreached.url, kind: 'mcp' },
    },
    gateway: { grants: { agent: agent.entry, other: other.entry, pasted: pasted.entry }, connect: { allowPrivate } },
  });
  for (const each of [v, governed, unreached, evil]) each.heard.length = 0;
});
afterEach(async () => {
  await gateway?.close();
  for (const server of redirecting.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await Promise.all([v, governed, unreached, evil].map((each) => each?.close()));
});

const call = (name: string, args: object, key = agent) =>
  modern(gateway.url, key, 'tools/call', { name, arguments: args });
const connect = (args: object) => call('connectServer', { kind: 'mcp', ...args });
const names = async (key: typeof agent): Promise<string[]> => {
  const { message } = await modern(gateway.url, key, 'tools/list');
  const tools = message.result?.tools as { name: string }[];
  return tools.map(({ name }) => name);
};

const SPELLINGS = (port: number): string[] => [
  `http://127.0.0.1:${port}/mcp`,
  `http://127.0.0.1:${port}/mcp/`,
  `http://127.0.0.1:${port}/mcp?x=1`,
  `http://127.0.0.1:${port}/mcp#x`,
  `http://127.0.0.1:${port}//mcp`,
  `http://127.0.0.1:${port}/other/../mcp`,
  `HTTP://127.0.0.1:${port}/mcp`,
  `http://localhost:${port}/mcp`,
  `http://LOCALHOST:${port}/mcp`,
  `http://localhost.:${port}/mcp`,
  `http://a.localhost:${port}/mcp`,
  `http://127.1:${port}/mcp`,
  `http://127.0.0.1.:${port}/mcp`,
  `http://127.0.0.2:${port}/mcp`,
  `http://2130706433:${port}/mcp`,
  `http://0x7f000001:${port}/mcp`,
  `http://0177.0.0.1:${port}/mcp`,
  `http://[::1]:${port}/mcp`,
  `http://[::ffff:127.0.0.1]:${port}/mcp`,
  `http://[0:0:0:0:0:ffff:7f00:1]:${port}/mcp`,
  `http://0.0.0.0:${port}/mcp`,
  `http://0:${port}/mcp`,
  `http://[::]:${port}/mcp`,
  `http://127.0.0.1:0${port}/mcp`,
  `http://１２７.0.0.1:${port}/mcp`,
  `http://user:pass@127.0.0.1:${port}/mcp`,
];

it('a server with a policy, or outside the caller’s grant, cannot be connected again under any spelling of its URL', async () => {
  for (const { port } of [governed, unreached]) {
    const told = new Set<string>();
    for (const url of SPELLINGS(port)) {
      for (const name of [undefined, 'mine']) {
        const reply = await connect({ url, ...(name ? { name } : {}) });
        expect(isRefused(reply), url).toBe(true);
        expect(reply.text).not.toContain('governed');
        if (!url.includes('user:pass')) told.add(JSON.stringify(reply.message.result?.content));
      }
    }
    // The refusal is one, and says nothing of a server.
    expect([...told].filter((text) => /connected|already|unreached/i.test(text))).toEqual([]);
  }
  expect(governed.heard).toEqual([]);
  expect(unreached.heard).toEqual([]);
  expect(gateway.gateway.federation.members().map(({ name }) => name)).toEqual([
    'switchboard',
    'v',
    'governed',
    'unreached',
  ]);
});

it('a redirect to a server with a policy is refused', async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    for (const { url: location } of [governed, unreached]) {
      const server = createServer((request, response) => {
        request.resume();
        response.writeHead(status, { location }).end();
      });
      redirecting.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const url = `http://127.0.0.1:${port}/mcp`;
      expect(isRefused(await connect({ url, name: `r${port}` }))).toBe(true);
      expect(isRefused(await call('connectServer', { url, name: `r${port}` }))).toBe(true);
    }
  }
  expect(governed.heard).toEqual([]);
  expect(unreached.heard).toEqual([]);
});

it('connectServer refuses the gateway itself, also with the key of a grant', async () => {
  const { port } = new URL(gateway.url);
  for (const host of ['127.0.0.1', 'localhost', '127.1', '[::ffff:127.0.0.1]']) {
    for (const path of ['/mcp', '/servers/v/mcp', '/sse', '/servers/unreached/mcp', '/admin/approvals']) {
      const reply = await connect({
        url: `http://${host}:${port}${path}`,
        name: 'loop',
        headers: { Authorization: `Bearer ${agent.key}` },
      });
      expect(isRefused(reply), `${host}${path}: ${reply.text}`).toBe(true);
      expect(reply.text).not.toContain(agent.key);
    }
  }
});

it('connectServer refuses names and prefixes of other servers', async () => {
  for (const wanted of [
    { name: 'v' },
    { name: 'governed' },
    { name: 'unreached' },
    { name: 'switchboard' },
    { name: 'all' },
    { name: 'v__x' },
    { name: '__proto__' },
    { name: 'mine', namespace: 'v' },
    { name: 'mine', namespace: 'unreached' },
    { name: 'mine', namespace: 'v__' },
    { name: 'mine', namespace: 'v_' },
    { name: 'v_' },
    { name: 'v_', namespace: false },
  ]) {
    const reply = await connect({ url: evil.url, ...wanted });
    expect(isRefused(reply), JSON.stringify(wanted)).toBe(true);
    // The error names the owner only where the caller may know it.
    if (!Object.values(wanted).includes('unreached')) expect(reply.text).not.toContain('unreached');
  }
  const near = await connect({ url: evil.url, name: 'mine', namespace: 'v_' });
  expect(near.text).toContain("Server 'v' can make the names of the prefix 'v_' that server 'mine' would have.");
  expect(await names(other)).toEqual(['v__echo']);
});

it.each<[string, object]>([
  ['its own name', { name: 'evil' }],
  ['no prefix', { name: 'evil', namespace: false }],
  ['a prefix that looks like another', { name: 'evil', namespace: 'v_' }],
])('a server connected under %s cannot be used by a grant whose policy does not list it', async (_, wanted) => {
  const reply = await connect({ url: evil.url, ...wanted });
  if (isRefused(reply)) expect(evil.of('tools/list')).toEqual([]);
  for (const key of [agent, other, pasted]) {
    const listed = await names(key);
    for (const name of [
      ...listed,
      'echo',
      'evil__echo',
      'evil__v__echo',
      'v__other',
      'v___echo',
      'v___v__echo',
      'connectServer',
    ]) {
      await call(name, {}, key);
    }
    expect(evil.of('tools/call')).toEqual([]);
  }
  expect((await names(other)).filter((name) => name.startsWith('v__'))).toEqual(['v__echo']);
  expect(await names(other)).toHaveLength(1);
  expect(await names(pasted)).toEqual(['v__echo']);
  expect(await names(agent)).toHaveLength(3);
});

it('a hook of upstream.connect sees no credentials, and its denial holds', async () => {
  const module = join(gateway.folder, 'guard.mjs');
  writeFileSync(
    module,
    `export default { phases: ['upstream.connect'], decide({ url, server, principal }) {
      globalThis.__connects ??= [];
      globalThis.__connects.push(url);
      return server === 'v' ? undefined : { effect: 'deny', reason: 'not this one' };
    } };`,
  );
  const hooked = await startReadyGateway({
    servers: { v: { url: v.url, kind: 'mcp' } },
    gateway: { grants: { agent: agent.entry }, connect: { allowPrivate }, hooks: [{ module }] },
  });
  try {
    const reply = await modern(hooked.url, agent, 'tools/call', {
      name: 'connectServer',
      arguments: {
        url: `${evil.url}?token=SECRET-OF-URL`,
        name: 'evil',
        kind: 'mcp',
        headers: { Authorization: 'Bearer SECRET-OF-HEADER' },
      },
    });
    expect(isRefused(reply)).toBe(true);
    expect(evil.heard).toEqual([]);
    const asked = JSON.stringify((globalThis as { __connects?: unknown }).__connects);
    expect(asked).toContain('127.0.0.1');
    expect(asked).not.toContain('SECRET');
    expect(hooked.log()).not.toContain('SECRET-OF');
  } finally {
    await hooked.close();
  }
});

it('servers of one host and port join one after the other under the published policy, thirty a minute', async () => {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(404).end();
  });
  redirecting.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const limit = { counter: 'connectserver_rate', window: 'minute', max: 30, scope: 'grant' };
  const published = grant({ policy: { version: '1', default: 'deny', tools: { connectServer: { limits: [limit] } } } });
  // Before the gateway is made, which keeps the clock it finds: all attempts are within one minute, however long they take.
  vi.useFakeTimers({ toFake: ['Date'] });
  let own: OwnGateway | undefined;
  try {
    own = await startReadyGateway({
      servers: {},
      gateway: { grants: { published: published.entry }, connect: { allowPrivate } },
    });
    const { url: endpoint, gateway } = own;
    const join = (url: string) =>
      modern(endpoint, published, 'tools/call', { name: 'connectServer', arguments: { url, kind: 'mcp' } });
    const joined: string[] = [];
    for (let i = 0; i < 5; i++) {
      const reply = await join(`${evil.url}?n=${i}`);
      expect(isRefused(reply), reply.text).toBe(false);
      joined.push(reply.text);
    }
    const servers = gateway.federation.members().filter(({ builtin }) => !builtin);
    expect(servers).toHaveLength(5);
    expect(servers.every(({ state }) => state === 'ready')).toBe(true);
    // Attempts count, whether or not the server answers.
    const { port } = server.address() as AddressInfo;
    for (let i = 5; i < 30; i++) await join(`http://127.0.0.1:${port}/${i}`);
    const last = await join(`${evil.url}?n=31`);
    expect(last.text).toContain('Rate limit of 30 per minute reached');
  } finally {
    vi.useRealTimers();
    await own?.close();
  }
});
