/** Keys that callers lend to agents: real agents come back to the gateway with them, and get no further than they may. */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { legacy, modern } from '../attacks/talk.ts';
import type { LanggraphFixture } from '../fixtures/langgraph.ts';
import type { MastraFixture } from '../fixtures/mastra.ts';
import { borrowLanggraph, borrowMastra } from '../fixtures/shared.ts';
import { grant } from '../policy/grants.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import type { RawReply } from './raw.ts';
import { until } from './until.ts';

type Json = Record<string, unknown>;

const ada = grant({ policy: { version: '1', default: 'allow' } });
/** May use one tool of the server and the agents, and lend only for a short while. */
const bob = grant({
  policy: {
    version: '1',
    default: 'allow',
    tools: { files__add: { action: 'deny', reason: 'not for bob' } },
    agents: {
      graph__delegate: { deny_if: [{ path: 'args.lend.ttl', op: 'gt', value: 60_000 }], reason: 'lent for too long' },
    },
  },
});

let graph: LanggraphFixture;
let mastra: MastraFixture;
let gateway: OwnGateway;

beforeAll(async () => {
  [graph, mastra] = await Promise.all([borrowLanggraph('1.5'), borrowMastra()]);
  gateway = await startReadyGateway({
    servers: {
      graph: { url: graph.url, kind: 'langgraph' },
      mastra: { url: mastra.url, kind: 'mastra' },
      files: { command: process.execPath, args: [new URL('../fixtures/mcp/stdio-v2.ts', import.meta.url).pathname] },
    },
    gateway: {
      agents: { taskAfterMs: 100 },
      grants: { ada: ada.entry, bob: bob.entry },
      audit: { file: 'audit.jsonl' },
    },
  });
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([graph?.stop(), mastra?.stop()]);
});

const resultOf = ({ message, text }: RawReply): Json => {
  if (!message.result) throw new Error(text);
  return message.result as Json;
};

async function callAgent(agent: string, said: Json, more: Json, key = ada): Promise<Json> {
  const args = { agent, message: JSON.stringify(said), ...more };
  return resultOf(await modern(gateway.url, key, 'tools/call', { name: 'callAgent', arguments: args }));
}

const answerOf = (result: Json): { tools: string[]; result: unknown; key: string } => {
  const { text } = result.structuredContent as { text: string };
  return JSON.parse(text);
};

/** The key that the graph was lent last. */
function lastLent(): { headers: Record<string, string> } {
  const { lent } = graph.events.findLast(({ event }) => event === 'delegate lent') ?? {};
  if (!lent) throw new Error('Nothing was lent.');
  return { headers: { authorization: String(lent.headers.Authorization) } };
}

const echo = { tool: 'files__echo', args: { text: 'from the agent' } };

describe('a key lent to an agent', () => {
  it.each([
    ['LangGraph graph, in its configuration', {}],
    ['LangGraph graph, in its context', { options: { context: { own: 1 } } }],
  ])('lets a %s call the lent tools, and no others', async (_, more) => {
    const result = await callAgent('graph/delegate', echo, { lend: { tools: ['files__e*'] }, ...more });
    const { tools, result: echoed, key } = answerOf(result);
    expect(tools).toEqual(['files__echo']);
    expect(JSON.stringify(echoed)).toContain('from the agent');
    // The agent repeated its key: that reaches no client.
    expect(key).toBe('Bearer [lent key]');
    expect(gateway.log()).not.toContain(lastLent().headers.authorization?.slice('Bearer '.length));
  });

  it('lets a Mastra agent call the lent tools, and no others', async () => {
    const result = await callAgent('mastra/delegate', echo, { lend: { tools: ['files__echo'] } });
    const { text } = result.structuredContent as { text: string };
    expect(text).toContain('from the agent');
    expect(text).toContain('gate_files__echo');
    expect(text).not.toContain('gate_files__add');
  });

  it('ends with the call', async () => {
    await callAgent('graph/delegate', echo, { lend: { tools: ['files__echo'] } });
    const reply = await modern(gateway.url, lastLent(), 'tools/list');
    expect(reply.status).toBe(401);
    expect(reply.text).not.toContain('files');
  });

  it('ends with a run that is cancelled, and calls made with it end too', async () => {
    let slow: Promise<RawReply> | undefined;
    await held({ tools: ['files__slow'] }, async () => {
      const session = await legacy(gateway.url, lastLent());
      slow = session.request('tools/call', { name: 'files__slow', arguments: {} });
      await modern(gateway.url, lastLent(), 'tools/list');
    });
    expect((await slow)?.text).toMatch(/no longer valid|session/i);
  });
});

