/**
 * A client that was configured for mcp-agent-proxy, in front of real Mastra servers: started with that program's environment, it
 * sends its arguments and reads its results, as JSON in the text, and finds what it looks for.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { type ClientKind, Clients, type TestClient, textOf } from '../e2e/clients.ts';
import { FIXTURES_ALLOWED, type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type MastraFixture, startMastra } from '../fixtures/mastra.ts';
import { borrowLanggraph, borrowMastra } from '../fixtures/shared.ts';

const MAIN = join(import.meta.dirname, '../../bin/switchboard.js');
const KINDS = ['v1', 'v2-legacy', 'v2-modern'] satisfies ClientKind[];

// What that program promises of its results, member by member.
const Listed = z.object({
  serverAgents: z.array(
    z.object({
      serverName: z.string(),
      serverUrl: z.string(),
      serverType: z.string(),
      serverDescription: z.string().optional(),
      agents: z.array(z.object({ id: z.string(), name: z.string().optional(), fullyQualifiedId: z.string() })),
      status: z.enum(['online', 'offline', 'error']),
      error: z.string().optional(),
      isDynamic: z.boolean(),
    }),
  ),
  summary: z.object({
    totalServers: z.number(),
    staticServers: z.number(),
    dynamicServers: z.number(),
    onlineServers: z.number(),
    totalAgents: z.number(),
    agentConflicts: z.array(z.object({ agentId: z.string(), servers: z.array(z.string()) })),
  }),
});
const Called = z.object({
  success: z.literal(true),
  responseData: z.any(),
  interactionType: z.string(),
  serverUsed: z.string(),
  agentIdUsed: z.string(),
  fullyQualifiedId: z.string(),
  resolutionMethod: z.string(),
  serverType: z.string(),
});
const Described = z.object({
  success: z.literal(true),
  agentId: z.string(),
  fullyQualifiedId: z.string(),
  serverUsed: z.string(),
  serverName: z.string(),
  agentDetails: z.record(z.string(), z.any()),
  resolutionMethod: z.string(),
  serverType: z.string(),
});
const Connected = z.object({
  success: z.literal(true),
  serverName: z.string(),
  serverUrl: z.string(),
  serverType: z.string().optional(),
  message: z.string(),
  agentsFound: z.number().optional(),
  agentList: z.array(z.string()).optional(),
  validationPerformed: z.boolean(),
});
const Disconnected = z.object({
  success: z.literal(true),
  serverName: z.string(),
  message: z.string(),
  remainingDynamicServers: z.array(z.string()),
});

let one: MastraFixture;
let two: MastraFixture;
const clients = new Clients();

beforeAll(async () => {
  [one, two] = await Promise.all([borrowMastra(), borrowMastra()]);
});
afterAll(async () => {
  await clients.close();
  await Promise.all([one?.stop(), two?.stop()]);
});

/** A tool's answer as that program's clients read it. */
async function ask<T>(
  client: TestClient,
  tool: string,
  args: Record<string, unknown>,
  shape: z.ZodType<T>,
): Promise<T> {
  const result = await client.call(tool, args);
  expect(result.isError, textOf(result)).not.toBe(true);
  expect(result.content).toHaveLength(1);
  return shape.parse(JSON.parse(textOf(result)));
}

const say = (targetAgentId: string, content: string, more: object = {}) => ({
  targetAgentId,
  interactionType: 'generate',
  messages: [{ role: 'user', content }],
  ...more,
});

