/** Push notifications of A2A: official clients of 1.0 and 0.3 register webhooks, and real receivers are told how tasks go on. */
import { randomUUID } from 'node:crypto';
import type { Task, TaskPushNotificationConfig } from '@a2a-js/sdk';
import {
  type Client,
  ClientFactory,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
} from '@a2a-js/sdk/client';
import { ClientFactory as ClientFactory03 } from 'a2a-sdk-0.3/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WebhookEvent } from '../../src/observe/events.ts';
import { subscribe } from '../../src/observe/events.ts';
import { about, CARD, message } from '../e2e/agent-clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type A2aFixture, startA2a } from '../fixtures/a2a.ts';
import { grant } from '../policy/grants.ts';
import { type Receiver, startReceiver, statesIn } from './receiver.ts';

const ALLOW = { version: '1', default: 'allow', tools: {} };
const [ada, bob] = [grant({ policy: ALLOW }), grant({ policy: ALLOW })];

let agent: A2aFixture;
let receiver: Receiver;
let elsewhere: Receiver;
let gateway: OwnGateway;
let closed: OwnGateway;
const told: WebhookEvent[] = [];
const stop = subscribe('webhook', (event) => told.push(event));

beforeAll(async () => {
  [agent, receiver, elsewhere] = await Promise.all([startA2a('1.0 JSONRPC'), startReceiver(), startReceiver()]);
  const servers = { remote: { url: agent.url, kind: 'a2a' } };
  const grants = { ada: ada.entry, bob: bob.entry };
  const origins = [receiver.origin, 'https://192.168.7.7', 'https://metadata.google.internal'];
  [gateway, closed] = await Promise.all([
    startReadyGateway({ servers, gateway: { grants, agents: { pushNotifications: { origins } } } }),
    startReadyGateway({ servers, gateway: { grants } }),
  ]);
});
afterAll(async () => {
  stop();
  await Promise.all([gateway?.close(), closed?.close()]);
  await Promise.all([agent?.stop(), receiver?.close(), elsewhere?.close()]);
});

type Form = 'JSONRPC' | 'HTTP+JSON';

function client(key = ada, form: Form = 'JSONRPC', at = gateway): Promise<Client> {
  const fetchImpl: typeof fetch = (url, init) =>
    fetch(url, { ...init, headers: { ...(init?.headers as Record<string, string>), ...key.headers } });
  const factory = new ClientFactory({
    transports:
      form === 'JSONRPC' ? [new JsonRpcTransportFactory({ fetchImpl })] : [new RestTransportFactory({ fetchImpl })],
    preferredTransports: [form],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
  });
  return factory.createFromUrl(at.at('/a2a/remote/Test-Agent/').href, CARD);
}

async function client03(key = ada) {
  const fetchImpl: typeof fetch = (url, init) =>
    fetch(url, { ...init, headers: { ...(init?.headers as Record<string, string>), ...key.headers } });
  const { DefaultAgentCardResolver: Resolver03, JsonRpcTransportFactory: Rpc03 } = await import('a2a-sdk-0.3/client');
  const factory = new ClientFactory03({
    transports: [new Rpc03({ fetchImpl })],
    cardResolver: new Resolver03({ fetchImpl }),
  });
  return factory.createFromUrl(gateway.at('/a2a/remote/Test-Agent/').href, CARD);
}

/** A webhook at a path of its own. */
function hookAt(path: string, more: Partial<TaskPushNotificationConfig> = {}): TaskPushNotificationConfig {
  return { tenant: '', id: '', taskId: '', url: receiver.origin + path, token: '', authentication: undefined, ...more };
}

/** A message whose client does not wait for what comes of it. */
const leaving = (text: string, hook?: TaskPushNotificationConfig, more = {}) => ({
  ...message(text, more),
  configuration: { acceptedOutputModes: [], returnImmediately: true, taskPushNotificationConfig: hook },
});

const begin = async (to: Client, text: string, hook?: TaskPushNotificationConfig): Promise<Task> =>
  (await to.sendMessage(leaving(text, hook))) as Task;

const path = (): string => `/${randomUUID()}`;

