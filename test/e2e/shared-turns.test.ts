/**
 * Tasks of A2A clients and responses whose run is read by one gateway, followed at another one on the same state: a folder, and a Redis.
 * Then what their streams carry after a restart.
 */
import { type Task, TaskState } from '@a2a-js/sdk';
import { ClientFactory as ClientFactory03 } from 'a2a-sdk-0.3/client';
import type { Response, ResponseStreamEvent } from 'openai/resources/responses/responses';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../src/state/testing/redis-server.ts';
import { type A2aFixture, startA2a } from '../fixtures/a2a.ts';
import type { LanggraphFixture } from '../fixtures/langgraph.ts';
import { borrowLanggraph } from '../fixtures/shared.ts';
import { a2aClient, about, answerOf, CARD, follow, message, openai } from './agent-clients.ts';
import { type OwnGateway, startReadyGateway } from './gateway.ts';
import { until } from './until.ts';

let agent: A2aFixture;
let graph: LanggraphFixture;
let redis: RedisServer;

beforeAll(async () => {
  [agent, graph, redis] = await Promise.all([startA2a('1.0 JSONRPC'), borrowLanggraph('2.0'), startRedis()]);
});
afterAll(async () => {
  await Promise.all([agent?.stop(), graph?.stop(), redis?.close()]);
});

const servers = () => ({ remote: { url: agent.url, kind: 'a2a' }, graph: { url: graph.url, kind: 'langgraph' } });

const a2a = (at: OwnGateway, name = 'remote/Test-Agent') => a2aClient(at, name);

const ticks = (count: number): string => Array.from({ length: count }, (_, i) => `tick ${i} `).join('');

/** Begins a task here, and resolves with its id once its agent has said something. */
async function begun(at: OwnGateway, text: string) {
  const { promise: spoken, resolve: speaks } = Promise.withResolvers<string>();
  let id = '';
  const all = follow((await a2a(at)).sendMessageStream(message(text)), async (_, { payload }) => {
    if (payload?.$case === 'task') id = payload.value.id;
    if (payload?.$case === 'artifactUpdate') speaks(id);
  });
  return { id: await spoken, all };
}

/** The next task that the agent begins. Its events are those of all tests. */
function nextTask() {
  const before = agent.events.length;
  const isCancelled = (): boolean => {
    const events = agent.events.slice(before);
    const own = events.find(({ event }) => event === 'slow started');
    return events.some(({ event, task }) => event === 'cancelled' && task === own?.task);
  };
  return { cancelled: () => until(isCancelled, 'the end of the task at its agent') };
}

/** Follows for each of them, and does `then` when all have said that they are there, or one has ended before. */
async function together<Side, Seen>(
  sides: readonly Side[],
  followed: (side: Side, isThere: () => void) => Promise<Seen>,
  then: () => unknown,
): Promise<Seen[]> {
  const each = sides.map((side) => ({ side, ...Promise.withResolvers<void>() }));
  const ended = Promise.all(each.map(({ side, resolve }) => followed(side, resolve)));
  await Promise.race([Promise.all(each.map(({ promise }) => promise)), ended]);
  await then();
  return ended;
}