describe('a client that starts it as a command, with the environment of mcp-agent-proxy', () => {
  /** Without a configuration file. */
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-proxy-'));
  let client: TestClient;

  afterAll(() => rmSync(folder, { recursive: true }));
  beforeAll(async () => {
    client = await clients.connect('v1', {
      stdio: {
        command: process.execPath,
        args: [MAIN, 'serve', '--log-level', 'silent'],
        cwd: folder,
        env: {
          ...inherited(),
          AGENT_SERVERS: `${one.url}, ${two.url}`,
          MCP_TRANSPORT: 'stdio',
          MCP_SERVER_PORT: '3001',
        },
      },
    });
    // From here on the client holds results to the schemas the tools declare.
    await client.tools();
  });

  const both = (agent: string) => ['server0', 'server1'].map((server) => `${server}:${agent}`);

  it('finds the five tools', async () => {
    const five = ['callAgent', 'connectServer', 'describeAgent', 'disconnectServer', 'listAgents'];
    expect(await client.tools()).toEqual(expect.arrayContaining(five));
  });

  it('lists agents by server, with counts and conflicts', async () => {
    const { serverAgents, summary } = await ask(client, 'listAgents', {}, Listed);
    expect(serverAgents).toMatchObject([
      { serverName: 'server0', serverUrl: one.url, serverType: 'mastra', status: 'online', isDynamic: false },
      { serverName: 'server1', serverUrl: two.url, serverType: 'mastra', status: 'online', isDynamic: false },
    ]);
    expect(serverAgents[0]?.serverDescription).toBe('Mastra Server (server0)');
    const ids = serverAgents.map(({ agents }) => agents.map(({ id }) => id));
    expect(ids[0]).toContain('echo');
    expect(ids[1]).toEqual(ids[0]);
    expect(serverAgents.flatMap(({ agents }) => agents.map((agent) => agent.fullyQualifiedId))).toEqual(
      expect.arrayContaining(both('echo')),
    );
    expect(summary).toMatchObject({
      totalServers: 2,
      staticServers: 2,
      dynamicServers: 0,
      onlineServers: 2,
      totalAgents: 2 * (ids[0]?.length ?? 0),
    });
    expect(summary.agentConflicts).toContainEqual({ agentId: 'echo', servers: ['server0', 'server1'] });
  });

  it('calls an agent by server and id', async () => {
    expect(await ask(client, 'callAgent', say('server1:echo', 'hello'), Called)).toEqual({
      success: true,
      responseData: expect.objectContaining({ text: 'Echo: hello' }),
      interactionType: 'generate',
      serverUsed: two.url,
      agentIdUsed: 'echo',
      fullyQualifiedId: 'server1:echo',
      resolutionMethod: 'explicit_qualification',
      serverType: 'mastra',
    });
  });

  it('calls by the bare id: of several it gets the one of server0', async () => {
    const called = await ask(client, 'callAgent', say('echo', 'hello'), Called);
    expect(called).toMatchObject({
      serverUsed: one.url,
      fullyQualifiedId: 'server0:echo',
      resolutionMethod: 'conflict_default_server',
    });
  });

  it.each(['echo', 'elsewhere:echo'])('calls %s at a URL of its choice', async (targetAgentId) => {
    const called = await ask(client, 'callAgent', say(targetAgentId, 'hello', { serverUrl: two.url }), Called);
    expect(called).toMatchObject({
      serverUsed: two.url,
      agentIdUsed: 'echo',
      resolutionMethod: 'explicit_url_override',
    });
  });

  it('gets a stream as its collected pieces', async () => {
    const args = say('server0:echo', 'one two three', { interactionType: 'stream' });
    const { responseData, interactionType } = await ask(client, 'callAgent', args, Called);
    expect([interactionType, responseData.type]).toEqual(['stream', 'collected_stream']);
    const { chunks, summary } = responseData;
    expect(chunks.map(({ content }: { content: string }) => content).join('')).toBe('Echo: one two three');
    expect(chunks.length).toBeGreaterThan(1);
    expect(chunks[1]).toEqual({
      content: expect.any(String),
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      index: 1,
    });
    expect(summary).toMatchObject({ totalChunks: chunks.length, durationMs: expect.any(Number) });
  });

  it('goes on with a thread', async () => {
    const memory = { threadId: 'proxy-1', resourceId: 'ann' };
    await ask(client, 'callAgent', say('server0:echo', 'first', memory), Called);
    const { responseData } = await ask(client, 'callAgent', say('server0:echo', 'second', memory), Called);
    expect(responseData.text).toMatch(/^Echo \d+: second$/);
  });

  it('hears why an agent cannot be called', async () => {
    const result = await client.call('callAgent', say('nobody', 'hello'));
    expect([result.isError, textOf(result)]).toEqual([true, expect.stringContaining("There is no agent 'nobody'")]);
    const unknown = await client.call('callAgent', say('echo', 'hello', { serverUrl: 'http://127.0.0.1:9' }));
    expect(textOf(unknown)).toContain('No connected server has this serverUrl');
  });

  it.each([
    ['server0:echo', 'explicit_qualification', {}],
    ['echo', 'conflict_default_server', {}],
    ['echo', 'explicit_url_override', { serverUrl: 0 }],
  ])('describes %s (%s)', async (agentId, resolutionMethod, more) => {
    const url = 'serverUrl' in more ? { serverUrl: one.url } : {};
    const described = await ask(client, 'describeAgent', { agentId, ...url }, Described);
    expect(described).toMatchObject({
      agentId: 'echo',
      fullyQualifiedId: 'server0:echo',
      serverUsed: one.url,
      serverName: 'server0',
      resolutionMethod,
      serverType: 'mastra',
      agentDetails: { id: 'echo', name: 'Echo', fullyQualifiedId: 'server0:echo' },
    });
    expect(JSON.stringify(described)).not.toContain('SECRET SYSTEM PROMPT');
  });

  it('hears what is missing', async () => {
    const refused = await client.call('describeAgent', {});
    expect([refused.isError, textOf(refused)]).toEqual([true, expect.stringContaining('agentId: found nothing')]);
  });
});

