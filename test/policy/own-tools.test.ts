/** The gateway's own tools and agents behind the same gate: what is listed, described and called agrees. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, type TestClient, type ToolResult, textOf } from '../e2e/clients.ts';
import type { OwnGateway } from '../e2e/gateway.ts';
import type { MastraFixture } from '../fixtures/mastra.ts';
import { borrowMastra } from '../fixtures/shared.ts';
import { audited, denialOf, type Json } from './gateway.ts';
import { grant } from './grants.ts';
import { seen, startHooked } from './hook-modules.ts';

const KINDS = ['v1', 'v2-legacy', 'v2-modern'] as const satisfies ClientKind[];

const agents = {
  echo: { limits: [{ counter: 'echoes', window: 'day', max: 1, scope: 'grant' }], redact: ['result.text'] },
  calculator: { action: 'deny', reason: 'No sums.' },
  host: { require: [{ path: 'args.messages.0.content', op: 'contains', value: 'please' }] },
};
const policy = { version: '1', default: 'deny', hide: ['slow'], agents };
const wide = { version: '1', default: 'allow' };
const grants = {
  ...Object.fromEntries(KINDS.map((kind) => [kind, grant({ policy: wide })])),
  lister: grant({
    policy: { ...wide, default: 'deny', tools: { listServers: {}, listAgents: {} }, hide: ['connectServer'] },
  }),
  other: grant({ servers: ['elsewhere'], policy: wide }),
};

const MODULES = {
  watcher: `export default { phases: ['call.before', 'call.after'], decide(input) {
    see(input);
    if (input.kind === 'agent' && input.args?.messages?.[0].content === 'forbidden please') return { effect: 'deny', reason: 'Not that.' };
  } };`,
};

let mastra: MastraFixture;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  mastra = await borrowMastra();
  const servers = { mastra: { url: mastra.url, kind: 'mastra', policy } };
  gateway = await startHooked(servers, MODULES, {
    gateway: {
      audit: true,
      grants: Object.fromEntries(Object.entries(grants).map(([name, { entry }]) => [name, entry])),
    },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await mastra?.stop();
});

const as = (name: string, kind: ClientKind = 'v2-modern'): Promise<TestClient> =>
  clients.connect(kind, {
    http: gateway.url,
    headers: (grants as Record<string, ReturnType<typeof grant>>)[name]?.headers ?? {},
  });

const agentsOf = (result: ToolResult): unknown[] =>
  ((result.structuredContent as Json).agents as Json[]).map(({ agent }) => agent).toSorted();

describe.each(KINDS)('a %s client', (kind) => {
  let client: TestClient;
  beforeEach(async () => {
    client = await as(kind, kind);
  });
  const call = (agent: string, message = 'hello') => client.call('callAgent', { agent, message });
  const describeAgent = (agent: string) => client.call('describeAgent', { agent });

  it('lists the agents that rules are about', async () => {
    expect(agentsOf(await client.call('listAgents'))).toEqual(['mastra/calculator', 'mastra/echo', 'mastra/host']);
  });

  it('is denied an agent by its rule, by default and by conditions, with the rule in the error', async () => {
    for (const [agent, rule] of [
      ['mastra/calculator', '/agents/calculator/action'],
      ['mastra/janitor', '(default deny)'],
      ['mastra/host', '/agents/host/require/args.messages.0.content-contains'],
    ]) {
      const result = await call(agent as string);
      expect(result.isError, agent).toBe(true);
      expect(JSON.stringify(result), agent).toContain(rule);
    }
    expect(textOf(await call('mastra/calculator'))).toContain('No sums.');
  });

  it('gets no description of an agent it may never call', async () => {
    expect((await describeAgent('mastra/janitor')).isError).toBe(true);
    expect((await describeAgent('mastra/calculator')).isError).toBe(true);
    for (const agent of ['mastra/echo', 'mastra/host']) {
      expect((await describeAgent(agent)).structuredContent, agent).toMatchObject({
        agent,
        details: expect.any(Object),
      });
    }
  });

  it('gets the same error for a hidden agent as for an unknown one', async () => {
    for (const ask of [call, describeAgent]) {
      const [kept, nobody] = [await ask('mastra/slow'), await ask('mastra/slew')];
      expect(JSON.stringify(kept)).toBe(JSON.stringify(nobody).replaceAll('slew', 'slow'));
      expect(kept.isError).toBe(true);
    }
  });

  it('is counted, and sees what redaction leaves', async () => {
    const first = await call('mastra/echo', 'say secret');
    expect(first.isError, textOf(first)).not.toBe(true);
    expect(JSON.stringify(first)).not.toContain('say secret');
    const second = await call('mastra/echo', 'again');
    expect(second.isError).toBe(true);
    expect(JSON.stringify(second)).toContain('SWB_RATE_LIMITED');
    const line = await audited(
      gateway,
      (record) => record.principal === kind && record.errorCode === 'SWB_RATE_LIMITED',
    );
    expect(line).toMatchObject({
      server: 'mastra',
      kind: 'agents',
      name: 'echo',
      method: 'agents/call',
      verdict: 'deny',
    });
    const outer = await audited(gateway, (record) => record.principal === kind && record.name === 'callAgent');
    expect(outer).toMatchObject({ server: 'switchboard', kind: 'tools', method: 'tools/call' });
  });
});

describe('hooks', () => {
  it('see messages and answers of agents inside callAgent', async () => {
    seen().length = 0;
    const client = await as('v1', 'v1');
    const answer = await client.call('callAgent', { agent: 'mastra/host', message: 'please' });
    expect(answer.isError, textOf(answer)).not.toBe(true);
    const of = (phase: string) => seen().find((input) => input.phase === phase && input.kind === 'agent');
    const common = { principal: 'v1', grant: 'v1', server: 'mastra', name: 'host', namespaced: 'mastra__host' };
    expect(of('call.before')).toMatchObject({ ...common, args: { messages: [{ role: 'user', content: 'please' }] } });
    expect(of('call.after')).toMatchObject({ ...common, result: { text: expect.any(String) } });
    const outer = seen().find(({ phase, name }) => phase === 'call.before' && name === 'callAgent');
    expect(outer).toMatchObject({ server: 'switchboard', kind: 'tool' });
    const denied = await client.call('callAgent', { agent: 'mastra/host', message: 'forbidden please' });
    expect(denied.isError).toBe(true);
    expect(JSON.stringify(denied)).toContain('Not that.');
  });
});

describe('builtin tools', () => {
  it.each(KINDS)('are listed, denied and hidden like any other, to a %s client', async (kind) => {
    const client = await as('lister', kind);
    expect((await client.tools()).toSorted()).toEqual(['listAgents', 'listServers']);
    expect(denialOf(await client.call('callAgent', { agent: 'mastra/echo', message: 'x' }))).toMatchObject({
      policy: 'grant:lister',
      rule: '(default deny)',
    });
    await expect(client.call('connectServer', { url: 'http://127.0.0.1:1/mcp' })).rejects.toThrow(
      /Unknown tool: 'connectServer'/,
    );
    // None of its agents may be called by this grant, so the server is none of its business.
    expect((await client.call('listServers')).structuredContent).toEqual({ servers: [] });
    expect(agentsOf(await client.call('listAgents'))).toEqual([]);
  });

  it('show no server outside the grant', async () => {
    const client = await as('other');
    expect((await client.call('listServers')).structuredContent).toEqual({ servers: [] });
    expect(textOf(await client.call('callAgent', { agent: 'mastra/echo', message: 'x' }))).not.toMatch(/on server/);
    expect(JSON.stringify(await client.call('listAgents', { server: 'mastra' }))).toContain("no server 'mastra'");
  });
});