describe.each(['a folder', 'Redis'] as const)('two gateways on %s', (kind) => {
  let here: OwnGateway;
  let there: OwnGateway;

  beforeAll(async () => {
    const gateway = kind === 'Redis' ? { state: redis.url } : {};
    here = await startReadyGateway({ servers: servers(), gateway });
    there = await startReadyGateway({ folder: here.folder });
    for (const name of ['remote', 'graph']) await there.reaches(name, 'ready');
  });
  afterAll(async () => {
    await there?.stop();
    await here?.close();
  });

  it('stream a task alike to those who take it up: what was said, what is said, its end', async () => {
    const { id, all } = await begun(here, 'slow 400');
    const taken = await together(
      [here, there],
      async (at, isThere) =>
        follow((await a2a(at)).resubscribeTask(about(id)), async (_, { payload }) => {
          if (payload?.$case === 'artifactUpdate') isThere();
        }),
      () => agent.hurry(),
    );
    const { text: said } = await all;
    expect(said).toBe(ticks(said.split('tick').length - 1));
    for (const { text, states } of [await all, ...taken]) {
      expect(text).toBe(said);
      expect(states.at(-1)).toBe(TaskState.TASK_STATE_COMPLETED);
    }
    expect(taken.map(({ states }) => states[0])).toEqual([TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_WORKING]);
    for (const at of [here, there]) expect(answerOf(await (await a2a(at)).getTask(about(id)))).toBe(said);
  });

  it('show a task alike while its agent speaks, and end it alike', async () => {
    const task = nextTask();
    const { id, all } = await begun(here, 'slow 400');
    const other = await a2a(there);
    const shown = await other.getTask(about(id));
    expect(shown.status?.state).toBe(TaskState.TASK_STATE_WORKING);
    const own = await (await a2a(here)).getTask(about(id));
    expect(answerOf(shown)).toMatch(/^tick 0 /);
    expect(answerOf(own).startsWith(answerOf(shown))).toBe(true);
    expect({ ...shown, artifacts: [], status: undefined }).toEqual({ ...own, artifacts: [], status: undefined });
    const listed = (
      await other.listTasks({ contextId: shown.contextId, status: 0, pageToken: '', tenant: '' } as never)
    ).tasks[0];
    expect(listed && answerOf(listed)).toMatch(/^tick 0 /);

    const taken = follow(other.resubscribeTask(about(id)), async ({ states }) => {
      if (states.length === 1) await other.cancelTask(about(id));
    });
    for (const { states } of [await taken, await all]) expect(states.at(-1)).toBe(TaskState.TASK_STATE_CANCELED);
    await task.cancelled();
  });

  it('stream a task to a client of 0.3', async () => {
    const { id, all } = await begun(here, 'slow 400');
    const client = await new ClientFactory03().createFromUrl(there.at('/a2a/remote/Test-Agent/').href, CARD);
    let text = '';
    let state = '';
    for await (const event of client.resubscribeTask({ id })) {
      if (event.kind === 'task') {
        text = (event.artifacts ?? [])
          .flatMap(({ parts }) => parts)
          .map((part) => (part as { text: string }).text)
          .join('');
      }
      if (event.kind === 'artifact-update') {
        text =
          (event.append ? text : '') + event.artifact.parts.map((part) => (part as { text: string }).text).join('');
        agent.hurry();
      }
      if (event.kind === 'status-update') ({ state } = event.status);
    }
    expect([text, state]).toEqual([(await all).text, 'completed']);
    expect(text).toMatch(/^tick 0 tick 1 /);
  });

  it('tell who takes up a task that waits what comes of the answer, wherever it is given', async () => {
    const waiting = (await (await a2a(here)).sendMessage(message('ask'))) as Task;
    expect(waiting.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
    const { id: taskId, contextId } = waiting;
    const followed = await together(
      [here, there],
      async (at, isThere) =>
        follow((await a2a(at)).resubscribeTask(about(taskId)), async ({ states }) => {
          if (states.length > 0) isThere();
        }),
      async () => (await a2a(there)).sendMessage(message('red', { taskId, contextId })),
    );
    for (const { text, states } of followed) {
      expect(states[0]).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
      expect(states.at(-1)).toBe(TaskState.TASK_STATE_COMPLETED);
      expect(text).toBe('You chose red.');
    }
  });

  it('keep a task whose only reader leaves the stream', async () => {
    const client = await a2a(here);
    let id = '';
    for await (const { payload } of client.sendMessageStream(message('slow 30'))) {
      if (payload?.$case === 'task') id = payload.value.id;
      if (payload?.$case === 'artifactUpdate') break;
    }
    for (const at of [here, there]) {
      const task = await until(
        async () => {
          const found = await (await a2a(at)).getTask(about(id));
          return found.status?.state === TaskState.TASK_STATE_COMPLETED && found;
        },
        () => 'the end of the task',
      );
      expect(answerOf(task)).toBe(ticks(30));
    }
  });

  const create = (at: OwnGateway, input: string, background = true) =>
    openai(at).responses.create({ model: 'remote/Test-Agent', input, background, stream: true });

  it('stream a response alike, and go on after the event that a client had last', async () => {
    const first: ResponseStreamEvent[] = [];
    for await (const event of await create(here, 'slow 400')) {
      first.push(event);
      // The connection is lost; the response is not.
      if (first.filter(({ type }) => type === 'response.output_text.delta').length === 5) break;
    }
    const [created] = first;
    if (created?.type !== 'response.created') throw new Error(JSON.stringify(first));
    const { id } = created.response;
    const after = first.at(-1)?.sequence_number ?? 0;
    const read = async (at: OwnGateway, starting_after?: number, isThere = () => {}) => {
      const events: ResponseStreamEvent[] = [];
      const query = { stream: true as const, ...(starting_after === undefined ? {} : { starting_after }) };
      for await (const event of await openai(at).responses.retrieve(id, query)) {
        events.push(event);
        if (event.sequence_number > after) isThere();
      }
      return events;
    };
    expect((await openai(there).responses.retrieve(id)).status).toBe('in_progress');
    const [whole = [], rest, own] = await together(
      [{ at: there }, { at: there, from: after }, { at: here, from: after }],
      ({ at, from }, isThere) => read(at, from, isThere),
      () => agent.hurry(),
    );
    expect(whole.map(({ sequence_number }) => sequence_number)).toEqual(whole.map((_, i) => i));
    expect(whole.slice(0, first.length)).toEqual(first);
    expect(rest).toEqual(whole.slice(first.length));
    expect(own).toEqual(rest);
    const text = whole.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('');
    expect(text).toBe(ticks(text.split('tick').length - 1));
    const last = whole.at(-1);
    expect(last?.type === 'response.completed' && last.response.output).toMatchObject([
      { type: 'message', content: [{ text }] },
    ]);
    // It has ended: the same again, in both.
    for (const at of [here, there]) {
      expect(await read(at)).toEqual(whole);
      expect(await read(at, after)).toEqual(rest);
      expect(await read(at, whole.length - 1)).toEqual([]);
    }
  });

  it.each([true, false])('cancel a response that the other one streams (background: %s)', async (background) => {
    const task = nextTask();
    let response: Response | undefined;
    const types: string[] = [];
    for await (const event of await create(here, 'slow 400', background)) {
      types.push(event.type);
      if (event.type === 'response.created') ({ response } = event);
      if (event.type === 'response.output_item.added' && response) {
        expect((await openai(there).responses.retrieve(response.id)).status).toBe('in_progress');
        expect((await openai(there).responses.cancel(response.id)).status).toBe('cancelled');
      }
    }
    expect(types.at(-1)).toBe('response.failed');
    await task.cancelled();
    for (const at of [here, there]) {
      expect((await openai(at).responses.retrieve(String(response?.id))).status).toBe('cancelled');
    }
  });

  it('refuse what is no event of a stream', async () => {
    const { id } = await openai(here).responses.create({ model: 'remote/Test-Agent', input: 'hello' });
    const refused = await fetch(here.at(`/v1/responses/${id}?stream=true&starting_after=last`));
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('starting_after')]);
  });
});

