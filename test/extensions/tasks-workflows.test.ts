/** Workflows of a Mastra server as tasks, for clients of both forms: progress, questions, cancelling, disconnects and restarts of the gateway. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { modernRequest, send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { type MastraFixture, startMastra } from '../fixtures/mastra.ts';
import { connectV1, type V1Client } from './sdk-v1.ts';

type Json = Record<string, unknown>;

const TASKS = { elicitation: { form: {} }, extensions: { 'io.modelcontextprotocol/tasks': {} } };
const files = mkdtempSync(join(tmpdir(), 'switchboard-workflows-'));

let studio: MastraFixture;
let gateway: OwnGateway;
const open: { close(): unknown }[] = [];

beforeAll(async () => {
  studio = await startMastra();
  gateway = await startReadyGateway({
    servers: { studio: { kind: 'mastra', url: studio.url } },
    gateway: { agents: { taskAfterMs: 50 } },
  });
});
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});
afterAll(async () => {
  await gateway?.close();
  await studio?.stop();
  rmSync(files, { recursive: true, force: true });
});

const count = (event: string, text: string): number =>
  studio.events.filter((seen) => seen.event === event && seen.text === text).length;

const happens = (event: string, text: string) =>
  until(
    () => count(event, text) > 0,
    () => `'${event}' for ${text}: ${JSON.stringify(studio.events)}`,
  );

/** A request of a client with the tasks extension, on a connection of its own. */
async function ask(method: string, params: Json): Promise<Json> {
  const { message, text } = await send(gateway.url, modernRequest(method, params, { capabilities: TASKS }));
  if (!message.result) throw new Error(text);
  return message.result;
}

/** Calls the tool, and resolves with the id of the task that the call has become. */
async function begun(tool: string, args: Json): Promise<string> {
  const result = await ask('tools/call', { name: `studio__workflow-${tool}`, arguments: args });
  expect(result).toMatchObject({ resultType: 'task', status: expect.stringMatching(/^(?:working|input_required)$/) });
  return String(result.taskId);
}

async function reaches(taskId: string, status: string): Promise<Json> {
  let task: Json = {};
  return until(
    async () => {
      task = await ask('tasks/get', { taskId });
      return task.status === status && task;
    },
    () => `the task to be ${status}: ${JSON.stringify(task)}`,
  );
}

async function answers(taskId: string, content: Json): Promise<void> {
  const { inputRequests } = await reaches(taskId, 'input_required');
  const [key = ''] = Object.keys(inputRequests as Json);
  await ask('tasks/update', { taskId, inputResponses: { [key]: { action: 'accept', content } } });
}

async function restart(): Promise<void> {
  const { folder } = gateway;
  await gateway.stop();
  gateway = await startReadyGateway({ folder });
  await gateway.reaches('studio', 'ready');
}

describe('a workflow as a tool', () => {
  it('says that its calls may become tasks, and is pinned without that', async () => {
    const { tools } = await ask('tools/list', {});
    const named = (tools as { name: string; execution?: Json }[]).filter(({ name }) => name.includes('__workflow-'));
    expect(named.map(({ name }) => name)).toContain('studio__workflow-resume');
    for (const { execution } of named) expect(execution).toEqual({ taskSupport: 'optional' });
    const { entries } = gateway.gateway.federation.member('studio')?.catalog('tools') ?? { entries: [] };
    for (const { value } of entries) expect(value).not.toHaveProperty('execution');
  });
});

describe('SDK v1 as a client with tasks', () => {
  async function connect(answer?: Json): Promise<V1Client> {
    const client = await connectV1({ http: gateway.url }, answer ? { answer } : {});
    open.push(client);
    return client;
  }

  it('follows a workflow to its result, and answers what it asks', async () => {
    const client = await connect({ yes: true });
    const run = await client.run('studio__workflow-publish', { text: 'news' });
    expect(run).toMatchObject({ taskId: expect.stringMatching(/^run_/), text: '{"text":"published news"}' });
    expect(client.asked).toMatchObject([{ message: expect.stringContaining("Publish 'news'?") }]);
    expect(run.statuses).toContain('input_required');
  });

  it('hears that a workflow has failed, and why', async () => {
    const client = await connect();
    // The SDK drops the result of a task that has failed.
    await expect(client.run('studio__workflow-failing', { text: 'x' })).rejects.toThrow(/Task run_\S+ failed/);
    const heard = await until(
      () => client.heard.find(({ params }) => params.status === 'failed'),
      () => `the notification among ${JSON.stringify(client.heard)}`,
    );
    expect(heard.params.statusMessage).toContain('The press is broken');
    const { content, isError } = await client.tasks.getTaskResult(String(heard.params.taskId), CallToolResultSchema);
    expect([isError, JSON.stringify(content)]).toEqual([true, expect.stringContaining('The press is broken')]);
  });
});