describe('a client that connects over HTTP', () => {
  let gateway: OwnGateway;

  beforeAll(async () => {
    gateway = await startGateway({ gateway: FIXTURES_ALLOWED, env: { AGENT_SERVERS: one.url } });
    await gateway.reaches('server0', 'ready');
  });
  afterEach(() => clients.close());
  afterAll(() => gateway?.close());

  const open = async (kind: ClientKind): Promise<TestClient> => {
    const client = await clients.connect(kind, { http: gateway.url });
    await client.tools();
    return client;
  };

  it.each(KINDS)('connects a server at run time, uses it, and takes it out (%s)', async (kind) => {
    const client = await open(kind);
    const connected = await ask(client, 'connectServer', { serverUrl: two.url }, Connected);
    expect(connected).toMatchObject({
      serverName: 'server1',
      serverUrl: two.url,
      serverType: 'mastra',
      message: `Successfully connected to mastra server 'server1' (auto-generated name) at ${two.url}`,
      validationPerformed: true,
    });
    expect(connected.agentList).toContain('echo');
    expect(connected.agentsFound).toBe(connected.agentList?.length);
    const again = await ask(client, 'connectServer', { serverUrl: two.url, serverName: 'other' }, Connected);
    expect(again.serverName).toBe('server1');

    const { serverAgents, summary } = await ask(client, 'listAgents', {}, Listed);
    expect(serverAgents.map(({ serverName, isDynamic }) => [serverName, isDynamic])).toEqual([
      ['server0', false],
      ['server1', true],
    ]);
    expect(summary).toMatchObject({ staticServers: 1, dynamicServers: 1, onlineServers: 2 });
    const { responseData } = await ask(client, 'callAgent', say('server1:echo', 'hi'), Called);
    expect(responseData.text).toBe('Echo: hi');

    expect(await ask(client, 'disconnectServer', { serverName: 'server1' }, Disconnected)).toEqual({
      success: true,
      serverName: 'server1',
      message: "Successfully disconnected from server 'server1'",
      remainingDynamicServers: [],
    });
    for (const serverName of ['server1', 'server0']) {
      expect((await client.call('disconnectServer', { serverName })).isError, serverName).toBe(true);
    }
  });

  it('names a server itself', async () => {
    const client = await open('v1');
    const args = { serverUrl: two.url, serverName: 'ml_team', validateConnection: false };
    const connected = await ask(client, 'connectServer', args, Connected);
    expect(connected.message).toBe(`Successfully connected to mastra server 'ml_team' at ${two.url}`);
    await ask(client, 'disconnectServer', { serverName: 'ml_team' }, Disconnected);
  });

  it('may use the names of Switchboard as well', async () => {
    const client = await open('v2-auto');
    const { structuredContent } = await client.call('connectServer', { url: two.url, name: 'own' });
    expect(structuredContent).toMatchObject({ name: 'own', status: 'connected', serverName: 'own', success: true });
    expect((await client.call('disconnectServer', { name: 'own' })).structuredContent).toMatchObject({ name: 'own' });
    const both = await client.call('connectServer', { url: two.url, serverUrl: two.url });
    expect([both.isError, textOf(both)]).toEqual([true, expect.stringContaining('allowed: one of them')]);
  });

  it('finds the old transport at /mcp/sse', async () => {
    const client = await clients.connect('v1', { sse: gateway.at('/mcp/sse') });
    expect((await ask(client, 'listAgents', {}, Listed)).summary.totalServers).toBe(1);
    const called = await ask(client, 'callAgent', say('echo', 'hello'), Called);
    expect(called.resolutionMethod).toBe('unique_auto_resolution');
  });

  it('sees a server that is away as one with an error and no agents', async () => {
    const client = await open('v1');
    const third = await startMastra();
    await ask(client, 'connectServer', { serverUrl: third.url, serverName: 'third' }, Connected);
    await third.kill();
    const listed = await until(async () => {
      const { serverAgents } = await ask(client, 'listAgents', {}, Listed);
      const found = serverAgents.find(({ serverName }) => serverName === 'third');
      // A call finds out at once what polling would in time.
      await client.call('callAgent', say('third:echo', 'hello'));
      return found?.status === 'error' && found;
    }, 'the server to be missed');
    expect(listed).toMatchObject({ agents: [], error: expect.any(String), isDynamic: true });
    await ask(client, 'disconnectServer', { serverName: 'third' }, Disconnected);
  });
});

