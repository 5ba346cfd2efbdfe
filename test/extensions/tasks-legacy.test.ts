/** Tasks of 2025-11-25 through the gateway: of the reference server and of SDK v1, for the client of SDK v1. */
import { CallToolResultSchema, type Progress, ResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Folder, gatewayFolder, type OwnGateway, startReadyGateway, stdioCommand } from '../e2e/gateway.ts';
import { send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { EVERYTHING, type EverythingServer, startEverything } from '../e2e/upstreams/everything.ts';
import { COMPILE_CACHE } from '../fixtures/compile-cache.ts';
import { type HttpServer, startV1Sessions } from '../fixtures/tasks/http-v1.ts';
import { createV1TaskServer } from '../fixtures/tasks/v1.ts';
import { connectV1, type V1Client, type V1Options, type Way } from './sdk-v1.ts';

const RESEARCH = 'simulate-research-query';
const RELATED = 'io.modelcontextprotocol/related-task';
const STATUS = 'notifications/tasks/status';
const CHILD = {
  command: process.execPath,
  args: [`${import.meta.dirname}/../fixtures/tasks/stdio-v1.ts`],
  env: COMPILE_CACHE,
};

let web: EverythingServer;
let tasks: HttpServer;
let gateway: OwnGateway;
let folder: Folder & { remove(): void };
const open: V1Client[] = [];

async function connect(way: Way, options?: V1Options): Promise<V1Client> {
  const client = await connectV1(way, options);
  open.push(client);
  return client;
}

beforeAll(async () => {
  [web, tasks] = await Promise.all([startEverything(), startV1Sessions(createV1TaskServer)]);
  const servers = { everything: EVERYTHING, web: { url: web.url } };
  gateway = await startReadyGateway({
    servers: { ...servers, child: { ...CHILD, concurrency: 1 }, http: { url: tasks.url, concurrency: 1 } },
  });
  folder = gatewayFolder({ servers });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  await gateway?.close();
  folder?.remove();
  await Promise.all([web?.kill(), tasks?.close()]);
});

const merged = (): Way => ({ http: gateway.url });
const own = (server: string) => (): Way => ({ http: gateway.at(`/servers/${server}/mcp`) });
const stdio = (): Way => ({ stdio: stdioCommand(folder) });
const same = (text: string): string => text;

interface Case {
  way: () => Way;
  tool: (name: string) => string;
  id: (original: string) => string;
  answer: string;
}

const under = (server: string, way: () => Way, answer: string): Case => ({
  way,
  tool: (name) => `${server}__${name}`,
  id: (original) => `${server}+${original}`,
  answer,
});

const CASES: [string, Case][] = [
  ['a stdio server in the merged view', under('everything', merged, 'snake')],
  ['an HTTP server in the merged view', under('web', merged, 'comedy')],
  ['a stdio server in its own view', { way: own('everything'), tool: same, id: same, answer: 'programming' }],
  ['an HTTP server in its own view', { way: own('web'), tool: same, id: same, answer: 'snake' }],
  ['a stdio server, for a stdio client', under('everything', stdio, 'comedy')],
  ['an HTTP server, for a stdio client', under('web', stdio, 'programming')],
];

// All at once: several clients wait for tasks on the one session of the stdio server.
describe.concurrent.each(CASES)('a research task of %s', (_, { way, tool, id, answer }) => {
  it('elicits input from its own client, and ends with its report', async ({ expect }) => {
    const client = await connectV1(way(), { answer: { interpretation: answer } });
    try {
      const found = await until(async () => {
        const { tools } = await client.client.listTools();
        return tools.find(({ name }) => name === tool(RESEARCH));
      }, 'the research tool to be listed');
      expect(found.execution).toEqual({ taskSupport: 'required' });
      expect(client.client.getServerCapabilities()?.tasks).toEqual({
        list: {},
        cancel: {},
        requests: { tools: { call: {} } },
      });

      const run = await client.run(tool(RESEARCH), { topic: 'python', ambiguous: true });
      expect(run.text).toContain(`# Research Report: python (${answer})`);
      expect(run.statuses).toEqual(expect.arrayContaining(['working', 'input_required']));
      expect(run.taskId).toBe(id(/[0-9a-f]{32}$/.exec(run.taskId)?.[0] ?? ''));
      expect(run.meta).toEqual({ [RELATED]: { taskId: run.taskId } });
      expect(client.asked).toMatchObject([{ _meta: { [RELATED]: { taskId: run.taskId } } }]);

      const { tasks: listed } = await client.tasks.listTasks();
      expect(listed.map(({ taskId, status }) => [taskId, status])).toEqual([[run.taskId, 'completed']]);
      await expect(client.tasks.cancelTask(run.taskId)).rejects.toMatchObject({ code: -32602 });
    } finally {
      await client.close();
    }
  });
});

const SERVERS = ['child', 'http'];

/** Starts a tool of the fixture as a task, without waiting for it. */
async function begin(
  { client }: V1Client,
  name: string,
  args: Record<string, unknown>,
  onprogress?: (progress: Progress) => void,
): Promise<string> {
  const params = { name, arguments: args, task: { ttl: 60_000 } };
  const options = onprogress ? { onprogress } : {};
  const created = await client.request({ method: 'tools/call', params }, ResultSchema, options);
  return (created.task as { taskId: string }).taskId;
}

/** A session of an older revision, without a client library: those of the SDKs open the newest. */
async function oldSession(url: string, version: string) {
  const post = (method: string, params: object, headers: Record<string, string>, id?: number) =>
    send(url, {
      headers,
      body: JSON.stringify({ jsonrpc: '2.0', ...(id === undefined ? {} : { id }), method, params }),
    });
  const hello = { protocolVersion: version, capabilities: {}, clientInfo: { name: 'old', version: '1' } };
  const opened = await post('initialize', hello, {}, 0);
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '', 'mcp-protocol-version': version };
  await post('notifications/initialized', {}, session);
  return (method: string, params: object) => post(method, params, session, 1);
}