describe('a client with the tasks extension', () => {
  it('has the result at once where it comes soon, and a task that it can cancel where not', async () => {
    const soon = await ask('tools/call', { name: 'studio__workflow-failing', arguments: { text: 'x' } });
    const result = soon.resultType === 'task' ? (await reaches(String(soon.taskId), 'completed')).result : soon;
    expect(result).toMatchObject({ isError: true });

    const taskId = await begun('lengthy', { text: 'to be cancelled' });
    await happens('workflow started', 'to be cancelled');
    expect(await reaches(taskId, 'working')).toMatchObject({ statusMessage: 'wait: started' });
    await ask('tasks/cancel', { taskId });
    await reaches(taskId, 'cancelled');
    await happens('workflow aborted', 'to be cancelled');
  });

  it('finds it again after a disconnect, answers what it asks and has its result', async () => {
    const file = join(files, 'disconnected');
    const taskId = await begun('campaign', { text: file });
    writeFileSync(file, '');
    await answers(taskId, { yes: true });
    expect(await reaches(taskId, 'completed')).toMatchObject({
      result: { structuredContent: { text: `published ${file}` } },
    });
    expect(await ask('tools/call', { name: 'getRun', arguments: { run: taskId } })).toMatchObject({
      structuredContent: { runs: [{ agent: 'studio/workflow-campaign', status: 'completed' }] },
    });
  });

  it('goes on with one that waits by its own tool, as a task too', async () => {
    const call = modernRequest('tools/call', { name: 'studio__workflow-publish', arguments: { text: 'later' } });
    const { _meta } = (await send(gateway.url, call)).message.result as { _meta: Json };
    const ids = { workflow: 'publish', runId: String(_meta['switchboard/run']) };
    const resumed = await ask('tools/call', {
      name: 'studio__workflow-resume',
      arguments: { ...ids, step: 'confirm', data: { yes: true } },
    });
    const result =
      resumed.resultType === 'task' ? (await reaches(String(resumed.taskId), 'completed')).result : resumed;
    expect(result).toMatchObject({ structuredContent: { text: 'published later' } });
  });

  it('finds it again after a restart of the gateway: at work, waiting for an answer, and over', async () => {
    const file = join(files, 'restarted');
    const working = await begun('campaign', { text: file });
    const waiting = await begun('publish', { text: 'once' });
    const question = (await reaches(waiting, 'input_required')).inputRequests;
    const lengthy = await begun('lengthy', { text: 'to be cancelled later' });
    await happens('workflow started', file);
    await happens('workflow started', 'to be cancelled later');
    await restart();

    expect((await reaches(waiting, 'input_required')).inputRequests).toEqual(question);
    await answers(waiting, { yes: false });
    expect(await reaches(waiting, 'completed')).toMatchObject({
      result: { structuredContent: { text: 'nothing was published' } },
    });

    expect(await reaches(working, 'working')).toMatchObject({ statusMessage: expect.stringMatching(/^draft: /) });
    writeFileSync(file, '');
    await answers(working, { yes: true });
    const over = await reaches(working, 'completed');
    expect(over).toMatchObject({ result: { structuredContent: { text: `published ${file}` } } });
    expect([count('workflow started', file), count('workflow drafted', file)]).toEqual([1, 1]);

    expect(count('workflow aborted', 'to be cancelled later')).toBe(0);
    await ask('tasks/cancel', { taskId: lengthy });
    await reaches(lengthy, 'cancelled');
    await happens('workflow aborted', 'to be cancelled later');

    await restart();
    expect(await ask('tasks/get', { taskId: working })).toMatchObject({ status: 'completed', result: over.result });
  });
});
