/** The tasks extension of 2026-07-28 through the gateway, and its bridges to and from the tasks of 2025-11-25. */
import { CallToolResultSchema, ResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { modernRequest, send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { COMPILE_CACHE } from '../fixtures/compile-cache.ts';
import { type ModernTasksHttp, startModernTasks } from '../fixtures/tasks/http-modern.ts';
import { type HttpServer, startV1Sessions } from '../fixtures/tasks/http-v1.ts';
import { createV1TaskServer } from '../fixtures/tasks/v1.ts';
import { connectV1, type V1Client } from './sdk-v1.ts';
import { openStream, type Stream } from './stream.ts';

type Json = Record<string, unknown>;

const EXTENSION = 'io.modelcontextprotocol/tasks';
const TASKS = { elicitation: { form: {} }, extensions: { [EXTENSION]: {} } };
const script = (name: string) => ({
  command: process.execPath,
  args: [`${import.meta.dirname}/../fixtures/tasks/${name}.ts`],
  env: COMPILE_CACHE,
});

let modern: ModernTasksHttp;
let legacy: HttpServer;
let gateway: OwnGateway;
const clients: V1Client[] = [];
const streams: Stream[] = [];

beforeAll(async () => {
  [modern, legacy] = await Promise.all([startModernTasks(), startV1Sessions(createV1TaskServer)]);
  gateway = await startReadyGateway({
    servers: {
      modern: { url: modern.url },
      modernchild: script('stdio-modern'),
      legacy: { url: legacy.url },
      legacychild: script('stdio-v1'),
    },
  });
});
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close();
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([modern?.close(), legacy?.close()]);
});

let ids = 0;

async function ask(method: string, params: Json, capabilities: object = TASKS, url: string | URL = gateway.url) {
  const { message } = await send(url, modernRequest(method, params, { id: ++ids, capabilities }));
  if (message.error) throw Object.assign(new Error(message.error.message), message.error);
  return message.result as Json & { taskId: string; status: string; inputRequests: Json; result: Json; error: Json };
}

const call = (name: string, args: Json = {}, capabilities: object = TASKS) =>
  ask('tools/call', { name, arguments: args }, capabilities);

const task = (taskId: string) => ask('tasks/get', { taskId });

const reaches = (taskId: string, status: string) =>
  until(async () => {
    const now = await task(taskId);
    return now.status === status ? now : undefined;
  }, `task ${taskId} to be ${status}`);

const accepted = (inputRequests: Json): Json =>
  Object.fromEntries(Object.keys(inputRequests).map((key) => [key, { action: 'accept', content: { confirm: true } }]));

const ALL = ['modern', 'modernchild', 'legacy', 'legacychild'];

