/** Round the gate to an agent: by any of its names, through any tool, and on with what another grant began. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AGENT, json as answer, closeAll, fakeMastra, saying } from '../../adapters/mastra/testing/fake-mastra.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { grant } from '../policy/grants.ts';
import { isRefused, legacy, modern } from './talk.ts';

const open = { version: '1', default: 'allow' };
const loose = grant({
  policy: { ...open, hide: ['mastra__hid'], agents: { mastra__shut: { action: 'deny' } } },
});
const strict = grant({
  policy: { version: '1', default: 'deny', tools: { callAgent: {}, describeAgent: {} }, agents: { mastra__a: {} } },
});
const counted = grant({
  policy: { ...open, agents: { mastra__a: { limits: [{ counter: 'a', window: 'day', max: 2 }] } } },
});
/** Rules about the tools of agents. */
const byTool = grant({
  policy: {
    ...open,
    hide: ['mastra__hid'],
    tools: {
      mastra__shut: { action: 'deny' },
      mastra__a: { deny_if: [{ conditions: [{ path: 'args.message', op: 'contains', value: 'forbidden' }] }] },
    },
  },
});
const onlyTool = grant({
  policy: {
    version: '1',
    default: 'deny',
    tools: { callAgent: {}, listAgents: {}, mastra__a: {}, 'mastra__sh*': { action: 'deny' } },
  },
});
const noTools = grant({ policy: { ...open, tools: { '*': { action: 'deny' }, callAgent: {} } } });
const agentsOnly = grant({
  policy: { ...open, tools: { '*': { action: 'deny' }, callAgent: {} }, agents: { mastra__a: {} } },
});
const veiled = grant({
  policy: { ...open, tools: { mastra__a: { redact: ['args.message', 'result.structuredContent.text'] } } },
});
const countedTool = grant({
  policy: { ...open, tools: { mastra__a: { limits: [{ counter: 'a', window: 'day', max: 2 }] } } },
});
const everything = grant({ policy: { ...open, all_tools: { limits: [{ counter: 'all', window: 'day', max: 3 }] } } });
const [one, two] = [grant({ policy: open }), grant({ policy: open })];

let mastra: Awaited<ReturnType<typeof fakeMastra>>;
let gateway: OwnGateway;

beforeAll(async () => {
  const ids = ['a', 'shut', 'hid'];
  mastra = await fakeMastra({
    'GET /api/agents?partial=true': answer(Object.fromEntries(ids.map((id) => [id, { ...AGENT, id, name: id }]))),
    'GET /api/tools': answer({}),
    ...Object.fromEntries(ids.map((id) => [`POST /api/agents/${id}/stream`, saying('hi')])),
  });
  const grants = {
    loose,
    strict,
    counted,
    one,
    two,
    byTool,
    onlyTool,
    noTools,
    agentsOnly,
    veiled,
    countedTool,
    everything,
  };
  gateway = await startReadyGateway({
    servers: { mastra: { url: mastra.server.origin, kind: 'mastra' } },
    gateway: { grants: Object.fromEntries(Object.entries(grants).map(([name, { entry }]) => [name, entry])) },
  });
});
beforeEach(() => {
  mastra.sent.length = 0;
});
afterAll(async () => {
  await gateway?.close();
  await closeAll();
});

const runs = (): string[] =>
  mastra.sent.flatMap(({ line }) => /agents\/(\w+)\/(?:generate|stream)/.exec(line)?.[1] ?? []);
const call = (key: typeof one, args: object) =>
  modern(gateway.url, key, 'tools/call', { name: 'callAgent', arguments: { message: 'x', ...args } });

/** Through the agent's own tool, at both endpoints. */
const callTool = (key: typeof one, id: string, args: object = { message: 'x' }, at: string | URL = gateway.url) =>
  modern(at, key, 'tools/call', { name: at === gateway.url ? `mastra__${id}` : id, arguments: args });