describe.each(SERVERS)('a task of the server %s, in the merged view', (server) => {
  it('notifies its own client of status and progress, under that client’s ids', async () => {
    const [client, other] = [await connect(merged()), await connect(merged())];
    const progress: Progress[] = [];
    const taskId = await begin(client, `${server}__report`, { steps: 3, ms: 60 }, (each) => progress.push(each));
    const told = (method: string) => client.heard.filter((each) => each.method === method).map(({ params }) => params);
    await until(
      () => told(STATUS).some(({ status }) => status === 'completed'),
      () => `the end of the task to be told; heard ${JSON.stringify(client.heard)}`,
    );
    expect(new Set(told(STATUS).map((params) => params.taskId))).toEqual(new Set([taskId]));
    expect(told(STATUS).map(({ statusMessage }) => statusMessage)).toEqual(
      expect.arrayContaining(['step 1', 'step 2', 'step 3']),
    );
    // The client knows its own tokens only.
    expect(progress).toEqual([1, 2, 3].map((step) => ({ progress: step, message: `step ${step}` })));
    expect(other.heard).toEqual([]);
  });

  it('ends with a result whose links lead back, and loses nothing of it', async () => {
    const client = await connect(merged());
    const taskId = await begin(client, `${server}__report`, {});
    const result = await client.tasks.getTaskResult(taskId, ResultSchema);
    expect(result).toEqual({
      content: [
        { type: 'text', text: 'reported' },
        { type: 'resource_link', uri: `${server}+fixture://report`, name: 'report' },
      ],
      structuredContent: { big: 1e21, nested: { unknown: [null] } },
      _meta: { 'fixture/own': true, [RELATED]: { taskId } },
    });
    const read = await client.client.readResource({ uri: `${server}+fixture://report` });
    expect(read.contents).toEqual([{ uri: `${server}+fixture://report`, text: 'Report.' }]);
  });

  it('ends with the error its server ended it with', async () => {
    const client = await connect(merged());
    const taskId = await begin(client, `${server}__protocol_error_job`, {});
    await expect(client.tasks.getTaskResult(taskId, ResultSchema)).rejects.toMatchObject({
      code: -32603,
      message: expect.stringContaining('the job panicked'),
      data: { detail: 7 },
    });
    expect((await client.tasks.getTask(taskId)).status).toBe('failed');
  });

  it('can be cancelled, and then has the status its server reports', async () => {
    const client = await connect(merged());
    const taskId = await begin(client, `${server}__slow_compute`, { seconds: 60 });
    expect(await client.tasks.cancelTask(taskId)).toMatchObject({ taskId, status: 'cancelled' });
    expect(await client.tasks.getTask(taskId)).toMatchObject({ taskId, status: 'cancelled' });
  });

  it('is awaited without a place in the queue, and polled while the server is busy', async () => {
    const client = await connect(merged(), { answer: { confirm: true } });
    const slow = await begin(client, `${server}__slow_compute`, { seconds: 60 });
    const waiting = [1, 2, 3].map(() => client.tasks.getTaskResult(slow, ResultSchema).catch(() => 'over'));
    // The server takes one call at a time: these would wait for ever behind the results.
    const said = await client.client.callTool({ name: `${server}__greet`, arguments: { name: 'Ada' } });
    expect(said.content).toEqual([{ type: 'text', text: 'Hello, Ada!' }]);
    const busy = client.client.callTool({ name: `${server}__either`, arguments: {} });
    expect((await client.tasks.getTask(slow)).status).toBe('working');
    expect((await client.tasks.cancelTask(slow)).status).toBe('cancelled');
    await busy;
    expect(await Promise.all(waiting)).toEqual(['over', 'over', 'over']);
  });

  it('is in the list of the client that created it, and in no other', async () => {
    const [client, other] = [await connect(merged()), await connect(merged())];
    const first = await begin(client, `${server}__report`, {});
    const second = await begin(client, `${server}__failing_job`, {});
    await begin(other, `${server}__report`, {});
    const { tasks: listed } = await client.tasks.listTasks();
    expect(listed.map(({ taskId }) => taskId)).toEqual([first, second]);
    const view = await connect(own(server)());
    expect((await view.tasks.listTasks()).tasks).toEqual([]);
  });
});