describe.each(ALL)('for a modern client, a task of the server %s', (server) => {
  it('is created, polled and ends, in the extension’s form and under an id that names its server', async () => {
    const created = await call(`${server}__report`, { steps: 2, ms: 40 });
    expect(created).toMatchObject({
      resultType: 'task',
      taskId: expect.stringMatching(new RegExp(`^${server}\\+.`)),
      status: 'working',
      createdAt: expect.stringMatching(/^\d{4}-/),
      ttlMs: 3_600_000,
      pollIntervalMs: 50,
    });
    const ended = await reaches(created.taskId, 'completed');
    expect(ended).toMatchObject({ resultType: 'complete', taskId: created.taskId });
    expect(ended.result.content).toEqual([
      { type: 'text', text: 'reported' },
      { type: 'resource_link', uri: `${server}+fixture://report`, name: 'report' },
    ]);
    expect(ended.result).toMatchObject({ structuredContent: { nested: { unknown: [null] } } });
    expect(ended.result._meta).toEqual({ 'fixture/own': true });
    for (const member of ['ttl', 'pollInterval', 'task']) expect(ended).not.toHaveProperty(member);
    const read = await ask('resources/read', { uri: `${server}+fixture://report` });
    expect(read.contents).toEqual([{ uri: `${server}+fixture://report`, text: 'Report.' }]);
  });

  it('asks for input, twice at one time, and goes on with the answers', async () => {
    const { taskId } = await call(`${server}__multi_input`);
    const asking = await until(async () => {
      const now = await task(taskId);
      return now.status === 'input_required' && Object.keys(now.inputRequests).length === 2 ? now : undefined;
    }, 'both questions');
    const keyOf = (message: string): string => {
      const asked = Object.entries(asking.inputRequests) as [string, { method: string; params: Json }][];
      expect(new Set(asked.map(([, { method }]) => method))).toEqual(new Set(['elicitation/create']));
      return asked.find(([, { params }]) => params.message === message)?.[0] ?? '';
    };
    const [first, second] = [keyOf('First?'), keyOf('Second?')];
    expect(JSON.stringify(asking.inputRequests)).not.toContain('related-task');
    const answers = accepted(asking.inputRequests);
    const update = (inputResponses: Json) => ask('tasks/update', { taskId, inputResponses });
    expect(await update({ nobody: { action: 'accept' }, [first]: answers[first] })).toMatchObject({
      resultType: 'complete',
    });
    const still = await task(taskId);
    expect([still.status, Object.keys(still.inputRequests)]).toEqual(['input_required', [second]]);
    await update({ [second]: { action: 'decline' } });
    expect((await reaches(taskId, 'completed')).result.content).toEqual([{ type: 'text', text: 'accept, decline' }]);
  });

  it('ends with a tool’s own error as completed, and with a protocol error as failed', async () => {
    const [tool, protocol] = await Promise.all([call(`${server}__failing_job`), call(`${server}__protocol_error_job`)]);
    expect((await reaches(tool.taskId, 'completed')).result).toMatchObject({ isError: true });
    const failed = await reaches(protocol.taskId, 'failed');
    expect(failed.error).toMatchObject({ code: -32603, data: { detail: 7 } });
    expect(failed).not.toHaveProperty('result');
  });

  it('is cancelled, as often as the client likes', async () => {
    const { taskId } = await call(`${server}__slow_compute`, { seconds: 60 });
    for (const _ of [1, 2]) expect(await ask('tasks/cancel', { taskId })).toMatchObject({ resultType: 'complete' });
    const cancelled = await task(taskId);
    expect(cancelled.status).toBe('cancelled');
    expect(cancelled).not.toHaveProperty('result');
  });

  it('that does not exist is an error of its own server', async () => {
    const taskId = `${server}+nonsense`;
    for (const [method, params] of [
      ['tasks/get', {}],
      ['tasks/update', { inputResponses: {} }],
      ['tasks/cancel', {}],
    ] as const) {
      await expect(ask(method, { taskId, ...params }), method).rejects.toMatchObject({
        code: -32602,
        message: expect.stringMatching(/not found/i),
      });
    }
  });

  it('is for clients that declare the extension', async () => {
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
      await expect(ask(method, { taskId: `${server}+x`, inputResponses: {} }, {}), method).rejects.toMatchObject({
        code: -32021,
        data: { requiredCapabilities: { extensions: { [EXTENSION]: {} } } },
      });
    }
  });
});

describe('the methods of the other form', () => {
  it('are unknown', async () => {
    for (const method of ['tasks/list', 'tasks/result']) {
      await expect(ask(method, { taskId: 'legacy+x' }), method).rejects.toMatchObject({ code: -32601 });
    }
    const client = await connectV1({ http: gateway.url });
    clients.push(client);
    const update = { method: 'tasks/update', params: { taskId: 'modern+x', inputResponses: {} } };
    await expect(client.client.request(update as never, ResultSchema)).rejects.toMatchObject({ code: -32601 });
    await expect(client.tasks.getTask('modern+x')).rejects.toMatchObject({ data: { code: 'SWB_UNKNOWN_TASK' } });
  });
});

