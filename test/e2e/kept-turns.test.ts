/** What responses and tasks of A2A clients keep of their runs: where several responses are of one, and where the gateway ends. */
import { type StreamResponse, type Task, TaskState } from '@a2a-js/sdk';
import type OpenAI from 'openai';
import type { Response } from 'openai/resources/responses/responses';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type A2aFixture, startA2a } from '../fixtures/a2a.ts';
import type { LanggraphFixture } from '../fixtures/langgraph.ts';
import { borrowLanggraph } from '../fixtures/shared.ts';
import { a2aClient, about, answerTo, message, openai, questionIn } from './agent-clients.ts';
import { type OwnGateway, startGateway, startReadyGateway } from './gateway.ts';
import { modernRequest, send } from './raw.ts';
import { until } from './until.ts';

let agent: A2aFixture;
let graph: LanggraphFixture;
let gateway: OwnGateway;
let client: OpenAI;

const servers = () => ({ remote: { url: agent.url, kind: 'a2a' }, graph: { url: graph.url, kind: 'langgraph' } });

beforeAll(async () => {
  [agent, graph] = await Promise.all([startA2a('1.0 JSONRPC'), borrowLanggraph('2.0')]);
  gateway = await startReadyGateway({ servers: servers() });
  client = openai(gateway);
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([agent?.stop(), graph?.stop()]);
});

const answer = (to: Response, output: string): Promise<Response> => client.responses.create(answerTo(to, output));

/** Answers what is asked until the agent is done, and resolves with what it says. */
async function finished(waiting: Response): Promise<string> {
  let now = waiting;
  while (now.output.some(({ type }) => type === 'function_call')) now = await answer(now, 'yes');
  return now.output_text;
}

describe('a response whose question is answered', () => {
  it.each([
    ['deleted', (id: string) => client.responses.delete(id)],
    ['cancelled', (id: string) => client.responses.cancel(id)],
  ])('ends nothing when it is %s: the run is that of the response that answers it', async (_, end) => {
    const first = await client.responses.create({ model: 'graph/survey', input: 'start' });
    const second = await answer(first, 'ada');
    await end(first.id);
    expect(await finished(second)).toMatch(/likes .*: yes/);
  });

  it('ends its run when it is cancelled before', async () => {
    const waiting = await client.responses.create({ model: 'graph/survey', input: 'start' });
    await client.responses.cancel(waiting.id);
    expect(await answer(waiting, 'ada')).toMatchObject({ status: 'cancelled' });
  });

  it('gets what the agent asks now where it is answered once more', async () => {
    const first = await client.responses.create({ model: 'graph/survey', input: 'start' });
    const third = await answer(await answer(first, 'ada'), 'red');
    const again = await answer(first, 'ada');
    expect(again).toMatchObject({ status: 'completed', error: null });
    expect(questionIn(again)).toMatchObject({ arguments: questionIn(third).arguments });
    expect(await finished(again)).toMatch(/likes .*: yes/);
  });
});

describe('a response that is only stored', () => {
  it('is no run of its principal once it is over', async () => {
    const { id } = await client.responses.create({ model: 'remote/Test-Agent', input: 'only stored' });
    const request = modernRequest('tools/call', { name: 'getRun', arguments: {} });
    const { message, text } = await send(gateway.url, request);
    expect(message.result, text).toBeDefined();
    expect(text).not.toContain('remote/Test-Agent');
    expect((await client.responses.retrieve(id)).output_text).toBe('only stored');
  });
});

describe('when the gateway ends', () => {
  it('a response that is not stored fails with that, and its task is cancelled at the agent', async () => {
    const own = await startReadyGateway({ servers: { remote: servers().remote } });
    try {
      const count = (event: string): number => agent.events.filter((seen) => seen.event === event).length;
      const [started, cancelled] = [count('slow started'), count('cancelled')];
      const to = openai(own);
      const stream = await to.responses.create({
        ...{ model: 'remote/Test-Agent', input: 'slow 1000' },
        ...{ store: false, stream: true as const },
      });
      let stopped: Promise<void> | undefined;
      let last: Response | undefined;
      for await (const event of stream) {
        if (event.type === 'response.output_text.delta') stopped ??= own.stop();
        if (event.type === 'response.failed') last = event.response;
      }
      expect(last).toMatchObject({ status: 'failed', error: { message: 'The gateway is shutting down.' } });
      await stopped;
      expect(count('slow started')).toBe(started + 1);
      await until(
        () => count('cancelled') > cancelled,
        () => 'the end at the agent',
      );
    } finally {
      await own.close();
    }
  });

  it('a task that waits is not said to go on', async () => {
    const own = await startReadyGateway({ servers: { remote: servers().remote } });
    try {
      const to = await a2aClient(own, 'remote/Test-Agent');
      const waiting = (await to.sendMessage(message('ask'))) as Task;
      let stopped: Promise<void> | undefined;
      const seen: StreamResponse[] = [];
      for await (const event of to.resubscribeTask(about(waiting.id))) {
        seen.push(event);
        stopped ??= own.stop();
      }
      await stopped;
      expect(seen.map(({ payload }) => payload?.value)).toMatchObject([
        { status: { state: TaskState.TASK_STATE_INPUT_REQUIRED } },
      ]);
    } finally {
      await own.close();
    }
  });

  it('a run whose server is away as the next one starts is taken up once that is back', async () => {
    const remote = await startA2a('1.0 JSONRPC');
    let own = await startReadyGateway({ servers: { remote: { url: remote.url, kind: 'a2a' } } });
    const at = (): OpenAI => openai(own);
    const events = (name: string) => remote.events.filter(({ event }) => event === name).length;
    try {
      const { id } = await at().responses.create({ model: 'remote/Test-Agent', input: 'slow 40', background: true });
      // The gateway knows the task once it has text of it: one that it does not know yet is cancelled when it ends.
      for await (const { type } of await at().responses.retrieve(id, { stream: true })) {
        if (type === 'response.output_text.delta') break;
      }
      await own.stop();
      await remote.kill();
      own = await startGateway({ folder: own.folder });
      await until(
        () => own.status('remote').error !== undefined,
        () => `the server to be away: ${JSON.stringify(own.status('remote'))}`,
      );
      expect((await at().responses.retrieve(id)).status).toBe('in_progress');
      await remote.restart();
      const done = await until(
        async () => {
          const now = await at().responses.retrieve(id);
          return now.status !== 'in_progress' && now;
        },
        () => 'its end',
        60_000,
      );
      expect(done).toMatchObject({ status: 'completed', output_text: expect.stringMatching(/tick 39 $/) });
      expect([events('slow started'), events('cancelled')]).toEqual([1, 0]);
    } finally {
      await own.close();
      await remote.stop();
    }
  });
});
