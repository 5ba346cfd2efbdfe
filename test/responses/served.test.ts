/** Federated agents offered by the Responses API: OpenAI's own client calls LangGraph and Mastra agents through the gateway. */
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerTo, openai, questionIn } from '../e2e/agent-clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import type { LanggraphFixture } from '../fixtures/langgraph.ts';
import type { MastraFixture } from '../fixtures/mastra.ts';
import { borrowLanggraph, borrowMastra } from '../fixtures/shared.ts';

let mastra: MastraFixture;
let graph: LanggraphFixture;
let gateway: OwnGateway;
let client: OpenAI;

beforeAll(async () => {
  [mastra, graph] = await Promise.all([borrowMastra(), borrowLanggraph('2.0')]);
  gateway = await startReadyGateway({
    servers: { mastra: { url: mastra.url, kind: 'mastra' }, graph: { url: graph.url, kind: 'langgraph' } },
  });
  client = openai(gateway);
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([mastra?.stop(), graph?.stop()]);
});

describe('Agents offered by the Responses API', () => {
  it('are its models', async () => {
    const ids: string[] = [];
    for await (const { id } of await client.models.list()) ids.push(id);
    expect(ids).toEqual(expect.arrayContaining(['mastra/echo', 'graph/echo']));
  });

  it.each([
    ['mastra/echo', 'Echo: hello'],
    ['graph/echo', 'echo: hello'],
  ])('answer: %s', async (model, says) => {
    const response = await client.responses.create({ model, input: 'hello' });
    expect(response).toMatchObject({ object: 'response', status: 'completed', model });
    expect(response.output_text).toBe(says);
  });

  it('stream their text, and end with the whole', async () => {
    const stream = client.responses.stream({ model: 'graph/echo', input: [{ role: 'user', content: 'one two' }] });
    let text = '';
    const types = new Set<string>();
    let number = -1;
    for await (const event of stream) {
      types.add(event.type);
      expect(event.sequence_number).toBe(++number);
      if (event.type === 'response.output_text.delta') text += event.delta;
    }
    expect(text).toBe('echo: one two');
    expect((await stream.finalResponse()).output_text).toBe('echo: one two');
    expect([...types]).toEqual(
      expect.arrayContaining([
        'response.created',
        'response.output_item.added',
        'response.output_text.done',
        'response.completed',
      ]),
    );
  });

  it('go on with the conversation of the previous response', async () => {
    const first = await client.responses.create({ model: 'mastra/echo', input: 'one' });
    const second = await client.responses.create({
      model: 'mastra/echo',
      input: 'two',
      previous_response_id: first.id,
    });
    expect(second.output_text).toBe('Echo 2: two');
    expect(second.previous_response_id).toBe(first.id);
  });

  it('ask by a function, and go on with its output: a LangGraph interrupt', async () => {
    const waiting = await client.responses.create({ model: 'graph/approval', input: 'start' });
    const question = questionIn(waiting);
    expect(question.name).toBe('answer_question');
    expect(JSON.parse(question.arguments)).toMatchObject({
      message: expect.any(String),
      requestedSchema: expect.any(Object),
    });
    const done = await client.responses.create(answerTo(waiting, 'yes'));
    expect(done.status).toBe('completed');
    expect(done.output.some(({ type }) => type === 'function_call')).toBe(false);
  });

  it('run in the background, and are asked for and cancelled', async () => {
    const started = await client.responses.create({ model: 'mastra/slow', input: 'go', background: true });
    expect(started.status).toBe('in_progress');
    expect((await client.responses.retrieve(started.id)).status).toBe('in_progress');
    const aborted = (): number => mastra.events.filter(({ event }) => event === 'slow aborted').length;
    await expect.poll(() => mastra.events.some(({ event }) => event === 'slow started')).toBe(true);
    const before = aborted();
    expect((await client.responses.cancel(started.id)).status).toBe('cancelled');
    await expect.poll(aborted, { timeout: 10_000 }).toBe(before + 1);
  });

  it('stop at their server when the client leaves', async () => {
    const aborted = (): number => mastra.events.filter(({ event }) => event === 'slow aborted').length;
    const before = aborted();
    const stream = await client.responses.create({ model: 'mastra/slow', input: 'go', stream: true });
    for await (const event of stream) if (event.type === 'response.output_text.delta') break;
    stream.controller.abort();
    await expect.poll(aborted, { timeout: 10_000 }).toBe(before + 1);
  });

  it('fail with the words of the gateway, and are refused precisely', async () => {
    const failed = await client.responses.create({ model: 'mastra/failing', input: 'hello' });
    expect(failed).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('out of order') } });
    const refusals = [
      [{ model: 'mastra/nobody', input: 'x' }, 404, /There is no agent 'mastra\/nobody'/],
      [{ model: 'nothing', input: 'x' }, 400, /'server\/agent'/],
      [{ model: 'mastra/echo', input: 'x', previous_response_id: 'resp_0' }, 404, /resp_0/],
      [{ model: 'mastra/echo', input: 'x', tools: [{ type: 'web_search' }] }, 400, /tools is not supported/],
      [{ model: 'mastra/echo', input: [] }, 400, /input must be/],
    ] as const;
    for (const [body, status, says] of refusals) {
      const error = await client.responses.create(body as never).catch((thrown) => thrown);
      expect([body, error.status]).toEqual([body, status]);
      expect(error.message).toMatch(says);
    }
  });
});
