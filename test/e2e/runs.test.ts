/** Runs that outlive their clients and the gateway: tasks of clients in both forms, and runs in the background. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { legacy, modern } from '../attacks/talk.ts';
import type { LanggraphFixture } from '../fixtures/langgraph.ts';
import type { MastraFixture } from '../fixtures/mastra.ts';
import { borrowLanggraph, borrowMastra } from '../fixtures/shared.ts';
import { grant } from '../policy/grants.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import type { RawReply } from './raw.ts';
import { until } from './until.ts';

type Json = Record<string, unknown>;

const open = { version: '1', default: 'allow' };
const [ada, bob] = [grant({ policy: open }), grant({ policy: open })];
const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} }, elicitation: { form: {} } };

let graph: LanggraphFixture;
let mastra: MastraFixture;
let gateway: OwnGateway;

const servers = () => ({ graph: { url: graph.url, kind: 'langgraph' }, mastra: { url: mastra.url, kind: 'mastra' } });
const section = {
  agents: { taskAfterMs: 200, maxRuns: 3 },
  grants: { ada: ada.entry, bob: bob.entry },
};

beforeAll(async () => {
  [graph, mastra] = await Promise.all([borrowLanggraph('2.0'), borrowMastra()]);
  gateway = await startReadyGateway({ servers: servers(), gateway: section });
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([graph?.stop(), mastra?.stop()]);
});

const resultOf = ({ message, text }: RawReply): Json => {
  if (!message.result) throw new Error(text);
  return message.result;
};
const ask = (method: string, params: Json, key = ada, capabilities: object = TASKS) =>
  modern(gateway.url, key, method, params, { capabilities });
const callTool = (name: string, args: Json, key = ada, capabilities: object = TASKS) =>
  ask('tools/call', { name, arguments: args }, key, capabilities);
const task = async (taskId: unknown, key = ada): Promise<Json> => resultOf(await ask('tasks/get', { taskId }, key));

async function ended(taskId: unknown): Promise<Json> {
  let now: Json = {};
  await until(
    async () => {
      now = await task(taskId);
      return now.status !== 'working' && now.status !== 'input_required';
    },
    () => `the end of ${JSON.stringify(now)}`,
  );
  return now;
}

describe('a call of an agent by a client that knows tasks', () => {
  it.each([
    ['its tool', 'graph__slow', { message: '25' }],
    ['callAgent', 'callAgent', { agent: 'graph/slow', message: '25' }],
  ])('through %s becomes a task when it takes its time, and the task ends with its result', async (_, name, args) => {
    const created = resultOf(await callTool(name, args));
    expect(created).toMatchObject({ resultType: 'task', status: 'working', pollIntervalMs: expect.any(Number) });
    graph.hurry();
    const done = await ended(created.taskId);
    expect(done).toMatchObject({
      status: 'completed',
      result: { structuredContent: { agent: 'graph/slow', status: 'completed', text: '25 ticks' } },
    });
  });

  it('is answered with its result when that comes soon', async () => {
    const patient = await startReadyGateway({
      servers: { graph: servers().graph },
      gateway: { grants: section.grants },
    });
    try {
      const params = { name: 'graph__echo', arguments: { message: 'hi' } };
      const reply = await modern(patient.url, ada, 'tools/call', params, { capabilities: TASKS });
      expect(resultOf(reply)).toMatchObject({ resultType: 'complete', structuredContent: { text: 'echo: hi' } });
    } finally {
      await patient.close();
    }
  });

  it('shows in the task what the agent asks, and goes on with the answer', async () => {
    const created = resultOf(await callTool('graph__approval', { message: 'ship it' }));
    expect(created).toMatchObject({ resultType: 'task' });
    const { inputRequests } = await until(
      async () => {
        const now = await task(created.taskId);
        return now.status === 'input_required' ? now : undefined;
      },
      () => 'the question',
    );
    const [[key, asked] = ['', {}]] = Object.entries(inputRequests as Json);
    expect(asked).toMatchObject({ method: 'elicitation/create', params: { requestedSchema: expect.any(Object) } });
    const inputResponses = { [key]: { action: 'accept', content: { answer: 'yes' } } };
    expect((await ask('tasks/update', { taskId: created.taskId, inputResponses })).message.error).toBeUndefined();
    expect(await ended(created.taskId)).toMatchObject({ result: { structuredContent: { text: 'answer: yes' } } });
  });

  it('is a task of its principal alone', async () => {
    const { taskId } = resultOf(await callTool('graph__slow', { message: '30' }));
    for (const method of ['tasks/get', 'tasks/cancel']) {
      const other = await ask(method, { taskId }, bob);
      expect(other.message.error?.data).toMatchObject({ code: 'SWB_UNKNOWN_TASK' });
    }
    const unknown = await ask('tasks/get', { taskId: 'run_nothing' }, bob);
    const foreign = await ask('tasks/get', { taskId }, bob);
    expect(foreign.text.replaceAll(String(taskId), 'run_nothing')).toBe(unknown.text);
    await ask('tasks/cancel', { taskId });
  });

  it.each([
    ['graph__slow', () => graph.events.filter(({ event }) => event === 'slow aborted').length],
    ['mastra__slow', () => mastra.events.filter(({ event }) => event === 'slow aborted').length],
  ])('that is cancelled is cancelled at the server: %s', async (name, aborted) => {
    const before = aborted();
    const { taskId } = resultOf(await callTool(name, { message: '200' }));
    expect((await ask('tasks/cancel', { taskId })).message.error).toBeUndefined();
    expect(await task(taskId)).toMatchObject({ status: 'cancelled' });
    await until(
      () => aborted() > before,
      () => 'the abort at the server',
    );
  });
});

describe('a task that a legacy client asks for', () => {
  it('is created at once, listed, and ends with the result', async () => {
    const session = await legacy(gateway.url, ada);
    const request = async (method: string, params: Json) => resultOf(await session.request(method, params));
    const call = { name: 'graph__slow', arguments: { message: '3' }, task: { ttl: 60_000 } };
    const { task: made } = (await request('tools/call', call)) as { task: Json };
    expect(made).toMatchObject({ status: 'working', taskId: expect.stringMatching(/^run_/) });
    const listed = (await request('tasks/list', {})).tasks as Json[];
    expect(listed.map(({ taskId }) => taskId)).toContain(made.taskId);
    const result = await request('tasks/result', { taskId: made.taskId });
    expect(result).toMatchObject({
      structuredContent: { text: '3 ticks' },
      _meta: { 'io.modelcontextprotocol/related-task': { taskId: made.taskId } },
    });
    expect(await request('tasks/get', { taskId: made.taskId })).toMatchObject({ status: 'completed' });
  });
});

describe('a run in the background', () => {
  const textOf = (result: Json): string => (result.content as { text: string }[])[0]?.text ?? '';
  const structured = async (name: string, args: Json, key = ada): Promise<Json> => {
    const result = resultOf(await callTool(name, args, key, {}));
    if (result.isError) throw new Error(textOf(result));
    return result.structuredContent as Json;
  };

  it('is followed by its id and ends with its answer, for its principal alone', async () => {
    const begun = await structured('callAgent', { agent: 'graph/slow', message: '8', background: true });
    expect(begun).toMatchObject({ agent: 'graph/slow', status: 'working', run: expect.stringMatching(/^run_/) });
    const { run } = begun;
    const other = resultOf(await callTool('getRun', { run }, bob, {}));
    expect([other.isError, textOf(other)]).toEqual([true, expect.stringContaining('There is no run')]);
    const [now] = (await structured('getRun', { run, waitMs: 20_000 })).runs as Json[];
    expect(now).toMatchObject({ agent: 'graph/slow', status: 'completed', result: { text: '8 ticks' } });
    const { runs } = (await structured('getRun', {})) as { runs: Json[] };
    expect(runs.map((each) => each.run)).toContain(run);
  });

  it('is cancelled at its server by cancelRun', async () => {
    const before = graph.events.filter(({ event }) => event === 'slow aborted').length;
    const started = graph.events.filter(({ event }) => event === 'slow started').length;
    const { run } = await structured('callAgent', { agent: 'graph/slow', message: '200', background: true });
    await until(
      () => graph.events.filter(({ event }) => event === 'slow started').length > started,
      () => 'the begin at the server',
    );
    expect(await structured('cancelRun', { run })).toEqual({ run, status: 'cancelled' });
    await until(
      () => graph.events.filter(({ event }) => event === 'slow aborted').length > before,
      () => 'the abort at the server',
    );
  });

  it('that fails says why, and more than a principal may have are refused', async () => {
    const { run } = await structured('callAgent', { agent: 'graph/boom', message: 'x', background: true });
    const [failed] = (await structured('getRun', { run, waitMs: 20_000 })).runs as Json[];
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'SWB_AGENT_FAILED' } });
    const slow = { agent: 'graph/slow', message: '100', background: true };
    const runs = [];
    for (let i = 0; i < 3; i++) runs.push((await structured('callAgent', slow, bob)).run);
    const refused = resultOf(await callTool('callAgent', slow, bob, {}));
    expect(refused).toMatchObject({ isError: true, _meta: { 'switchboard/error': { code: 'SWB_QUEUE_FULL' } } });
    for (const each of runs) await structured('cancelRun', { run: each }, bob);
  });

  it('and a task are found again after a restart of the gateway, where the server can', async () => {
    const own = await startReadyGateway({ servers: servers(), gateway: section });
    const call = (name: string, args: Json, capabilities: object) =>
      modern(own.url, ada, 'tools/call', { name, arguments: args }, { capabilities });
    const { taskId } = resultOf(await call('graph__slow', { message: '40' }, TASKS));
    const background = async (agent: string): Promise<unknown> => {
      const reply = await call('callAgent', { agent, message: '40', background: true }, {});
      return (resultOf(reply).structuredContent as Json).run;
    };
    const [found, lost] = [await background('graph/slow'), await background('mastra/slow')];
    await until(
      async () => {
        const reply = await call('getRun', { run: found }, {});
        return ((resultOf(reply).structuredContent as Json).runs as Json[])[0]?.agent !== undefined;
      },
      () => 'the begin at the server',
    );
    const aborted = graph.events.filter(({ event }) => event === 'slow aborted').length;
    await own.stop();
    const again = await startReadyGateway({ servers: servers(), gateway: section, folder: own.folder });
    try {
      const runOf = async (run: unknown): Promise<Json | undefined> => {
        const params = { name: 'getRun', arguments: { run, waitMs: 10_000 } };
        const reply = await modern(again.url, ada, 'tools/call', params);
        return ((resultOf(reply).structuredContent as Json).runs as Json[])[0];
      };
      graph.hurry();
      expect(await runOf(found)).toMatchObject({ status: 'completed', result: { text: '40 ticks' } });
      expect(await runOf(lost)).toMatchObject({
        status: 'failed',
        message: expect.stringContaining('The gateway was restarted'),
      });
      // Both end at the same moment: which one is read first is not said.
      const got = await until(
        async () => {
          const now = resultOf(await modern(again.url, ada, 'tasks/get', { taskId }, { capabilities: TASKS }));
          return now.status !== 'working' && now;
        },
        () => 'the end of the task',
      );
      expect(got).toMatchObject({ status: 'completed', result: { structuredContent: { text: '40 ticks' } } });
      expect(graph.events.filter(({ event }) => event === 'slow aborted')).toHaveLength(aborted);
    } finally {
      await again.close();
    }
  });
});