describe('after a restart of the gateway', () => {
  let gateway: OwnGateway;

  beforeAll(async () => {
    gateway = await startReadyGateway({ servers: servers() });
  });
  afterAll(() => gateway?.close());

  it('the task of an A2A agent goes on where it was, and what it says then is streamed', async () => {
    const started = () => agent.events.filter(({ event }) => event === 'slow started').length;
    const before = started();
    const { id, all } = await begun(gateway, 'slow 400');
    const waiting = (await (await a2a(gateway)).sendMessage(message('ask'))) as Task;
    await gateway.stop();
    expect((await all).states).not.toContain(TaskState.TASK_STATE_FAILED);
    gateway = await startReadyGateway({ folder: gateway.folder });
    await gateway.reaches('remote', 'ready');

    const client = await a2a(gateway);
    let pieces = 0;
    const taken = await follow(client.resubscribeTask(about(id)), async (_, { payload }) => {
      if (payload?.$case !== 'artifactUpdate') return;
      pieces++;
      if (pieces === 2) agent.hurry();
    });
    const { length: said } = taken.text.split('tick').slice(1);
    expect([taken.text, taken.states.at(-1)]).toEqual([ticks(said), TaskState.TASK_STATE_COMPLETED]);
    expect(pieces).toBeGreaterThan(1);
    expect(said).toBeGreaterThan(pieces);
    expect(started()).toBe(before + 1);

    const { id: taskId, contextId } = waiting;
    const done = (await client.sendMessage(message('green', { taskId, contextId }))) as Task;
    expect([done.status?.state, answerOf(done)]).toEqual([TaskState.TASK_STATE_COMPLETED, 'You chose green.']);
  });

  it('a task that goes on at its server is followed to its end, and so is a response', async () => {
    const started = () => graph.events.filter(({ event }) => event === 'slow started').length;
    const before = started();
    const task = (await (await a2a(gateway, 'graph/slow')).sendMessage(message('150', {}, true))) as Task;
    const input = { model: 'graph/slow', input: '150', background: true as const };
    const response = await openai(gateway).responses.create(input);
    await until(
      () => started() === before + 2,
      () => 'the runs at their server',
    );
    await gateway.stop();
    gateway = await startReadyGateway({ folder: gateway.folder });
    await gateway.reaches('graph', 'ready');

    const events: ResponseStreamEvent[] = [];
    const query = { stream: true as const, starting_after: 40 };
    const stream = await openai(gateway).responses.retrieve(response.id, query);
    const taken = follow((await a2a(gateway, 'graph/slow')).resubscribeTask(about(task.id)), async () => graph.hurry());
    for await (const event of stream) events.push(event);
    const { text, states } = await taken;
    expect([text, states[0], states.at(-1)]).toEqual([
      '150 ticks',
      TaskState.TASK_STATE_WORKING,
      TaskState.TASK_STATE_COMPLETED,
    ]);
    // Of what was said before nothing is known: the client gets the whole, after what it has.
    expect(events[0]?.sequence_number).toBe(41);
    const last = events.at(-1);
    expect(last?.type === 'response.completed' && last.response.output).toMatchObject([
      { type: 'message', content: [{ text: '150 ticks' }] },
    ]);
    expect(started()).toBe(before + 2);
  });
});