describe.each(['legacy', 'legacychild'])('a modern client that knows no tasks, and the server %s', (server) => {
  const capabilities = { elicitation: { form: {} } };

  it('gets the result of a tool that must be a task, and is asked for input on the way', async () => {
    const params = { name: `${server}__confirm_delete`, arguments: { filename: 'notes' } };
    const round = await ask('tools/call', params, capabilities);
    expect(round.resultType).toBe('input_required');
    expect(Object.values(round.inputRequests)).toMatchObject([{ params: { message: 'Delete notes?' } }]);
    const retry = { ...params, inputResponses: accepted(round.inputRequests), requestState: round.requestState };
    const result = await ask('tools/call', retry, capabilities);
    expect(result).toMatchObject({ resultType: 'complete', content: [{ text: 'notes: accept' }] });
    expect(JSON.stringify(result._meta)).not.toContain('related-task');
  });

  it('receives its progress', async () => {
    const request = modernRequest('tools/call', { name: `${server}__report`, arguments: { ms: 40 } }, { id: ++ids });
    const body = JSON.parse(String(request.body)) as { params: { _meta: Json } };
    body.params._meta.progressToken = 'mine';
    const { text, message } = await send(gateway.url, { ...request, body: JSON.stringify(body) });
    expect(message.result).toMatchObject({ resultType: 'complete', content: [{ text: 'reported' }, {}] });
    expect(text).toContain('"progressToken":"mine"');
  });

  it('gets its error, when it ends with one', async () => {
    await expect(call(`${server}__protocol_error_job`, {}, {})).rejects.toMatchObject({ code: -32603 });
    expect(await call(`${server}__failing_job`, {}, {})).toMatchObject({ resultType: 'complete', isError: true });
  });
});

describe.each(['modern', 'modernchild'])('a legacy client and the server %s', (server) => {
  const connect = async (answer?: Json): Promise<V1Client> => {
    const client = await connectV1({ http: gateway.url }, answer ? { answer } : {});
    clients.push(client);
    return client;
  };

  it('gets the result of a tool that must be a task, and is asked for input on the way', async () => {
    const client = await connect({ confirm: true });
    const run = (name: string, args: Json = {}) =>
      client.client.callTool({ name: `${server}__${name}`, arguments: args }, CallToolResultSchema, {
        timeout: 60_000,
      });
    expect((await run('confirm_delete', { filename: 'notes' })).content).toEqual([
      { type: 'text', text: 'notes: accept' },
    ]);
    expect((await run('multi_input')).content).toEqual([{ type: 'text', text: 'accept, accept' }]);
    expect(client.asked.map(({ message }) => message)).toEqual(['Delete notes?', 'First?', 'Second?']);
    expect(await run('failing_job')).toMatchObject({ isError: true });
    await expect(run('protocol_error_job')).rejects.toMatchObject({ code: -32603, data: { detail: 7 } });
    // First asked by input_required, then a task.
    expect(JSON.stringify(await run('test_tool_with_task'))).toContain('accept');
  });

  it('receives the task’s status messages as progress, and links in its own view', async () => {
    const client = await connect();
    const messages: unknown[] = [];
    const result = await client.client.callTool(
      // Each step lasts longer than the time between two looks at the task.
      { name: `${server}__report`, arguments: { steps: 3, ms: 1_800 } },
      CallToolResultSchema,
      { timeout: 60_000, onprogress: ({ message }) => messages.push(message) },
    );
    expect(result.content).toContainEqual({
      type: 'resource_link',
      uri: `${server}+fixture://report`,
      name: 'report',
    });
    expect(result).not.toHaveProperty('resultType');
    expect(messages).toEqual(expect.arrayContaining(['step 1', 'step 2']));
  });

  it('without elicitation gets the missing capability, and no task is left behind', async () => {
    const client = await connect();
    const asked = client.client.callTool({ name: `${server}__confirm_delete`, arguments: { filename: 'x' } });
    await expect(asked).rejects.toMatchObject({ data: { requiredCapabilities: { elicitation: {} } } });
    if (server === 'modern') {
      const last = [...modern.server.tasks.values()].at(-1);
      await until(() => last?.seed.status === 'cancelled', 'the task to be cancelled');
    }
  });

  it('makes no task of its tools', async () => {
    const client = await connect();
    const params = { name: `${server}__slow_compute`, arguments: { seconds: 0 }, task: {} };
    await expect(client.client.request({ method: 'tools/call', params }, ResultSchema)).rejects.toMatchObject({
      code: -32601,
      data: { code: 'SWB_NOT_SUPPORTED' },
    });
    const own = await connectV1({ http: gateway.at(`/servers/${server}/mcp`) });
    clients.push(own);
    expect(own.client.getServerCapabilities()).not.toHaveProperty('tasks');
    const plain = { ...params, name: 'slow_compute' };
    expect(await own.client.request({ method: 'tools/call', params: plain }, ResultSchema)).toMatchObject({
      content: [{ text: 'computed for 0 s' }],
    });
  });
});

