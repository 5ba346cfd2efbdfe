/** What clients of A2A and of the Responses API come back to: after a restart of the gateway, and at another one on its state. */
import { type Task, TaskState } from '@a2a-js/sdk';
import type { Response } from 'openai/resources/responses/responses';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modern } from '../attacks/talk.ts';
import type { LanggraphFixture } from '../fixtures/langgraph.ts';
import type { MastraFixture } from '../fixtures/mastra.ts';
import { borrowLanggraph, borrowMastra } from '../fixtures/shared.ts';
import { grant, type TestGrant } from '../policy/grants.ts';
import { a2aClient, about, answerOf, answerTo, message, openai as openaiClient, textIn } from './agent-clients.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { until } from './until.ts';

const open = { version: '1', default: 'allow' };
const [ada, bob] = [grant({ policy: open }), grant({ policy: open })];

let graph: LanggraphFixture;
let mastra: MastraFixture;
let gateway: OwnGateway;

beforeAll(async () => {
  [graph, mastra] = await Promise.all([borrowLanggraph('2.0'), borrowMastra()]);
  gateway = await startReadyGateway({
    servers: { graph: { url: graph.url, kind: 'langgraph' }, mastra: { url: mastra.url, kind: 'mastra' } },
    gateway: { grants: { ada: ada.entry, bob: bob.entry } },
  });
});

/** What was begun before the one restart of the gateway. */
interface Before {
  tasks: { over: Task; asking: Task; running: Task; lost: Task; approval: Task };
  responses: { first: Response; asking: Response; running: Response };
  /** How often the slow graph has started. */
  started: number;
}
afterAll(async () => {
  await gateway?.close();
  await Promise.all([graph?.stop(), mastra?.stop()]);
});

const slow = (event: string): number => graph.events.filter((seen) => seen.event === `slow ${event}`).length;

const a2a = (agent: string, { headers }: TestGrant = ada, at: OwnGateway = gateway) => a2aClient(at, agent, headers);
const openai = ({ key }: TestGrant = ada, at: OwnGateway = gateway) => openaiClient(at, key);

const EVERY = { contextId: '', status: 0, pageToken: '', tenant: '' } as never;

async function taskIn(state: TaskState, agent: string, id: string, at: OwnGateway = gateway): Promise<Task> {
  const client = await a2a(agent, ada, at);
  let task: Task | undefined;
  return until(
    async () => {
      task = await client.getTask(about(id));
      return task.status?.state === state && task;
    },
    () => `task ${id} to be ${TaskState[state]}: ${JSON.stringify(task)}`,
  );
}

/** A gateway on the state of the one that runs, or of the one that ran. */
async function onItsState(): Promise<OwnGateway> {
  const made = await startReadyGateway({ folder: gateway.folder });
  for (const name of ['graph', 'mastra']) await made.reaches(name, 'ready');
  return made;
}

const mastraSaw = (event: string, file?: string): number =>
  mastra.events.filter((seen) => seen.event === event && (file === undefined || seen.path === file)).length;

const callTool = (name: string, args: object, key = ada) =>
  modern(gateway.url, key, 'tools/call', { name, arguments: args }, { capabilities: { elicitation: { form: {} } } });

async function beginAll(): Promise<Before> {
  const say = async (agent: string, text: string, atOnce = false) =>
    (await (await a2a(agent)).sendMessage(message(text, {}, atOnce))) as Task;
  const tasks = {
    over: await say('graph/echo', 'hello'),
    asking: await say('graph/approval', 'start'),
    running: await say('graph/slow', '20', true),
    lost: await say('mastra/slow', 'go', true),
    approval: await say('mastra/janitor', 'served.txt'),
  };
  const responses = {
    first: await openai().responses.create({ model: 'mastra/echo', input: 'one' }),
    asking: await openai().responses.create({ model: 'graph/approval', input: 'start' }),
    running: await openai().responses.create({ model: 'graph/slow', input: '20', background: true }),
  };
  const asked = await callTool('mastra__workflow-publish', { text: 'served' });
  expect(asked.message.result).toMatchObject({ resultType: 'input_required' });
  await until(
    () => slow('started') === 2 && mastraSaw('slow started') === 1,
    () => 'the runs at their servers',
  );
  return { tasks, responses, started: slow('started') };
}

