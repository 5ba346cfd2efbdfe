/** The result of a task is screened like the result of a call, in every form and message that carries it. */
import { CallToolResultSchema, ResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { modernRequest, send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { connectV1, type V1Client } from '../extensions/sdk-v1.ts';
import { openStream, type Stream } from '../extensions/stream.ts';
import { type ModernTasksHttp, startModernTasks } from '../fixtures/tasks/http-modern.ts';
import { type HttpServer, startV1Sessions } from '../fixtures/tasks/http-v1.ts';
import { createV1TaskServer } from '../fixtures/tasks/v1.ts';
import { audited, denialOf, type Json } from './gateway.ts';

const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
const rule = {
  limits: [{ counter: 'reports', window: 'day', max: 1_000 }],
  redact: ['result.structuredContent.nested'],
};
const policy = {
  version: '1',
  default: 'allow',
  tools: {
    report: rule,
    failing_job: { action: 'deny' },
    slow_compute: { deny_if: [{ path: 'args.seconds', op: 'gt', value: 1 }] },
  },
};
const hooks = [{ use: 'redact-secrets', options: { patterns: [{ name: 'WORD', pattern: 'reported|step \\d' }] } }];

let modern: ModernTasksHttp;
let legacy: HttpServer;
let gateway: OwnGateway;
const clients: V1Client[] = [];
const streams: Stream[] = [];

beforeAll(async () => {
  [modern, legacy] = await Promise.all([startModernTasks(), startV1Sessions(createV1TaskServer)]);
  gateway = await startReadyGateway({
    servers: { modern: { url: modern.url, policy }, legacy: { url: legacy.url, policy } },
    gateway: { hooks, audit: true },
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

async function connect(): Promise<V1Client> {
  const client = await connectV1({ http: gateway.url });
  clients.push(client);
  return client;
}

async function ask(method: string, params: Json, capabilities: object = TASKS) {
  const { message } = await send(gateway.url, modernRequest(method, params, { capabilities }));
  if (message.error) throw Object.assign(new Error(message.error.message), message.error);
  return message.result as Json & { taskId: string };
}

const expectScreened = (result: unknown): void => {
  const text = JSON.stringify(result);
  expect(text).toContain('<WORD>');
  expect(text).not.toContain('reported');
  expect(text).not.toContain('"unknown"');
};

describe('results of a legacy server’s task', () => {
  it('are screened in tasks/result and in notifications', async () => {
    const client = await connect();
    const heard: unknown[] = [];
    const params = { name: 'legacy__report', arguments: { steps: 3, ms: 60 }, task: { ttl: 60_000 } };
    const created = await client.client.request({ method: 'tools/call', params }, ResultSchema, {
      onprogress: ({ message }) => heard.push(message),
    });
    const { taskId } = created.task as { taskId: string };
    const result = await client.client.request({ method: 'tasks/result', params: { taskId } }, CallToolResultSchema);
    expectScreened(result);
    const status = client.heard.filter(({ method }) => method === 'notifications/tasks/status');
    expect(JSON.stringify([status, heard])).not.toMatch(/step \d/);
  });

  it('are screened in tasks/get of a modern client', async () => {
    const { taskId } = await ask('tools/call', { name: 'legacy__report', arguments: { ms: 20 } });
    const task = await until(async () => {
      const now = await ask('tasks/get', { taskId });
      return now.status === 'completed' && now;
    }, 'the task to end');
    expectScreened(task.result);
  });

  it('are screened for clients without tasks', async () => {
    expectScreened(await ask('tools/call', { name: 'legacy__report', arguments: {} }, {}));
  });
});

describe('results of a modern server’s task', () => {
  it('are screened in tasks/get and in the final notification', async () => {
    const { taskId } = await ask('tools/call', { name: 'modern__report', arguments: { steps: 3, ms: 1_800 } });
    const listen = modernRequest(
      'subscriptions/listen',
      { notifications: { taskIds: [taskId] } },
      { capabilities: TASKS },
    );
    const stream = await openStream(gateway.url, listen);
    streams.push(stream);
    const task = await until(async () => {
      const now = await ask('tasks/get', { taskId });
      return now.status === 'completed' && now;
    }, 'the task to end');
    expectScreened(task.result);
    const told = await until(
      () => stream.messages.find(({ params }) => (params as Json | undefined)?.status === 'completed'),
      'its end to be told',
    );
    expectScreened(told.params?.result);
    expect(JSON.stringify(stream.messages)).not.toMatch(/step \d/);
  });

  it('are screened for clients without tasks', async () => {
    const client = await connect();
    expectScreened(
      await client.client.callTool({ name: 'modern__report', arguments: { ms: 60 } }, CallToolResultSchema),
    );
  });
});

describe.each(['legacy', 'modern'])('a task of a %s server', (server) => {
  it('is not created when policy denies the call', async () => {
    const client = await connect();
    for (const [name, args] of [
      ['failing_job', {}],
      ['slow_compute', { seconds: 9 }],
    ] as const) {
      const of = { name: `${server}__${name}`, arguments: args };
      expect(denialOf((await ask('tools/call', of)) as never)).toMatchObject({ policy: `server:${server}` });
      const result = await client.client
        .request({ method: 'tools/call', params: { ...of, task: {} } }, ResultSchema)
        .catch((error) => error);
      if (server === 'legacy') expect(denialOf(result as never)).toMatchObject({ policy: 'server:legacy' });
    }
  });
});

describe('invalid arguments', () => {
  it('create no task', async () => {
    const params = { name: 'legacy__slow_compute', arguments: { seconds: 'two' } };
    const client = await connect();
    const asTask = await client.client.request({ method: 'tools/call', params: { ...params, task: {} } }, ResultSchema);
    for (const result of [await ask('tools/call', params), await ask('tools/call', params, {}), asTask]) {
      expect(denialOf(result as never)).toMatchObject({ code: 'SWB_ARGUMENTS_INVALID' });
    }
    expect((await client.tasks.listTasks()).tasks).toEqual([]);
    const line = await audited(gateway, (record) => record.errorCode === 'SWB_ARGUMENTS_INVALID');
    expect(line).toMatchObject({ name: 'slow_compute', outcome: 'denied', method: 'tools/call' });
  });
});
