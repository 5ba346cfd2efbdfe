/** Agents of real Mastra and LangGraph servers through the gateway, for clients of both eras. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LanggraphFixture } from '../fixtures/langgraph.ts';
import type { MastraFixture } from '../fixtures/mastra.ts';
import { borrowLanggraph, borrowMastra } from '../fixtures/shared.ts';
import { type ClientKind, Clients, type TestClient, type ToolResult, textOf } from './clients.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { expectNoLeak } from './leaks.ts';
import { until } from './until.ts';

const ERAS: ClientKind[] = ['v1', 'v2-modern'];

let mastra: MastraFixture;
let older: LanggraphFixture;
let newer: LanggraphFixture;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  [mastra, older, newer] = await Promise.all([borrowMastra(), borrowLanggraph('1.5'), borrowLanggraph('2.0')]);
  gateway = await startReadyGateway({
    servers: {
      // Kinds that are detected, and one that is configured.
      mastra: { url: mastra.url },
      graph15: { url: older.url },
      graph20: { url: newer.url, kind: 'langgraph' },
      // Mastra's own MCP server: the path says which of its protocols is meant.
      toolbox: { url: `${mastra.url}/api/mcp/toolbox/mcp` },
    },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all([mastra?.stop(), older?.stop(), newer?.stop()]);
});

const connect = (kind: ClientKind, person = {}): Promise<TestClient> =>
  clients.connect(kind, { http: gateway.url }, person);

const answerOf = (result: ToolResult): Record<string, unknown> => result.structuredContent ?? {};

describe('agents', () => {
  it('are listed with their kinds, which were detected', async () => {
    const client = await connect('v2-auto');
    const { agents, away } = answerOf(await client.call('listAgents')) as {
      agents: { agent: string; description?: string; kind: string }[];
      away: unknown[];
    };
    expect(away).toEqual([]);
    const ids = agents.map(({ agent }) => agent);
    expect(ids).toEqual(expect.arrayContaining(['mastra/echo', 'mastra/janitor', 'graph15/echo', 'graph20/approval']));
    expect(agents.find(({ agent }) => agent === 'mastra/echo')).toMatchObject({
      kind: 'mastra',
      description: 'Says what it hears, and remembers the conversation of a thread',
    });
    expect(agents.find(({ agent }) => agent === 'graph15/echo')).toMatchObject({ kind: 'langgraph' });
    expectNoLeak(agents);
  });

  it('are described without their instructions', async () => {
    const client = await connect('v1');
    for (const agent of ['mastra/calculator', 'graph20/echo']) {
      const result = await client.call('describeAgent', { agent });
      expect(result.isError, agent).not.toBe(true);
      expect(answerOf(result)).toMatchObject({ agent, details: expect.any(Object) });
      expectNoLeak(result);
    }
  });
});

describe.each(ERAS)('a %s client', (kind) => {
  it.each([
    ['mastra/echo', 'Echo: hello there'],
    ['graph15/echo', 'echo: hello there'],
    ['graph20/echo', 'echo: hello there'],
  ])('calls %s', async (agent, says) => {
    const client = await connect(kind);
    const result = await client.call('callAgent', { agent, message: 'hello there' });
    expect(answerOf(result)).toMatchObject({ agent, status: 'completed', text: says });
    expect(textOf(result)).toBe(says);
  });

  it.each([
    ['mastra/echo', 'Echo: one two three'],
    ['graph15/echo', 'echo: one two three'],
    ['graph20/echo', 'echo: one two three'],
  ])('receives the tokens of %s while they are made', async (agent, says) => {
    const client = await connect(kind);
    const pieces: { progress: number; message?: string }[] = [];
    const result = await client.call(
      'callAgent',
      { agent, message: 'one two three', stream: true },
      { onProgress: (piece) => pieces.push(piece) },
    );
    expect(textOf(result)).toBe(says);
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces.map(({ message }) => message).join('')).toBe(says);
    const counts = pieces.map(({ progress }) => progress);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(new Set(counts).size).toBe(counts.length);
  });

  it.each([
    ['mastra__echo', 'Echo: one two', 'mastra/echo'],
    ['graph15__echo', 'echo: one two', 'graph15/echo'],
    ['graph20__echo', 'echo: one two', 'graph20/echo'],
  ])('calls the agent by its tool %s, with its tokens as progress', async (name, says, agent) => {
    const client = await connect(kind);
    const pieces: string[] = [];
    const result = await client.call(
      name,
      { message: 'one two' },
      { onProgress: ({ message = '' }) => pieces.push(message) },
    );
    expect(answerOf(result)).toMatchObject({ agent, status: 'completed', text: says });
    expect(textOf(result)).toBe(says);
    expect(pieces.join('')).toBe(says);
    const wrong = await client.call(name, { text: 'one two' });
    expect([wrong.isError, textOf(wrong)]).toEqual([
      true,
      expect.stringContaining('- text: found an unknown argument'),
    ]);
  });

  it('answers what an agent asks during a call of its tool', async () => {
    const person = { elicit: () => ({ action: 'accept', content: { answer: 'yes' } }) };
    const client = await connect(kind, person);
    const approval = await client.call('graph20__approval', { message: 'ship it' });
    expect(answerOf(approval)).toMatchObject({ status: 'completed', text: 'answer: yes' });
    const alone = await connect(kind);
    const first = answerOf(await alone.call('graph20__approval', { message: 'ship it' }));
    expect(first).toMatchObject({ status: 'interrupted', interrupts: [expect.any(Object)] });
    const options = { resume: 'no' };
    const went = await alone.call('graph20__approval', { threadId: first.threadId, options });
    expect(answerOf(went)).toMatchObject({ status: 'completed', text: 'answer: no' });
  });

  it('gets the failure of an agent as a result, from its tool as from callAgent', async () => {
    const client = await connect(kind);
    const [tool, call] = [
      await client.call('graph20__boom', { message: 'x' }),
      await client.call('callAgent', { agent: 'graph20/boom', message: 'x' }),
    ];
    expect([tool.isError, call.isError]).toEqual([true, true]);
    expect(textOf(tool)).toBe(textOf(call));
    expectNoLeak(tool);
  });

  it('uses the argument names of mcp-agent-proxy', async () => {
    const client = await connect(kind);
    const pieces: string[] = [];
    const streamed = await client.call(
      'callAgent',
      {
        targetAgentId: 'mastra:echo',
        interactionType: 'stream',
        messages: [{ role: 'user', content: 'as before' }],
        agentOptions: { maxSteps: 1 },
        serverUrl: mastra.url,
      },
      { onProgress: ({ message = '' }) => pieces.push(message) },
    );
    expect(textOf(streamed)).toBe('Echo: as before');
    expect(pieces.join('')).toBe('Echo: as before');
    const generated = await client.call('callAgent', {
      targetAgentId: 'graph20:echo',
      interactionType: 'generate',
      messages: [{ role: 'user', content: 'as before' }],
    });
    expect(textOf(generated)).toBe('echo: as before');
  });

  it('answers questions of agents by elicitation', async () => {
    const asked: unknown[] = [];
    const person = {
      elicit: (params: Record<string, unknown>) => {
        asked.push(params.message);
        const { properties } = params.requestedSchema as { properties: Record<string, unknown> };
        return { action: 'accept', content: 'approve' in properties ? { approve: true } : { answer: 'yes' } };
      },
    };
    const client = await connect(kind, person);
    const approval = await client.call('callAgent', { agent: 'graph20/approval', message: 'ship it' });
    expect(answerOf(approval)).toMatchObject({ status: 'completed', text: 'answer: yes' });
    const path = `/${kind}.txt`;
    const deletion = await client.call('callAgent', { agent: 'mastra/janitor', message: path });
    expect(answerOf(deletion)).toMatchObject({ status: 'completed' });
    await until(
      () => mastra.events.some((event) => event.event === 'deleted' && event.path === path),
      'the approved tool to run',
    );
    expect(asked).toEqual([
      expect.stringContaining('Deploy to production?'),
      expect.stringContaining(`"path":"${path}"`),
    ]);
  });

  it('answers several questions in one round, and rounds one after the other', async () => {
    const asked: string[] = [];
    const answers: Record<string, unknown> = { name: 'Ada', colour: 'green', right: 'yes', people: 4 };
    const elicit = ({ message, requestedSchema }: Record<string, unknown>) => {
      const question = Object.keys(answers).find((key) => String(message).includes(key)) ?? '';
      asked.push(question);
      const [field = ''] = Object.keys((requestedSchema as { properties: object }).properties);
      return { action: 'accept', content: { [field]: answers[question] } };
    };
    const client = await connect(kind, { elicit });
    for (const server of ['graph15', 'graph20']) {
      const survey = await client.call('callAgent', { agent: `${server}/survey`, message: 'Begin.' });
      expect(answerOf(survey)).toMatchObject({ status: 'completed', text: 'Ada likes green: yes' });
      expect(asked.splice(0).sort()).toEqual(['colour', 'name', 'right']);
    }
    const booked = await client.call('callAgent', { agent: 'mastra/host', message: 'the garden' });
    expect(textOf(booked)).toContain('"people":4');
    expect(asked).toEqual(['people']);
  });

  it('without elicitation gets an interrupted run and continues it', async () => {
    const client = await connect(kind);
    const stopped = await client.call('callAgent', { agent: 'graph20/approval', message: 'ship it' });
    expect(answerOf(stopped)).toMatchObject({ status: 'interrupted', threadId: expect.any(String) });
    expect(textOf(stopped)).toContain('Deploy to production?');
    const { threadId } = answerOf(stopped);
    const resumed = await client.call('callAgent', { agent: 'graph20/approval', threadId, options: { resume: 'no' } });
    expect(answerOf(resumed)).toMatchObject({ status: 'completed', text: 'answer: no' });
  });
});

describe('the tools of a Mastra server', () => {
  it('are called over its API and over its MCP server', async () => {
    expect(gateway.status('mastra').kind).toBe('mastra');
    expect(gateway.status('toolbox')).toMatchObject({ kind: 'mcp', era: 'modern' });
    for (const kind of ERAS) {
      const client = await connect(kind);
      for (const tool of ['mastra__add', 'toolbox__add']) {
        expect(JSON.stringify(await client.call(tool, { a: 19, b: 23 })), tool).toMatch(/\b42\b/);
      }
    }
  });

  it('that need approval run only with it, also when called directly', async () => {
    const path = '/direct.txt';
    const deletions = (): number => mastra.events.filter((event) => event.path === path).length;
    const mute = await connect('v2-modern');
    const refused = await mute.call('mastra__delete-file', { path }).catch((error: Error) => error);
    expect(refused instanceof Error || refused.isError).toBe(true);
    const unwilling = await connect('v1', { elicit: () => ({ action: 'accept', content: { approve: false } }) });
    const declined = await unwilling.call('mastra__delete-file', { path }).catch((error: Error) => error);
    expect(declined instanceof Error || declined.isError).toBe(true);
    expect(deletions()).toBe(0);
    const willing = await connect('v1', { elicit: () => ({ action: 'accept', content: { approve: true } }) });
    await willing.call('mastra__delete-file', { path });
    await until(() => deletions() === 1, 'the approved tool to run');
  });
});

describe('the name of an agent', () => {
  it('by its bare id works when one server has it, and is never guessed when several do', async () => {
    const client = await connect('v2-modern');
    expect(textOf(await client.call('callAgent', { agent: 'calculator', message: 'add 2 and 3' }))).toContain('5');
    const ambiguous = await client.call('callAgent', { agent: 'echo', message: 'hi' });
    expect(ambiguous.isError).toBe(true);
    for (const candidate of ['mastra/echo', 'graph15/echo', 'graph20/echo']) {
      expect(textOf(ambiguous)).toContain(candidate);
    }
    const unknown = await client.call('callAgent', { agent: 'mastra/ecko', message: 'hi' });
    expect(unknown.isError).toBe(true);
    expect(textOf(unknown)).toContain('mastra/echo');
  });

  it('remembers a conversation by its thread', async () => {
    const client = await connect('v1');
    const turn = { agent: 'mastra/echo', threadId: 'e2e-thread', resourceId: 'somebody' };
    await client.call('callAgent', { ...turn, message: 'first' });
    expect(textOf(await client.call('callAgent', { ...turn, message: 'second' }))).toBe('Echo 2: second');
  });
});

describe('an agent that fails', () => {
  it.each(['mastra/failing', 'mastra/stuttering', 'graph15/boom', 'graph20/boom'])(
    'gives an error without internal details: %s',
    async (agent) => {
      const client = await connect('v2-modern');
      for (const stream of [false, true]) {
        const result = await client.call('callAgent', { agent, message: 'a very private prompt', stream });
        expect(result.isError).toBe(true);
        expect(textOf(result)).not.toBe('');
        expectNoLeak(result);
        expect(JSON.stringify(result)).not.toMatch(/very private prompt|10\.1\.2\.3|\/srv\//);
      }
    },
  );
});

describe('a cancelled run', () => {
  it.each([
    ['mastra/slow', () => mastra.events],
    ['graph15/slow', () => older.events],
    ['graph20/slow', () => newer.events],
  ])('is stopped on its server: %s', async (agent, events) => {
    const client = await connect('v2-modern');
    const seen = (what: string): number => events().filter(({ event }) => event === what).length;
    const [started, aborted] = [seen('slow started'), seen('slow aborted')];
    const cancel = new AbortController();
    const pieces: string[] = [];
    const failed = client
      .call(
        'callAgent',
        { agent, message: '600', stream: true },
        { signal: cancel.signal, onProgress: ({ message = '' }) => pieces.push(message) },
      )
      .then(
        () => undefined,
        (error: Error) => error,
      );
    await until(() => seen('slow started') > started, 'the run to start');
    await until(() => pieces.join('').includes('tick'), 'the run to be heard while it goes on');
    expect(seen('slow aborted')).toBe(aborted);
    cancel.abort();
    expect(await failed).toBeInstanceOf(Error);
    await until(() => seen('slow aborted') > aborted, 'the run to be stopped');
  });
});