describe('after a restart of the gateway', () => {
  let before: Before;

  beforeAll(async () => {
    before = await beginAll();
    await gateway.stop();
    gateway = await onItsState();
  });

  it('the task of an A2A client that was over is there, as it was', async () => {
    const { over } = before.tasks;
    const found = await (await a2a('graph/echo')).getTask(about(over.id));
    expect(found).toMatchObject({ id: over.id, contextId: over.contextId, metadata: over.metadata });
    expect(answerOf(found)).toBe('echo: hello');
  });

  it('a task that asks is answered, and one that ran has run to its end, once', async () => {
    const { asking, running } = before.tasks;
    expect(asking.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
    const { contextId, id: taskId } = await taskIn(TaskState.TASK_STATE_INPUT_REQUIRED, 'graph/approval', asking.id);
    const done = (await (await a2a('graph/approval')).sendMessage(message('yes', { taskId, contextId }))) as Task;
    expect(done).toMatchObject({ id: asking.id, status: { state: TaskState.TASK_STATE_COMPLETED } });
    expect(answerOf(done)).toBe('answer: yes');
    expect(answerOf(await taskIn(TaskState.TASK_STATE_COMPLETED, 'graph/slow', running.id))).toBe('20 ticks');
    expect(slow('started')).toBe(before.started);
    // Each agent lists its own.
    const listed = async (agent: string) => (await (await a2a(agent)).listTasks(EVERY)).tasks.map(({ id }) => id);
    expect(await listed('graph/approval')).toEqual([asking.id]);
    expect(await listed('graph/slow')).toEqual([running.id]);
    expect(await listed('graph/echo')).toEqual([before.tasks.over.id]);
  });

  it('a task whose server keeps nothing of a run has failed, and says so', async () => {
    const lost = await taskIn(TaskState.TASK_STATE_FAILED, 'mastra/slow', before.tasks.lost.id);
    expect(textIn(lost.status?.message?.parts)).toMatch(/gateway was restarted/);
  });

  it('what waited for a person on a Mastra server is asked for again, and decided once', async () => {
    const { approval } = before.tasks;
    await taskIn(TaskState.TASK_STATE_INPUT_REQUIRED, 'mastra/janitor', approval.id);
    expect(mastraSaw('deleted', 'served.txt')).toBe(0);
    const waits = { taskId: approval.id, contextId: approval.contextId };
    const done = (await (await a2a('mastra/janitor')).sendMessage(message('yes', waits))) as Task;
    expect(done.status?.state, JSON.stringify(done.status)).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(mastraSaw('deleted', 'served.txt')).toBe(1);
  });

  it('a workflow that waits is found by any client of its principal, who goes on with it, and by no other', async () => {
    const waiting = async (key = ada) => {
      const { result } = (await callTool('mastra__workflow-resume', {}, key)).message;
      return (result as unknown as { structuredContent: Waiting }).structuredContent.waiting;
    };
    expect(await waiting(bob)).toEqual([]);
    const [run, ...more] = await waiting();
    expect(more).toEqual([]);
    expect(run).toMatchObject({ workflow: 'publish', steps: [{ step: 'confirm' }] });
    const { workflow, runId } = run as Waiting['waiting'][number];
    const decision = { workflow, runId, step: 'confirm', data: { yes: true } };
    expect((await callTool('mastra__workflow-resume', decision, bob)).text).toContain('no such run waiting');
    expect((await callTool('mastra__workflow-resume', decision)).text).toContain('published served');
    expect(await waiting()).toEqual([]);
  });

  it('responses are read, gone on from, answered, waited for and deleted', async () => {
    const { first, asking, running } = before.responses;
    expect(await openai().responses.retrieve(first.id)).toMatchObject({ output_text: 'Echo: one' });
    const more = { model: 'mastra/echo', input: 'two', previous_response_id: first.id };
    expect((await openai().responses.create(more)).output_text).toBe('Echo 2: two');
    expect((await openai().responses.create(answerTo(asking, 'yes'))).output_text).toBe('answer: yes');
    // A client that repeats an answer gets the outcome of the first.
    expect((await openai().responses.create(answerTo(asking, 'yes'))).output_text).toBe('answer: yes');
    const ended = await until(
      async () => {
        const now = await openai().responses.retrieve(running.id);
        return now.status !== 'in_progress' && now;
      },
      () => 'the end of the response in the background',
    );
    expect(ended).toMatchObject({ status: 'completed', output_text: '20 ticks' });
    await openai().responses.delete(first.id);
    await expect(openai().responses.retrieve(first.id)).rejects.toMatchObject({ status: 404 });
  });
});

describe('at another gateway on the same state', () => {
  let other: OwnGateway;

  beforeAll(async () => {
    other = await onItsState();
  });
  afterAll(() => other?.stop());

  /** Begins the slow graph here, and resolves when its server has. */
  async function slowly<T>(begin: () => Promise<T>): Promise<[begun: T, isAborted: () => boolean]> {
    const [started, aborted] = [slow('started'), slow('aborted')];
    const begun = await begin();
    await until(
      () => slow('started') > started,
      () => 'the run at its server',
    );
    return [begun, () => slow('aborted') > aborted];
  }

  it('tasks are answered, refused a message and cancelled', async () => {
    const asking = (await (await a2a('graph/approval')).sendMessage(message('start'))) as Task;
    const there = await a2a('graph/approval', ada, other);
    expect((await there.getTask(about(asking.id))).status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
    const { id: taskId, contextId } = asking;
    const done = (await there.sendMessage(message('yes', { taskId, contextId }))) as Task;
    expect(answerOf(done)).toBe('answer: yes');
    expect(answerOf(await taskIn(TaskState.TASK_STATE_COMPLETED, 'graph/approval', taskId))).toBe('answer: yes');

    const [running, isAborted] = await slowly(
      async () => (await (await a2a('graph/slow')).sendMessage(message('300', {}, true))) as Task,
    );
    await taskIn(TaskState.TASK_STATE_WORKING, 'graph/slow', running.id, other);
    const works = { taskId: running.id, contextId: running.contextId };
    const slowThere = await a2a('graph/slow', ada, other);
    await expect(slowThere.sendMessage(message('hurry', works))).rejects.toThrow(/The task is working/);
    await slowThere.cancelTask(about(running.id));
    await until(isAborted, () => 'the end of the run at its server');
    await taskIn(TaskState.TASK_STATE_CANCELED, 'graph/slow', running.id);
  });

  it('responses are answered and cancelled', async () => {
    const asking = await openai().responses.create({ model: 'graph/approval', input: 'start' });
    const there = openai(ada, other).responses;
    expect((await there.create(answerTo(asking, 'no'))).output_text).toBe('answer: no');
    const [running, isAborted] = await slowly(() =>
      openai().responses.create({ model: 'graph/slow', input: '300', background: true }),
    );
    expect((await there.retrieve(running.id)).status).toBe('in_progress');
    expect((await there.cancel(running.id)).status).toBe('cancelled');
    await until(isAborted, () => 'the end of the run at its server');
  });
});

describe('for another principal', () => {
  it('there are no such tasks', async () => {
    const own = (await (await a2a('graph/approval')).sendMessage(message('start'))) as Task;
    const others = await a2a('graph/approval', bob);
    await expect(others.getTask(about(own.id))).rejects.toThrow(/not found/i);
    await expect(others.cancelTask(about(own.id))).rejects.toThrow(/not found/i);
    const { id: taskId, contextId } = own;
    await expect(others.sendMessage(message('yes', { taskId, contextId }))).rejects.toThrow(/not found/i);
    expect((await others.listTasks(EVERY)).tasks).toEqual([]);
    await (await a2a('graph/approval')).cancelTask(about(own.id));
  });

  it('there are no such responses, nor for their own principal where they were not to be kept', async () => {
    const own = await openai().responses.create({ model: 'graph/echo', input: 'mine' });
    for (const asked of [
      () => openai(bob).responses.retrieve(own.id),
      () => openai(bob).responses.delete(own.id),
      () => openai(bob).responses.cancel(own.id),
      () => openai(bob).responses.create({ model: 'graph/echo', input: 'x', previous_response_id: own.id }),
    ]) {
      await expect(asked()).rejects.toMatchObject({ status: 404 });
    }
    const unkept = await openai().responses.create({ model: 'graph/echo', input: 'x', store: false });
    await expect(openai().responses.retrieve(unkept.id)).rejects.toMatchObject({ status: 404 });
  });
});

interface Waiting {
  waiting: { workflow: string; runId: string; steps: object[] }[];
}