function auditLines(): string[] {
  const file = `${gateway.folder}/audit.jsonl`;
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
}

const lentSoFar = (): number => graph.events.filter(({ event }) => event === 'delegate lent').length;

/** Runs `check` while an agent holds a key. */
async function held(lend: Json, check: () => Promise<void>, key = ada): Promise<void> {
  const before = lentSoFar();
  const args = {
    agent: 'graph/delegate',
    message: JSON.stringify({ ...echo, waitMs: 60_000 }),
    lend,
    background: true,
  };
  const begun = resultOf(await modern(gateway.url, key, 'tools/call', { name: 'callAgent', arguments: args }));
  const { run } = begun.structuredContent as { run: string };
  await until(
    () => lentSoFar() > before,
    () => 'the agent to be lent a key',
  );
  try {
    await check();
  } finally {
    await modern(gateway.url, key, 'tools/call', { name: 'cancelRun', arguments: { run } });
  }
}

describe('what a lent key does not open', () => {
  it('is everything but the merged endpoint’s lent tools', async () => {
    await held({ tools: ['files__echo', 'files__whoami'] }, async () => {
      const key = lastLent();
      const names = async (reply: Promise<RawReply>) =>
        ((resultOf(await reply).tools as { name: string }[]) ?? []).map(({ name }) => name).sort();
      expect(await names(modern(gateway.url, key, 'tools/list'))).toEqual(['files__echo', 'files__whoami']);
      const session = await legacy(gateway.url, key, { capabilities: { elicitation: {} } });
      expect(await names(session.request('tools/list'))).toEqual(['files__echo', 'files__whoami']);
      for (const name of ['files__add', 'connectServer', 'callAgent', 'graph__echo']) {
        const refused = await modern(gateway.url, key, 'tools/call', { name, arguments: {} });
        expect(refused.message.error?.data).toMatchObject({ code: 'SWB_UNKNOWN_TOOL' });
      }
      for (const method of ['tasks/list', 'tasks/get', 'resources/read', 'prompts/get', 'other/method']) {
        const params = { taskId: 'x', uri: 'fixture://readme', name: 'files__greet' };
        expect((await session.request(method, params)).message.error, method).toBeDefined();
      }
      expect(resultOf(await session.request('resources/list')).resources).toEqual([]);
      for (const path of ['/servers/files/mcp', '/a2a', '/v1/models', '/readyz']) {
        const reply = await fetch(gateway.at(path), { headers: key.headers });
        expect([401, 403], path).toContain(reply.status);
      }
      const other = await modern(gateway.at('/servers/files/mcp'), key, 'tools/list');
      expect(other.status).toBe(403);
    });
  });

  it('is a session of its lender, nor does it open one for the lender', async () => {
    await held({ tools: ['files__echo'] }, async () => {
      const mine = await legacy(gateway.url, ada);
      const headers = { 'mcp-session-id': mine.id, 'mcp-protocol-version': '2025-11-25', ...lastLent().headers };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
      const reply = await fetch(gateway.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
        body,
      });
      expect(reply.status).toBe(404);
    });
  });

  it('is what its lender may not use', async () => {
    await held(
      { tools: ['files__*'], ttl: 50_000 },
      async () => {
        const reply = await modern(gateway.url, lastLent(), 'tools/call', {
          name: 'files__add',
          arguments: { a: 1, b: 2 },
        });
        expect(reply.text).toContain('not for bob');
      },
      bob,
    );
  });

  it('is its own agent again, or one that led to it', async () => {
    await held({ tools: ['callAgent', 'graph__delegate', 'graph__echo'] }, async () => {
      const again = { name: 'callAgent', arguments: { agent: 'graph/delegate', message: 'x' } };
      const refused = await modern(gateway.url, lastLent(), 'tools/call', again);
      expect(refused.text).toContain('SWB_AGENT_LOOP');
      expect(refused.text).toContain('graph/delegate → graph/delegate');
      const other = { name: 'callAgent', arguments: { agent: 'graph/echo', message: 'hello' } };
      expect((await modern(gateway.url, lastLent(), 'tools/call', other)).text).toContain('hello');
    });
  });

  it('is more than it was lent, when it lends on', async () => {
    await held({ tools: ['callAgent', 'mastra__delegate', 'files__echo'] }, async () => {
      const args = {
        agent: 'mastra/delegate',
        message: JSON.stringify(echo),
        lend: { tools: ['files__*', 'files__echo'] },
      };
      const reply = await modern(gateway.url, lastLent(), 'tools/call', { name: 'callAgent', arguments: args });
      expect(reply.text).toContain('from the agent');
      expect(reply.text).not.toContain('files__add');
    });
  });

  it('is anything once its time is over', async () => {
    await held({ tools: ['files__echo'], ttl: 1_000 }, async () => {
      const key = lastLent();
      await until(
        async () => (await modern(gateway.url, key, 'tools/list')).status === 401,
        () => 'the end of the key',
      );
    });
  });
});