async function raw(method: string, params: object, key = ada, at = gateway) {
  const response = await fetch(at.at('/a2a/remote/Test-Agent'), {
    method: 'POST',
    headers: { ...key.headers, 'content-type': 'application/json', 'a2a-version': '1.0' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return (await response.json()) as { result?: unknown; error?: { code: number; message: string } };
}

describe.each(['JSONRPC', 'HTTP+JSON'] as const)('A webhook of a client of 1.0 over %s', (form) => {
  it('that came with the message is told the end of a run whose client has gone', async () => {
    const to = path();
    const authentication = { scheme: 'Bearer', credentials: 'of-the-receiver' };
    const hook = hookAt(to, { token: 'nonce-1', authentication });
    const task = await begin(await client(ada, form), 'slow 6', hook);
    await until(
      () => statesIn(receiver.received.filter(({ path }) => path === to)).includes('TASK_STATE_COMPLETED'),
      'the end',
    );
    const received = await receiver.at(to, 2);
    for (const { headers } of received) {
      expect(headers).toMatchObject({
        'content-type': 'application/a2a+json',
        'x-a2a-notification-token': 'nonce-1',
        authorization: 'Bearer of-the-receiver',
      });
    }
    const [artifact, last] = received.slice(-2).map(({ body }) => body);
    const ticks = Array.from({ length: 6 }, (_, i) => `tick ${i} `).join('');
    const said = artifact.artifactUpdate.artifact.parts.map(({ text }: { text: string }) => text).join('');
    expect({ ...artifact.artifactUpdate, said }).toMatchObject({
      taskId: task.id,
      contextId: task.contextId,
      said: ticks,
    });
    expect(last).toEqual({
      statusUpdate: expect.objectContaining({
        taskId: task.id,
        contextId: task.contextId,
        status: expect.objectContaining({ state: 'TASK_STATE_COMPLETED' }),
      }),
    });
    // Each state once, and none after the end.
    const states = statesIn(await receiver.at(to, received.length));
    expect(states).toEqual([...new Set(states)]);
  });

  it('that was registered later is told a question, what comes of the answer, and is listed until the end', async () => {
    const to = path();
    const caller = await client(ada, form);
    const task = await begin(caller, 'ask');
    const asked = await until(async () => (await caller.getTask(about(task.id))).status?.state === 6, 'the question');
    expect(asked).toBe(true);
    const made = await caller.createTaskPushNotificationConfig(hookAt(to, { taskId: task.id, token: 'n' }));
    expect(made).toMatchObject({ id: expect.any(String), taskId: task.id, url: receiver.origin + to });
    const one = { tenant: '', taskId: task.id, id: made.id };
    const every = { tenant: '', taskId: task.id, pageSize: 0, pageToken: '' };
    expect(await caller.getTaskPushNotificationConfig(one)).toMatchObject({ id: made.id, url: receiver.origin + to });
    expect((await caller.listTaskPushNotificationConfig(every)).configs).toHaveLength(1);
    const [question] = await receiver.at(to, 1);
    expect(question?.body.statusUpdate).toMatchObject({
      taskId: task.id,
      status: {
        state: 'TASK_STATE_INPUT_REQUIRED',
        message: { parts: expect.arrayContaining([{ text: 'Which colour?' }]) },
      },
    });
    const { id: taskId, contextId } = task;
    await caller.sendMessage(message('blue', { taskId, contextId }));
    await until(
      () => statesIn(receiver.received.filter(({ path }) => path === to)).includes('TASK_STATE_COMPLETED'),
      'the end',
    );
    expect(JSON.stringify(receiver.received.filter(({ path }) => path === to).map(({ body }) => body))).toContain(
      'You chose blue.',
    );
    await until(async () => (await caller.listTaskPushNotificationConfig(every)).configs.length === 0, 'it to be gone');
  });

  it('is told nothing once it is deleted, which may be done twice', async () => {
    const to = path();
    const caller = await client(ada, form);
    const task = await begin(caller, 'ask', hookAt(to, { id: 'mine' }));
    await receiver.at(to, 1);
    await until(async () => (await caller.getTask(about(task.id))).status?.state === 6, 'the question');
    const one = { tenant: '', taskId: task.id, id: 'mine' };
    await caller.deleteTaskPushNotificationConfig(one);
    await caller.deleteTaskPushNotificationConfig(one);
    await expect(caller.getTaskPushNotificationConfig(one)).rejects.toThrow(/not found/i);
    const other = path();
    await caller.createTaskPushNotificationConfig(hookAt(other, { taskId: task.id }));
    await receiver.at(other, 1);
    const before = receiver.received.filter(({ path }) => path === to).length;
    const { id: taskId, contextId } = task;
    await caller.sendMessage(message('blue', { taskId, contextId }));
    await until(
      () => statesIn(receiver.received.filter(({ path }) => path === other)).includes('TASK_STATE_COMPLETED'),
      'the end',
    );
    expect(receiver.received.filter(({ path }) => path === to)).toHaveLength(before);
  });

  it('of another principal cannot be read, registered or deleted: there is no such task', async () => {
    const task = await begin(await client(ada, form), 'ask', hookAt(path(), { id: 'mine' }));
    const other = await client(bob, form);
    const one = { tenant: '', taskId: task.id, id: 'mine' };
    await expect(other.getTaskPushNotificationConfig(one)).rejects.toThrow(/not found/i);
    await expect(other.deleteTaskPushNotificationConfig(one)).rejects.toThrow(/not found/i);
    await expect(other.listTaskPushNotificationConfig({ ...one, pageSize: 0, pageToken: '' })).rejects.toThrow(
      /not found/i,
    );
    await expect(other.createTaskPushNotificationConfig(hookAt(path(), { taskId: task.id }))).rejects.toThrow(
      /not found/i,
    );
    await (await client(ada, form)).cancelTask(about(task.id));
  });
});

describe('A webhook of a client of 0.3', () => {
  const send = async (text: string, config: object, more = {}) =>
    (await (
      await client03()
    ).sendMessage({
      message: { kind: 'message', messageId: randomUUID(), role: 'user', parts: [{ kind: 'text', text }], ...more },
      configuration: { blocking: false, ...config },
    })) as { id: string; contextId: string };

  it('is told the task, in the form of its version', async () => {
    const to = path();
    const task = await send('ask', { pushNotificationConfig: { url: receiver.origin + to, token: 'nonce' } });
    const asked = await until(
      () => receiver.received.find(({ path, body }) => path === to && body.status.state === 'input-required'),
      'the question',
    );
    expect(asked.headers).toMatchObject({ 'content-type': 'application/json', 'x-a2a-notification-token': 'nonce' });
    expect(asked.body).toMatchObject({ kind: 'task', id: task.id, contextId: task.contextId });
    await send('blue', {}, { taskId: task.id, contextId: task.contextId });
    const done = await until(
      () => receiver.received.find(({ path, body }) => path === to && body.status.state === 'completed'),
      'the end',
    );
    expect(done.body.artifacts[0].parts).toEqual([{ kind: 'text', text: 'You chose blue.' }]);
  });

  it('is set, found, listed and deleted by the methods of its version; the next one without an id takes its place', async () => {
    const caller = await client03();
    const task = await send('ask', {});
    const [first, second] = [path(), path()];
    const set = (url: string, more = {}) =>
      caller.setTaskPushNotificationConfig({
        taskId: task.id,
        pushNotificationConfig: { url: receiver.origin + url, ...more },
      });
    await set(first);
    await set(second, { authentication: { schemes: ['Basic'], credentials: 'c2VjcmV0' } });
    const found = await caller.getTaskPushNotificationConfig({ id: task.id });
    expect(found).toEqual({
      taskId: task.id,
      pushNotificationConfig: { id: task.id, url: receiver.origin + second, authentication: { schemes: ['Basic'] } },
    });
    expect(await caller.listTaskPushNotificationConfig({ id: task.id })).toEqual([found]);
    expect((await receiver.at(second, 1))[0]?.headers.authorization).toBe('Basic c2VjcmV0');
    await caller.deleteTaskPushNotificationConfig({ id: task.id, pushNotificationConfigId: task.id });
    expect(await caller.listTaskPushNotificationConfig({ id: task.id })).toEqual([]);
  });
});

describe('A webhook that is set without its configuration', () => {
  const set = async (params: object, version = '0.3', at = gateway) => {
    const response = await fetch(at.at('/a2a/remote/Test-Agent'), {
      method: 'POST',
      headers: { ...ada.headers, 'content-type': 'application/json', 'a2a-version': version },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tasks/pushNotificationConfig/set', params }),
    });
    return (await response.json()) as { error?: { code: number } };
  };

  it('is refused in 0.3 as invalid parameters, and so is one without an address', async () => {
    const { id: taskId } = await begin(await client(), 'ask');
    for (const more of [
      {},
      { pushNotificationConfig: {} },
      { pushNotificationConfig: { id: 5, url: receiver.origin } },
    ]) {
      expect(await set({ taskId, ...more })).toMatchObject({ error: { code: -32602 } });
    }
    await (await client()).cancelTask(about(taskId));
  });

  it('is refused in 0.3 as not supported where webhooks are not', async () => {
    expect(await set({ taskId: 't' }, '0.3', closed)).toMatchObject({ error: { code: -32003 } });
  });

  it('is a method that 1.0 does not have', async () => {
    expect(await set({ taskId: 't' }, '1.0')).toMatchObject({ error: { code: -32601 } });
  });
});

describe('A receiver', () => {
  const failures = (url: string): WebhookEvent[] =>
    told.filter(({ failure, task }) => failure !== undefined && task === url);
  const failed = (task: Task, count = 1) =>
    until(
      () => failures(task.id).length >= count && failures(task.id),
      () => `failures of ${task.id}: ${JSON.stringify(told)}`,
    );

  it('that fails is tried again, and is told once it is better', async () => {
    const to = path();
    receiver.answers(to, (res, before) => res.writeHead(before < 1 ? 503 : 200).end());
    const caller = await client();
    const task = await begin(caller, 'ask', hookAt(to));
    await until(async () => (await caller.getTask(about(task.id))).status?.state === 6, 'the question');
    await until(
      () => statesIn(receiver.received.filter(({ path }) => path === to)).includes('TASK_STATE_INPUT_REQUIRED'),
      'the question',
    );
    const event = await until(
      () => told.find((each) => each.task === task.id && each.state === 'input_required'),
      'its event',
    );
    expect(event).toMatchObject({ failure: undefined, principal: 'ada', origin: receiver.origin });
    await caller.cancelTask(about(task.id));
  });

  it('that refuses is not tried again, and what comes next is told all the same', async () => {
    const to = path();
    receiver.answers(to, (res) => res.writeHead(404).end());
    const caller = await client();
    const task = await begin(caller, 'ask', hookAt(to));
    const [event] = await failed(task);
    expect(event).toMatchObject({ failure: 'status', status: 404, attempts: 1 });
    await caller.cancelTask(about(task.id));
    await until(
      () => statesIn(receiver.received.filter(({ path }) => path === to)).includes('TASK_STATE_CANCELED'),
      'the end',
    );
  });

  it('that redirects is not followed', async () => {
    const to = path();
    receiver.answers(to, (res) => res.writeHead(307, { location: `${elsewhere.origin}/taken` }).end());
    const task = await begin(await client(), 'hello', hookAt(to));
    expect((await failed(task))[0]).toMatchObject({ failure: 'redirect', status: 307, attempts: 1 });
    expect(elsewhere.received).toEqual([]);
  });

  it.each(['https://192.168.7.7/hook', 'https://metadata.google.internal/computeMetadata/v1/'])(
    'at an address that no webhook may lead to is sent nothing, though its origin is listed: %s',
    async (url) => {
      const task = await begin(await client(), 'hello', hookAt('', { url }));
      expect((await failed(task))[0]).toMatchObject({ failure: 'refused', attempts: 1, status: undefined });
    },
  );

  it('that does not answer holds up neither the run nor its client', async () => {
    const to = path();
    receiver.answers(to, () => {});
    const caller = await client();
    const done = (await caller.sendMessage({
      ...message('slow 3'),
      configuration: { acceptedOutputModes: [], returnImmediately: false, taskPushNotificationConfig: hookAt(to) },
    })) as Task;
    expect(done.status?.state).toBe(3);
  });
});

describe('A webhook', () => {
  const refused = async (more: Partial<TaskPushNotificationConfig>, says: RegExp) => {
    const before = agent.events.length;
    const { error } = await raw('SendMessage', {
      message: { messageId: randomUUID(), role: 'ROLE_USER', parts: [{ text: 'hello' }] },
      configuration: { taskPushNotificationConfig: { url: `${receiver.origin}/x`, ...more } },
    });
    expect(error).toMatchObject({ code: -32602, message: expect.stringMatching(says) });
    expect(agent.events.length).toBe(before);
  };

  it.each([
    ['of another origin', { url: 'https://attacker.example/' }],
    ['at another port of a listed host', { url: 'http://127.0.0.1:1/' }],
    ['at the metadata service', { url: 'http://169.254.169.254/latest/' }],
    ['of another scheme', { url: 'file:///etc/passwd' }],
    ['that is no URL', { url: '/hook' }],
  ])('%s is refused before anything runs', async (_, more) => {
    await refused(more, /origin|absolute URL/);
  });

  it('with what would be another header, or without credentials, is refused, and the refusal repeats none of it', async () => {
    await refused({ token: 'a\r\nx-admin: secret-1' }, /^(?!.*secret-1).*header can hold/s);
    await refused({ authentication: { scheme: 'Bearer', credentials: 'a\nb' } }, /credentials/);
    await refused({ authentication: { scheme: 'Bearer', credentials: '' } }, /credentials/);
    await refused({ authentication: { scheme: 'Bearer x', credentials: 'y' } }, /scheme/);
  });

  it('of a task that is over is refused, as a subscription to it is', async () => {
    const task = (await (await client()).sendMessage(message('hello'))) as Task;
    const { error } = await raw('CreateTaskPushNotificationConfig', { taskId: task.id, url: `${receiver.origin}/x` });
    expect(error).toMatchObject({ code: -32004, message: expect.stringContaining('is over') });
  });

  it('is one of eight of a task at most', async () => {
    const caller = await client();
    const task = await begin(caller, 'ask');
    const create = () => caller.createTaskPushNotificationConfig(hookAt('/many', { taskId: task.id }));
    await Promise.all(Array.from({ length: 8 }, create));
    await expect(create()).rejects.toThrow(/has 8 webhooks, the most it may have/);
    await caller.cancelTask(about(task.id));
  });

  it('shows its credentials nowhere: not to those who ask for it, in the log, or in the state', async () => {
    const to = `${path()}?key=secret-in-address`;
    receiver.answers(to, (res) => res.writeHead(400).end());
    const secrets = {
      token: 'secret-token-1',
      authentication: { scheme: 'Bearer', credentials: 'secret-credentials-1' },
    };
    const caller = await client();
    const task = await begin(caller, 'ask', hookAt(to, { id: 'mine', ...secrets }));
    await until(() => told.some((event) => event.task === task.id && event.failure === 'status'), 'a failure');
    const found = await caller.getTaskPushNotificationConfig({ tenant: '', taskId: task.id, id: 'mine' });
    expect(found.authentication).toEqual({ scheme: 'Bearer', credentials: '' });
    const { readdirSync, readFileSync } = await import('node:fs');
    const folder = `${gateway.folder}/state`;
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(0);
    const kept = files.map(({ parentPath, name }) => readFileSync(`${parentPath}/${name}`, 'latin1')).join('');
    expect(kept).toContain('a2a-webhooks');
    for (const text of [kept, gateway.log(), JSON.stringify(told)]) {
      expect(text).not.toMatch(/secret-token-1|secret-credentials-1|secret-in-address/);
    }
    expect(gateway.log()).toContain('A webhook could not be told how its task stands.');
    await caller.cancelTask(about(task.id));
  });
});

describe('Where the operator has not switched them on', () => {
  it('the card says so, and every method and message with a webhook is refused with the error of the specification', async () => {
    const card = await (await fetch(closed.at(`/a2a/remote/Test-Agent/${CARD}`), { headers: ada.headers })).json();
    expect(card).toMatchObject({ capabilities: { pushNotifications: false } });
    const { result } = await raw(
      'SendMessage',
      { message: { messageId: randomUUID(), role: 'ROLE_USER', parts: [{ text: 'ask' }] } },
      ada,
      closed,
    );
    const { id: taskId } = (result as { task: Task }).task;
    const url = `${receiver.origin}/closed`;
    const unsupported = { error: { code: -32003 } };
    for (const [method, params] of [
      ['CreateTaskPushNotificationConfig', { taskId, url }],
      ['GetTaskPushNotificationConfig', { taskId, id: 'x' }],
      ['ListTaskPushNotificationConfigs', { taskId }],
      ['DeleteTaskPushNotificationConfig', { taskId, id: 'x' }],
    ] as const) {
      expect([method, await raw(method, params, ada, closed)]).toEqual([method, expect.objectContaining({})]);
      expect(await raw(method, params, ada, closed)).toMatchObject(unsupported);
    }
    const before = agent.events.length;
    const sent = {
      message: { messageId: randomUUID(), role: 'ROLE_USER', parts: [{ text: 'hello' }] },
      configuration: { taskPushNotificationConfig: { url } },
    };
    expect(await raw('SendMessage', sent, ada, closed)).toMatchObject(unsupported);
    expect(agent.events.length).toBe(before);
    const rest = await fetch(closed.at(`/a2a/remote/Test-Agent/tasks/${taskId}/pushNotificationConfigs`), {
      headers: ada.headers,
    });
    expect(rest.status).toBe(400);
    expect(await rest.json()).toMatchObject({ error: { code: 400, status: 'FAILED_PRECONDITION' } });
    const legacy = await fetch(closed.at('/a2a/remote/Test-Agent'), {
      method: 'POST',
      headers: { ...ada.headers, 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ jsonrpc: '2.0', id: 1, method: 'tasks/pushNotificationConfig/set' },
        params: { taskId, pushNotificationConfig: { url } },
      }),
    });
    expect(await legacy.json()).toMatchObject(unsupported);
    expect(receiver.received.some(({ path }) => path === '/closed')).toBe(false);
  });
});