const SPELLINGS = (id: string): object[] => [
  { agent: `mastra/${id}` },
  { agent: `mastra__${id}` },
  { agent: `mastra:${id}` },
  { agent: id },
  { agent: id.toUpperCase() },
  { agent: `MASTRA/${id}` },
  { agent: `mastra/${id} ` },
  { agent: `mastra//${id}` },
  { agent: `mastra/../mastra/${id}` },
  { agent: `mastra/${encodeURIComponent(`../agents/${id}`)}` },
  { targetAgentId: id },
  { targetAgentId: id, serverUrl: mastra.server.origin },
  { agent: id, serverUrl: mastra.server.origin },
];

it.each(['shut', 'hid'])('the denied agent %s cannot be called by any of its names', async (id) => {
  for (const [name, key] of Object.entries({ loose, strict })) {
    for (const args of SPELLINGS(id)) {
      for (const more of [{}, { stream: true }]) {
        const reply = await call(key, { ...args, ...more });
        expect(isRefused(reply), `${name}: ${JSON.stringify(args)}: ${reply.text}`).toBe(true);
      }
    }
    const described = await modern(gateway.url, key, 'tools/call', {
      name: 'describeAgent',
      arguments: { agent: `mastra/${id}` },
    });
    expect(isRefused(described)).toBe(true);
  }
  expect(runs()).toEqual([]);
});

it('a denied agent cannot be reached through a tool, prompt or method of its server', async () => {
  const own = gateway.at('/servers/mastra/mcp');
  for (const key of [loose, strict]) {
    const session = await legacy(own, key);
    for (const method of ['agents/call', 'agents/describe', 'Agents/call', 'agents/call ']) {
      const reply = await session.request(method, { agent: 'shut', messages: [{ role: 'user', content: 'x' }] });
      expect(reply.message.error).toBeDefined();
    }
    for (const url of [own, gateway.url]) {
      const { message } = await modern(url, key, 'tools/list');
      const tools = message.result?.tools as { name: string }[];
      for (const { name } of tools) {
        if (/^(?:callAgent|connectServer|disconnectServer)$/.test(name)) continue;
        await modern(url, key, 'tools/call', { name, arguments: { agent: 'mastra/shut', message: 'x' } });
      }
    }
  }
  expect(runs()).toEqual([]);
});

it('a limit of an agent holds for calls through the tool, at once and one by one', async () => {
  const replies = await Promise.all(Array.from({ length: 8 }, () => call(counted, { agent: 'mastra/a' })));
  expect(replies.filter((reply) => !isRefused(reply))).toHaveLength(2);
  expect(isRefused(await call(counted, { agent: 'mastra/a', stream: true }))).toBe(true);
  expect(runs()).toEqual(['a', 'a']);
});

it('a grant cannot continue a conversation of another grant with its thread id', async () => {
  const threads = (): unknown[] =>
    mastra.sent.filter(({ line }) => line.includes('/stream')).map(({ body }) => JSON.parse(body).memory);
  for (const key of [one, two]) {
    expect(isRefused(await call(key, { agent: 'mastra/a', threadId: 't', resourceId: 'r' }))).toBe(false);
    expect(isRefused(await call(key, { agent: 'mastra/a', threadId: 't' }))).toBe(false);
  }
  const seen = threads().map((memory) => JSON.stringify(memory));
  expect(new Set(seen).size).toBe(4);
  const before = runs().length;
  for (const resourceId of ['switchboard:one', 'switchboard:local']) {
    const reply = await call(two, { agent: 'mastra/a', threadId: 't', resourceId });
    expect(isRefused(reply), reply.text).toBe(true);
  }
  expect(runs()).toHaveLength(before);
  // Nor by options that the server takes by itself.
  for (const options of [
    { memory: { thread: 't', resource: 'switchboard:one' } },
    { threadId: 't', resourceId: 'switchboard:one' },
  ]) {
    await call(two, { agent: 'mastra/a', options });
  }
  for (const memory of threads().slice(4)) expect(JSON.stringify(memory ?? {})).not.toContain('switchboard:one');
});