describe('lending', () => {
  it('can be ruled by policy', async () => {
    const result = await callAgent('graph/delegate', echo, { lend: { tools: ['files__echo'], ttl: 100_000 } }, bob);
    expect(JSON.stringify(result)).toContain('lent for too long');
  });

  it('names a tool that the caller does not have', async () => {
    const result = await callAgent('graph/delegate', echo, { lend: { tools: ['files__nothing'] } });
    expect(JSON.stringify(result)).toContain("names 'files__nothing', which is none of your tools");
  });

  it('stands in the audit: who lent, and to whom', async () => {
    await callAgent('graph/delegate', echo, { lend: { tools: ['files__echo'] } });
    const lines = (): Json[] =>
      auditLines()
        .filter((line) => line.includes('"lent"'))
        .map((line) => JSON.parse(line) as Json);
    await vi.waitFor(() => expect(lines().at(-1)).toMatchObject({ principal: 'ada', lent: { to: 'graph/delegate' } }));
    expect(auditLines().join()).not.toContain('swb_lent_');
  });
});

describe('a restart of the gateway', () => {
  it('ends the key of a call, and leaves that of a run which goes on for as long as the run does', async () => {
    const message = JSON.stringify({ ...echo, waitMs: 60_000 });
    const args = { agent: 'graph/delegate', message, lend: { tools: ['files__echo'] } };
    const begin = async (more: Json): Promise<[reply: Promise<RawReply>, key: ReturnType<typeof lastLent>]> => {
      const before = lentSoFar();
      const reply = modern(gateway.url, ada, 'tools/call', { name: 'callAgent', arguments: { ...args, ...more } });
      reply.catch(() => {});
      await until(
        () => lentSoFar() > before,
        () => 'the agent to be lent a key',
      );
      const key = lastLent();
      const [, id] = /^Bearer swb_lent_([0-9a-f]+)_/.exec(String(key.headers.authorization)) ?? [];
      // It needs the gateway no more.
      await until(
        () => auditLines().some((line) => line.includes(`"${id}"`) && line.includes('"tools/call"')),
        () => 'the agent to have called its tool',
      );
      return [reply, key];
    };
    const [, ofCall] = await begin({});
    const [begun, ofRun] = await begin({ background: true });
    const { run } = resultOf(await begun).structuredContent as { run: string };

    await gateway.stop();
    gateway = await startReadyGateway({ folder: gateway.folder });
    for (const name of ['graph', 'files']) await gateway.reaches(name, 'ready');
    expect((await modern(gateway.url, ofCall, 'tools/list')).status).toBe(401);
    const { tools } = resultOf(await modern(gateway.url, ofRun, 'tools/list'));
    expect((tools as Json[]).map(({ name }) => name)).toEqual(['files__echo']);
    const call = { name: 'files__echo', arguments: echo.args };
    expect((await modern(gateway.url, ofRun, 'tools/call', call)).text).toContain('from the agent');
    await modern(gateway.url, ada, 'tools/call', { name: 'cancelRun', arguments: { run } });
    expect((await modern(gateway.url, ofRun, 'tools/list')).status).toBe(401);
  });
});
