/** Runs of agents as tasks, for the task clients of the official SDKs: polling, results, questions, status notifications, cancelling. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { modernRequest, send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { type A2aFixture, startA2a } from '../fixtures/a2a.ts';
import { connectV1, type V1Client } from './sdk-v1.ts';
import { openStream, type Stream } from './stream.ts';

type Json = Record<string, unknown>;

const TASKS = { elicitation: { form: {} }, extensions: { 'io.modelcontextprotocol/tasks': {} } };
const TOOL = 'agents__Test-Agent';

let agent: A2aFixture;
let gateway: OwnGateway;
const open: { close(): unknown }[] = [];

beforeAll(async () => {
  agent = await startA2a('1.0 JSONRPC');
  gateway = await startReadyGateway({
    servers: { agents: { kind: 'a2a', url: agent.url } },
    gateway: { agents: { taskAfterMs: 50 } },
  });
});
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});
afterAll(async () => {
  await gateway?.close();
  await agent?.stop();
});

describe('SDK v1 as a client with tasks', () => {
  async function connect(answer?: Json): Promise<V1Client> {
    const client = await connectV1({ http: gateway.url }, answer ? { answer } : {});
    open.push(client);
    return client;
  }
  const statuses = ({ heard }: V1Client): unknown[] =>
    heard.filter(({ method }) => method === 'notifications/tasks/status').map(({ params }) => params.status);

  it('follows a run to its result, and hears of its end', async () => {
    const client = await connect();
    const run = await client.run(TOOL, { message: 'slow 6' });
    expect(run).toMatchObject({
      taskId: expect.stringMatching(/^run_/),
      text: 'tick 0 tick 1 tick 2 tick 3 tick 4 tick 5 ',
    });
    expect(run.statuses.at(-1)).toBe('completed');
    await until(
      () => statuses(client).includes('completed'),
      () => `the notification among ${JSON.stringify(client.heard)}`,
    );
    expect((await client.tasks.listTasks()).tasks.map(({ taskId }) => taskId)).toContain(run.taskId);
  });

  it('answers what the agent asks in a task, and hears that it was asked', async () => {
    const client = await connect({ answer: 'blue' });
    const run = await client.run(TOOL, { message: 'ask' });
    expect(run.text).toBe('You chose blue.');
    expect(client.asked).toMatchObject([{ message: expect.stringContaining('Which colour?') }]);
    await until(
      () => statuses(client).includes('input_required') && statuses(client).includes('completed'),
      () => `the notifications among ${JSON.stringify(client.heard)}`,
    );
  });
});

describe('a client with the tasks extension', () => {
  const listen = async (taskIds: string[]): Promise<Stream> => {
    const request = modernRequest('subscriptions/listen', { notifications: { taskIds } }, { capabilities: TASKS });
    const stream = await openStream(gateway.url, request);
    open.push(stream);
    return stream;
  };
  const told = ({ messages }: Stream): Json[] =>
    messages.flatMap(({ method, params }) => (method === 'notifications/tasks' && params ? [params] : []));

  /** SDK v2 reads no result of this type, whatever it declares: it follows tasks and cannot make them. */
  async function begun(message: string): Promise<string> {
    const params = { name: TOOL, arguments: { message } };
    const { message: reply, text } = await send(
      gateway.url,
      modernRequest('tools/call', params, { capabilities: TASKS }),
    );
    if (typeof reply.result?.taskId !== 'string') throw new Error(text);
    return reply.result.taskId;
  }

  /** SDK v2, which declares the extension. */
  async function connectV2(): Promise<(method: string, params: Json) => Promise<Json>> {
    const client = new Client(
      { name: 'extensions-v2', version: '1.0.0' },
      { versionNegotiation: { mode: { pin: '2026-07-28' } }, capabilities: TASKS },
    );
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url)));
    open.push(client);
    const any = {
      '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value: value as Json }) },
    };
    return (method, params) => client.request({ method, params } as never, any as never) as Promise<Json>;
  }

  it('hears how a run stands at once, what it asks, and its result', async () => {
    const ask = await connectV2();
    const taskId = await begun('ask');
    const stream = await listen([taskId, 'run_of_nobody']);
    const asked = await until(
      () => told(stream).find(({ status }) => status === 'input_required'),
      () => 'the question',
    );
    expect(stream.messages[0]?.params?.notifications).toEqual({ taskIds: [taskId] });
    const [key = ''] = Object.keys(asked.inputRequests as Json);
    await ask('tasks/update', { taskId, inputResponses: { [key]: { action: 'accept', content: { answer: 'red' } } } });
    const done = await until(
      () => told(stream).find(({ status }) => status === 'completed'),
      () => 'the end',
    );
    expect(done).toMatchObject({ taskId, result: { structuredContent: { text: 'You chose red.' } } });
    expect(await ask('tasks/get', { taskId })).toMatchObject({ status: 'completed', result: done.result });
  });

  it('hears that a run was cancelled', async () => {
    const ask = await connectV2();
    const taskId = await begun('slow 200');
    const stream = await listen([taskId]);
    await ask('tasks/cancel', { taskId });
    await until(
      () => told(stream).some(({ status }) => status === 'cancelled'),
      () => JSON.stringify(stream.messages),
    );
    await until(
      () => agent.events.some(({ event }) => event === 'cancelled'),
      () => 'the cancelled task at the agent',
    );
  });
});