describe('a legacy client that cancels a call that is a task', () => {
  it('has the task cancelled', async () => {
    const client = await connectV1({ http: gateway.url }, { answer: {} });
    clients.push(client);
    const abort = new AbortController();
    const before = modern.server.tasks.size;
    const running = client.client.callTool(
      { name: 'modern__report', arguments: { steps: 1, ms: 60_000 } },
      CallToolResultSchema,
      { signal: abort.signal },
    );
    await until(() => modern.server.tasks.size > before, 'the task to be created');
    abort.abort();
    await expect(running).rejects.toThrow();
    const last = [...modern.server.tasks.values()].at(-1);
    await until(() => last?.seed.status === 'cancelled', 'the task to be cancelled');
  });
});

describe('status notifications', () => {
  const listen = async (taskIds: string[], url: string | URL = gateway.url): Promise<Stream> => {
    const params = { notifications: { taskIds } };
    const stream = await openStream(
      url,
      modernRequest('subscriptions/listen', params, { id: 'sub', capabilities: TASKS }),
    );
    streams.push(stream);
    return stream;
  };
  const heard = (stream: Stream, method: string) =>
    stream.messages.filter((message) => message.method === method).map(({ params }) => params as Json);

  it.each([
    ['modern', ''],
    ['modernchild', ''],
    ['modern', '/servers/modern/mcp'],
    ['modernchild', '/servers/modernchild/mcp'],
  ])('of tasks of %s come to the client that listens %s', async (server, path) => {
    const url = path === '' ? gateway.url : gateway.at(path);
    const prefix = path === '' ? `${server}__` : '';
    const { taskId } = await ask(
      'tools/call',
      { name: `${prefix}confirm_delete`, arguments: { filename: 'x' } },
      TASKS,
      url,
    );
    const { taskId: link } = await ask('tools/call', { name: `${prefix}report`, arguments: { ms: 2_000 } }, TASKS, url);
    const stream = await listen([taskId, link, `${taskId}x`, 'nonsense'], url);
    await until(() => heard(stream, 'notifications/subscriptions/acknowledged')[0], 'the acknowledgment');
    expect(stream.messages[0]).toMatchObject({
      method: 'notifications/subscriptions/acknowledged',
      params: {
        notifications: { taskIds: [taskId, link] },
        _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub' },
      },
    });
    const { inputRequests } = await ask('tasks/get', { taskId }, TASKS, url);
    await ask('tasks/update', { taskId, inputResponses: accepted(inputRequests) }, TASKS, url);
    const completed = await until(
      () => {
        const ended = heard(stream, 'notifications/tasks').filter(({ status }) => status === 'completed');
        return ended.length === 2 ? ended : undefined;
      },
      () => `both ends to be told; heard ${JSON.stringify(stream.messages)}`,
    );
    const byId = new Map(completed.map((params) => [params.taskId, params]));
    expect(byId.get(taskId)).toMatchObject({
      result: { content: [{ text: 'x: accept' }] },
      _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub' },
    });
    const uri = path === '' ? `${server}+fixture://report` : 'fixture://report';
    expect(byId.get(link)).toMatchObject({ result: { content: [{ text: 'reported' }, { uri }] } });
  });

  it('are not promised for tasks of a legacy server, which promises none', async () => {
    const { taskId } = await call('legacy__report');
    const stream = await listen([taskId]);
    await until(() => stream.messages.length > 0, 'the acknowledgment');
    expect(stream.messages).toMatchObject([{ params: { notifications: {} } }]);
    expect(stream.messages[0]?.params?.notifications).toEqual({});
  });

  it('need a client that declares the extension', async () => {
    const params = { notifications: { taskIds: ['modern+x'] } };
    const { status, message } = await send(gateway.url, modernRequest('subscriptions/listen', params));
    expect([status, message.error]).toMatchObject([400, { code: -32021 }]);
  });

  it('end when the client has left, and end gracefully when the server ends them', async () => {
    const { taskId } = await call('modern__slow_compute', { seconds: 60 });
    const [leaving, staying] = [await listen([taskId]), await listen([taskId])];
    await until(() => modern.server.listeners === 2, 'both to be listened for');
    leaving.close();
    await until(() => modern.server.listeners === 1, 'one to be let go');
    modern.server.endSubscriptions();
    await staying.ended;
    expect(staying.messages.at(-1)?.result).toEqual({
      resultType: 'complete',
      _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub' },
    });
  });
});
