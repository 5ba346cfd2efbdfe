/**
 * Servers that list other things to clients that can be asked than to those that cannot: every client is shown what it would
 * be shown without the gateway, and no person who was never asked is said to have declined.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type RecordingUpstream, startRecording } from '../attacks/recording-upstream.ts';
import { modern } from '../attacks/talk.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { stdioFixture } from '../fixtures/mcp/stdio.ts';
import { type ClientKind, Clients, type Person, textOf } from './clients.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { until } from './until.ts';
import { EVERYTHING, type EverythingServer, startEverything } from './upstreams/everything.ts';

const clients = new Clients();
const tools = (names: string[]) => ({ tools: names.map((name) => ({ name, inputSchema: { type: 'object' } })) });
/** A modern server with a tool for each sort of client. */
const forCapabilities = (meta: Record<string, object> | undefined): string[] => {
  const declared = meta?.['io.modelcontextprotocol/clientCapabilities'] ?? {};
  return ['plain', 'elicitation' in declared ? 'ask' : 'ask-in-text'];
};

let everything: EverythingServer;
let alike: RecordingUpstream;
let perRequest: RecordingUpstream;
let v1: HttpFixture;
let v2: HttpFixture;
const child = stdioFixture('v1');
let gateway: OwnGateway;

beforeAll(async () => {
  [everything, v1, v2, alike, perRequest] = await Promise.all([
    startEverything(),
    startV1Http(),
    startV2Http(),
    startRecording({ sessions: true }),
    startRecording({
      era: 'modern',
      handlers: { 'tools/list': ({ _meta }) => tools(forCapabilities(_meta as Record<string, object>)) },
    }),
  ]);
  const { command, args, env } = child.target;
  gateway = await startReadyGateway({
    servers: {
      everything: EVERYTHING,
      web: { url: everything.url },
      alike: { url: alike.url },
      perrequest: { url: perRequest.url },
      v1: { url: v1.url },
      v2: { url: v2.url },
      child: { command, args, env },
    },
    gateway: { firstList: { httpMs: 10_000 } },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  child.close();
  await Promise.all([everything?.kill(), v1?.close(), v2?.close(), alike?.close(), perRequest?.close()]);
});

const elicit = () => ({ action: 'accept', content: { name: 'Ada' } });
const sample = () => ({ model: 'm', role: 'assistant', content: { type: 'text', text: 'Hello.' } });
const PEOPLE: [what: string, person: Person][] = [
  ['nothing', {}],
  ['roots', { roots: [{ uri: 'file:///a' }] }],
  ['elicitation', { elicit }],
  ['elicitation, sampling and roots', { elicit, sample, roots: [] }],
];

describe.each<ClientKind>(['v1', 'v2-legacy'])('a %s client', (kind) => {
  it.each(PEOPLE)('that declares %s is listed what the server lists to it directly', async (_what, person) => {
    const own = await clients.connect(kind, { stdio: EVERYTHING }, person);
    const listed = (await own.tools()).sort();
    for (const [server, ways] of [
      ['everything', [gateway.at('/servers/everything/mcp'), gateway.url]],
      ['web', [gateway.at('/servers/web/mcp'), gateway.url]],
    ] as const) {
      for (const url of ways) {
        const client = await clients.connect(kind, { http: url }, person);
        const names = await client.tools();
        const prefix = `${server}__`;
        const ours = url === gateway.url ? names.filter((name) => name.startsWith(prefix)) : names;
        expect(ours.map((name) => name.replace(prefix, '')).sort(), `${server} at ${url}`).toEqual(listed);
      }
    }
  });
});

describe('a modern client', () => {
  it('is listed what a server lists for the capabilities of its request, and can call it', async () => {
    const list = async (capabilities: object): Promise<string[]> => {
      const { message } = await modern(
        gateway.at('/servers/perrequest/mcp'),
        undefined,
        'tools/list',
        {},
        { capabilities },
      );
      return (message.result as { tools: { name: string }[] }).tools.map(({ name }) => name).sort();
    };
    expect(await list({})).toEqual(['ask-in-text', 'plain']);
    expect(await list({ elicitation: {} })).toEqual(['ask', 'plain']);
    expect(await list({ elicitation: {}, sampling: {} })).toEqual(['ask', 'plain']);
    const call = (name: string, capabilities: object) =>
      modern(gateway.at('/servers/perrequest/mcp'), undefined, 'tools/call', { name, arguments: {} }, { capabilities });
    expect((await call('ask-in-text', {})).message.result).toBeDefined();
    expect((await call('ask', {})).message.error).toMatchObject({ data: { code: 'SWB_UNKNOWN_TOOL' } });
    expect((await call('ask-in-text', { elicitation: {} })).message.error?.code).toBe(-32602);
    // A client that declares everything sees what the gateway does, and not what others are listed instead.
    const tasks = { list: {}, cancel: {}, requests: { sampling: { createMessage: {} }, elicitation: { create: {} } } };
    const all = { elicitation: { form: {}, url: {} }, sampling: { tools: {}, context: {} }, roots: {}, tasks };
    expect(await list(all)).toEqual(['ask', 'plain']);
  });

  it('without capabilities is listed what the reference server lists to such clients', async () => {
    const direct = await clients.connect('v2-legacy', { stdio: EVERYTHING });
    const client = await clients.connect('v2-modern', { http: gateway.at('/servers/everything/mcp') });
    expect((await client.tools()).sort()).toEqual((await direct.tools()).sort());
  });
});

it('a server that lists the same to all is asked once for each set of capabilities', async () => {
  const url = gateway.at('/servers/alike/mcp');
  const opened = alike.of('initialize').length;
  const client = await clients.connect('v1', { http: url }, { roots: [] });
  await client.tools();
  const asked = alike.of('initialize').length;
  expect(asked - opened).toBeLessThanOrEqual(1);
  for (let i = 0; i < 3; i++) {
    const again = await clients.connect('v1', { http: url }, { roots: [] });
    await again.tools();
    await again.tools();
  }
  expect(alike.of('initialize')).toHaveLength(asked);
});

it('a session hears of it where a server turns out to list something else to it', async () => {
  const own = await startReadyGateway({
    servers: { web: { url: everything.url } },
    // Nothing is waited for.
    gateway: { firstList: { httpMs: 0, stdioMs: 0 } },
  });
  try {
    const client = await clients.connect('v1', { http: own.at('/servers/web/mcp') });
    await client.listen();
    const first = (await client.tools()).length;
    await until(() => client.heard('notifications/tools/list_changed').length > 0, 'the change to be reported');
    expect((await client.tools()).length).toBeLessThan(first);
  } finally {
    await clients.close();
    await own.close();
  }
});

it('a server that never says what it lists to such clients delays one list, and no other', async () => {
  let opened = 0;
  const silent = await startRecording({
    sessions: true,
    handlers: {
      initialize: () =>
        // The gateway's own session is opened, and no other one ever.
        opened++ > 0
          ? new Promise(() => {})
          : {
              protocolVersion: '2025-11-25',
              serverInfo: { name: 'silent', version: '1' },
              capabilities: { tools: {} },
            },
    },
  });
  const own = await startReadyGateway({
    servers: { silent: { url: silent.url }, v1: { url: v1.url } },
    gateway: { firstList: { httpMs: 700 } },
  });
  try {
    const listed = async (): Promise<number> => {
      const began = performance.now();
      const { message } = await modern(own.url, undefined, 'tools/list');
      expect(JSON.stringify(message.result)).toContain('silent__echo');
      return performance.now() - began;
    };
    expect(await listed()).toBeGreaterThan(600);
    const [second, third] = [await listed(), await listed()];
    expect(Math.min(second, third)).toBeLessThan(600);
    expect(opened).toBe(2);
  } finally {
    await own.close();
    await silent.close();
  }
});

describe('a tool that asks a client which did not declare elicitation', () => {
  it.each<ClientKind>(['v1', 'v2-legacy'])('fails for a %s client in the words it fails in directly', async (kind) => {
    const said = async (way: { http: string | URL }, name: string) => {
      const client = await clients.connect(kind, way);
      return client.call(name);
    };
    // The gateway speaks to the second one in another era, whose name is in its words.
    const era = /the client on this 2025-era connection did not|the request's client capabilities do not/;
    for (const [server, fixture] of [
      ['v1', v1],
      ['v2', v2],
    ] as const) {
      for (const tool of ['ask', 'sample', 'roots']) {
        const direct = await said({ http: fixture.url }, tool);
        expect(direct.isError).toBe(true);
        for (const way of [gateway.url, gateway.at(`/servers/${server}/mcp`)]) {
          const through = await said({ http: way }, way === gateway.url ? `${server}__${tool}` : tool);
          expect(through.isError, `${server} at ${way}`).toBe(true);
          expect(textOf(through).replace(era, '…')).toBe(textOf(direct).replace(era, '…'));
        }
      }
    }
    // Callers share the session of this one, so that it cannot know before it asks.
    const shared = await said({ http: gateway.url }, 'child__ask');
    expect(shared.isError).toBe(true);
    expect(textOf(shared)).toBe('MCP error -32601: Client does not support form elicitation.');
    for (const tool of ['sample', 'roots']) {
      const refused = JSON.stringify(await said({ http: gateway.url }, `child__${tool}`));
      expect(refused).toMatch(/Client does not support (?:sampling|listing roots)/);
      expect(refused).not.toMatch(/reject|declin/i);
    }
  });
});