describe('a LangGraph server', () => {
  it('is listed by the ids of its graphs, and answers with its text alone', async () => {
    const graphs = await borrowLanggraph('2.0');
    const gateway = await startGateway({ env: { AGENT_SERVERS: `${one.url} ${graphs.url}` } });
    try {
      for (const name of ['server0', 'server1']) await gateway.reaches(name, 'ready');
      const client = await clients.connect('v1', { http: gateway.url });
      const { serverAgents, summary } = await ask(client, 'listAgents', {}, Listed);
      expect(serverAgents[1]).toMatchObject({ serverUrl: graphs.url, serverType: 'langgraph', status: 'online' });
      expect(serverAgents[1]?.agents).toContainEqual(
        expect.objectContaining({ id: 'echo', fullyQualifiedId: 'server1:echo' }),
      );
      expect(summary.agentConflicts).toContainEqual({ agentId: 'echo', servers: ['server0', 'server1'] });
      const called = await ask(client, 'callAgent', say('server1:echo', 'hello'), Called);
      expect(called).toMatchObject({ responseData: 'echo: hello', serverType: 'langgraph', serverUsed: graphs.url });
      const stream = say('server1:echo', 'hello', { interactionType: 'stream' });
      const { responseData } = await ask(client, 'callAgent', stream, Called);
      expect(responseData.chunks.map(({ content }: { content: string }) => content).join('')).toBe('echo: hello');
    } finally {
      await clients.close();
      await gateway.close();
      await graphs.stop();
    }
  });
});

describe('gateway.agentProxy', () => {
  it('false leaves the tools as they are, and names servers after their URLs', async () => {
    const gateway = await startGateway({ gateway: { agentProxy: false }, env: { AGENT_SERVERS: one.url } });
    const name = `127-0-0-1-${new URL(one.url).port}`;
    await gateway.reaches(name, 'ready');
    const client = await clients.connect('v1', { http: gateway.url });
    const listed = await client.call('listAgents');
    expect(textOf(listed)).toContain(`- ${name}/echo`);
    expect(listed.structuredContent).not.toHaveProperty('serverAgents');
    expect((await client.call('connectServer', { serverUrl: two.url })).isError).toBe(true);
    await clients.close();
    await gateway.close();
  });

  it('true gives their forms to the servers of a file', async () => {
    const servers = { team: { kind: 'mastra', url: one.url }, other: { kind: 'mastra', url: two.url } };
    const gateway = await startGateway({ servers, gateway: { agentProxy: true } });
    for (const name of ['team', 'other']) await gateway.reaches(name, 'ready');
    const client = await clients.connect('v1', { http: gateway.url });
    const called = await ask(client, 'callAgent', say('echo', 'hello'), Called);
    expect(called).toMatchObject({ fullyQualifiedId: 'team:echo', resolutionMethod: 'conflict_first_available' });
    await clients.close();
    await gateway.close();
  });
});

/** What any program needs of this process's environment. */
const inherited = (): Record<string, string> =>
  Object.fromEntries(
    ['PATH', 'HOME'].flatMap((name) => (process.env[name] ? [[name, process.env[name] as string]] : [])),
  );