describe('the tool of an agent', () => {
  const doors = (key: typeof one, id: string) => [
    callTool(key, id),
    callTool(key, id, { message: 'x' }, gateway.at('/servers/mastra/mcp')),
    call(key, { agent: `mastra/${id}` }),
  ];

  it('is denied and hidden by rules about the agent, and the agent by rules about the tool', async () => {
    for (const key of [loose, byTool]) {
      for (const id of ['shut', 'hid']) {
        for (const reply of await Promise.all(doors(key, id))) expect(isRefused(reply), reply.text).toBe(true);
      }
      const { message } = await modern(gateway.url, key, 'tools/list');
      const tools = message.result?.tools as { name: string }[];
      const names = tools.map(({ name }) => name);
      expect(names).toContain('mastra__a');
      expect(names).not.toContain('mastra__hid');
    }
    expect(runs()).toEqual([]);
  });

  it('answers a hidden name as an unknown one', async () => {
    const hidden = await callTool(loose, 'hid');
    const unknown = await callTool(loose, 'nix');
    expect(hidden.text.replaceAll('hid', 'nix')).toBe(unknown.text);
  });

  it('is allowed with its agent by a rule about either, under a default of deny', async () => {
    for (const reply of await Promise.all(doors(onlyTool, 'a'))) expect(isRefused(reply), reply.text).toBe(false);
    expect(runs()).toEqual(['a', 'a', 'a']);
    for (const reply of await Promise.all(doors(onlyTool, 'shut'))) expect(isRefused(reply), reply.text).toBe(true);
    expect(isRefused(await callTool(strict, 'a'))).toBe(false);
    expect(isRefused(await callTool(strict, 'shut'))).toBe(true);
  });

  it('comes under the rule for all tools, unless a rule is about the agent', async () => {
    for (const reply of await Promise.all(doors(noTools, 'a'))) expect(isRefused(reply), reply.text).toBe(true);
    expect(runs()).toEqual([]);
    for (const reply of await Promise.all(doors(agentsOnly, 'a'))) expect(isRefused(reply), reply.text).toBe(false);
    for (const reply of await Promise.all(doors(agentsOnly, 'shut'))) expect(isRefused(reply), reply.text).toBe(true);
  });

  it('has its words judged however they are sent', async () => {
    const said = (content: unknown) => ({
      agent: 'mastra/a',
      messages: [{ role: 'user', content }],
      message: undefined,
    });
    for (const reply of [
      await callTool(byTool, 'a', { message: 'a forbidden word' }),
      await call(byTool, said('a forbidden word')),
      await call(byTool, said([{ type: 'text', text: 'a forbidden word' }])),
      await call(byTool, {
        ...said('x'),
        messages: [
          { role: 'user', content: 'a forbidden word' },
          { role: 'assistant', content: 'fine' },
          { role: 'user', content: 'fine' },
        ],
      }),
    ]) {
      expect(isRefused(reply), reply.text).toBe(true);
    }
    expect(runs()).toEqual([]);
    expect(isRefused(await call(byTool, said('a fine word')))).toBe(false);
  });

  it('has its words and its answer redacted, through either', async () => {
    for (const reply of [
      await callTool(veiled, 'a', { message: 'a secret' }),
      await call(veiled, { agent: 'mastra/a', message: 'a secret' }),
    ]) {
      expect(isRefused(reply), reply.text).toBe(false);
      expect(reply.text).toContain('[redacted]');
      expect(reply.text).not.toContain('"hi"');
    }
    expect(runs()).toEqual(['a', 'a']);
    expect(mastra.sent.map(({ body }) => body).join()).not.toContain('a secret');
  });

  it.each([
    ['agent', counted],
    ['tool', countedTool],
  ])('shares the limit of a rule about the %s', async (_, key) => {
    // The test before may have used some of it.
    const replies = [];
    for (let i = 0; i < 3; i++) replies.push(await callTool(key, 'a'), await call(key, { agent: 'mastra/a' }));
    expect(isRefused(replies.at(-1) as (typeof replies)[0])).toBe(true);
    expect(runs().length).toBeLessThanOrEqual(2);
  });

  it('counts once for a limit of all tools, and so does callAgent', async () => {
    const replies = [
      await call(everything, { agent: 'mastra/a' }),
      await callTool(everything, 'a'),
      await call(everything, { agent: 'mastra/a' }),
    ];
    expect(replies.map(isRefused)).toEqual([false, false, false]);
    expect(isRefused(await callTool(everything, 'a'))).toBe(true);
    expect(runs()).toHaveLength(3);
  });
});
