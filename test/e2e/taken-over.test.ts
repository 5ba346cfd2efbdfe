/** The text of a LangGraph run whose gateway has gone, or whose server was away: its readers get all of it, and none of it twice. */
import { TaskState } from '@a2a-js/sdk';
import type { ResponseStreamEvent } from 'openai/resources/responses/responses';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRelay } from '../../adapters/testing/faults.ts';
import { freePort } from '../../src/core/testing/free-port.ts';
import type { LanggraphFixture } from '../fixtures/langgraph.ts';
import { borrowLanggraph } from '../fixtures/shared.ts';
import { a2aClient, about, CARD, follow, message, openai } from './agent-clients.ts';
import { type OwnGateway, type RunningGateway, serveGateway, startReadyGateway } from './gateway.ts';
import { until } from './until.ts';

let graph: LanggraphFixture;
beforeAll(async () => {
  graph = await borrowLanggraph('1.5');
});
afterAll(() => graph?.stop());

const servers = (url = graph.url) => ({ graph: { url, kind: 'langgraph' } });
const slow = (event: string): number => graph.events.filter((seen) => seen.event === `slow ${event}`).length;
const TICKS = 60;
const TEXT = [...Array.from({ length: TICKS }, (_, i) => `{"tick":${i + 1}}\n`), '\n', `${TICKS} ticks`].join('');

/** Begins a task and resolves with its id; its first reader is gone with its gateway. */
async function beginTask(at: RunningGateway): Promise<string> {
  const client = await a2aClient(at, 'graph/slow');
  const { promise: begun, resolve } = Promise.withResolvers<string>();
  void follow(client.sendMessageStream(message(String(TICKS))), (_, { payload }) => {
    if (payload?.$case === 'task') resolve(payload.value.id);
  }).catch(() => {});
  return begun;
}

/** What a reader of the task gets of its text while that is made, and how the task ends. `each` receives the text so far. */
async function readTask(at: RunningGateway, id: string, each: (text: string) => void) {
  let text = '';
  const { states } = await follow((await a2aClient(at, 'graph/slow')).resubscribeTask(about(id)), (so, { payload }) => {
    // The answer, which is another text than the progress of this agent, takes its place in the end.
    const isPiece = payload?.$case === 'artifactUpdate' && payload.value.append;
    if (isPiece || payload?.$case === 'task') ({ text } = so);
    each(text);
  });
  return { text, state: states.at(-1) };
}

/** The same of a response in the background. */
async function readResponse(at: RunningGateway, id: string, each: (text: string) => void = () => {}) {
  let text = '';
  const numbers: number[] = [];
  let last: ResponseStreamEvent | undefined;
  for await (const event of await openai(at).responses.retrieve(id, { stream: true })) {
    numbers.push(event.sequence_number);
    if (event.type === 'response.output_text.delta') text += event.delta;
    each(text);
    last = event;
  }
  return { text, numbers, last };
}

const beginResponse = async (at: RunningGateway): Promise<string> =>
  (await openai(at).responses.create({ model: 'graph/slow', input: String(TICKS), background: true })).id;

const began = (count: number): Promise<boolean> =>
  until(
    () => slow('started') >= count,
    () => 'the runs at their server',
  );

describe('a run of a gateway', () => {
  let there: OwnGateway | undefined;
  afterAll(() => there?.close());

  it.each<[string, (folder: string) => Promise<{ here: RunningGateway; end(): Promise<unknown> }>]>([
    [
      'that ends',
      async (folder) => {
        const here = await startReadyGateway({ folder });
        await here.reaches('graph', 'ready');
        return { here, end: here.stop };
      },
    ],
    [
      'that is killed',
      async (folder) => {
        const here = await serveGateway({ folder });
        await until(
          async () => (await fetch(here.at(`/a2a/graph/slow/${CARD}`))).ok,
          () => 'its server to be ready',
        );
        return { here, end: () => here.end('SIGKILL') };
      },
    ],
  ])('%s is gone on with by another one, for readers it had before', async (_, start) => {
    there ??= await startReadyGateway({ servers: servers() });
    const reader = there;
    const { here, end } = await start(reader.folder);
    try {
      const before = { started: slow('started'), aborted: slow('aborted') };
      const [task, response] = [await beginTask(here), await beginResponse(here)];
      await began(before.started + 2);
      // Both readers have some text when the gateway ends.
      const heard = { task: Promise.withResolvers<void>(), response: Promise.withResolvers<void>() };
      const read = Promise.all([
        readTask(reader, task, (text) => text.includes('{"tick":4}') && heard.task.resolve()),
        readResponse(reader, response, (text) => text.includes('{"tick":4}') && heard.response.resolve()),
      ]);
      // A reader that fails or ends before fails the test, which does not wait for its text.
      await Promise.race([Promise.all([heard.task.promise, heard.response.promise]), read]);
      await end();
      const [ofTask, { text, numbers, last }] = await read;
      expect(ofTask).toEqual({ text: TEXT, state: TaskState.TASK_STATE_COMPLETED });
      expect(text).toBe(TEXT);
      expect(numbers).toEqual(numbers.map((__, i) => i));
      expect(last).toMatchObject({ type: 'response.completed' });
      expect({ started: slow('started') - 2, aborted: slow('aborted') }).toEqual(before);
    } finally {
      await end();
    }
  });

  it('is found again when its server, which was away, is back', async () => {
    // It listens there twice.
    const port = await freePort();
    let relay = await startRelay(graph.url, port);
    let own = await startReadyGateway({ servers: servers(relay.origin) });
    try {
      const before = { started: slow('started'), aborted: slow('aborted') };
      const id = await beginResponse(own);
      await began(before.started + 1);
      await own.stop();
      own = await startReadyGateway({ folder: own.folder });
      let isAway: Promise<void> | undefined;
      const { text, last } = await readResponse(own, id, (so) => {
        if (so !== '') isAway ??= away();
      });
      await isAway;
      // What was said before the restart is in the answer alone.
      expect(TEXT.endsWith(text)).toBe(true);
      expect(text.split('\n').length).toBeGreaterThan(5);
      expect(last).toMatchObject({ type: 'response.completed' });
      expect({ started: slow('started') - 1, aborted: slow('aborted') }).toEqual(before);
    } finally {
      await own.close();
      await relay.close();
    }

    async function away(): Promise<void> {
      await relay.close();
      await until(
        () => own.status('graph').state !== 'ready',
        () => 'the server to be away',
      );
      relay = await startRelay(graph.url, port);
    }
  });
});