describe('the merged view', () => {
  it('lists the tasks of several servers in the order they were created', async () => {
    const client = await connect(merged());
    const ids: string[] = [];
    for (const server of ['http', 'child', 'http']) ids.push(await begin(client, `${server}__report`, {}));
    expect((await client.tasks.listTasks()).tasks.map(({ taskId }) => taskId)).toEqual(ids);
    await expect(client.tasks.listTasks('nonsense')).rejects.toMatchObject({ code: -32602 });
  });

  it('refuses task ids without a known server, and asks the server about all others', async () => {
    const client = await connect(merged());
    for (const taskId of ['nonsense', 'nobody+1', '+1']) {
      await expect(client.tasks.getTask(taskId), taskId).rejects.toMatchObject({
        code: -32602,
        data: { code: 'SWB_UNKNOWN_TASK' },
      });
    }
    await expect(client.tasks.getTask('http+nonsense')).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining('Failed to retrieve task: Task not found'),
    });
    await expect(client.tasks.cancelTask('child+nonsense')).rejects.toMatchObject({ code: -32602 });
  });

  it('refuses to make a task of a tool that cannot be one', async () => {
    const client = await connect(merged());
    await expect(begin(client, 'listServers', {})).rejects.toMatchObject({
      code: -32601,
      data: { code: 'SWB_NOT_SUPPORTED' },
    });
  });

  it('waits for a task on behalf of a client too old for tasks', async () => {
    const ask = await oldSession(gateway.url, '2025-06-18');
    const call = { name: 'http__report', arguments: { steps: 2, ms: 20 }, _meta: { progressToken: 7 } };
    const { message, text } = await ask('tools/call', call);
    expect(message.result).toMatchObject({ content: [{ text: 'reported' }, { uri: 'http+fixture://report' }] });
    expect(message.result?._meta).toEqual({ 'fixture/own': true });
    expect(text).toContain('"progressToken":7');
  });
});

describe('the command line', () => {
  it('waits for a task to end', async () => {
    const messages: unknown[] = [];
    const params = { name: 'child__report', arguments: { steps: 2, ms: 40 }, _meta: { progressToken: 1 } };
    const result = await gateway.gateway.call('tools/call', params, {
      onNotification: ({ params: sent }) => messages.push(sent),
    });
    expect(result).toMatchObject({ content: [{ text: 'reported' }, { uri: 'child+fixture://report' }] });
    expect(messages).toMatchObject([{ progress: 1, progressToken: 1 }, { progress: 2 }]);
  });
});

describe('a client with tasks of its own', () => {
  it.each([
    ['in the merged view', merged, 'web__trigger-elicitation-request-async'],
    ['in one server’s view', own('web'), 'trigger-elicitation-request-async'],
  ])('is polled for the tasks it made of a server’s requests, %s', async (_, way, name) => {
    const client = await connect(way(), { answer: { name: 'Ada' }, ownTasks: true });
    const result = await client.client.callTool({ name, arguments: {} }, CallToolResultSchema, { timeout: 20_000 });
    expect(JSON.stringify(result.content)).toContain('[COMPLETED] User provided the requested information!');
    expect(JSON.stringify(result.content)).toContain('- Name: Ada');
  });
});
