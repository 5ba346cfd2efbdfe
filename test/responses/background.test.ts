/** Responses in the background as an upstream: the Responses API of a second gateway, in front of an A2A agent. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { modernRequest, send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { type A2aFixture, startA2a } from '../fixtures/a2a.ts';

type Json = Record<string, unknown>;

const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} } };

let agent: A2aFixture;
let back: OwnGateway;
let front: OwnGateway;

beforeAll(async () => {
  agent = await startA2a('1.0 JSONRPC');
  back = await startReadyGateway({ servers: { remote: { url: agent.url, kind: 'a2a' } } });
  const models = { writer: { model: 'remote/Test-Agent', request: { background: true } } };
  front = await startReadyGateway({
    servers: { back: { url: back.at('/v1').href, kind: 'responses', models } },
    gateway: { agents: { taskAfterMs: 50 } },
  });
});
afterAll(async () => {
  await front?.close();
  await back?.close();
  await agent?.stop();
});

const ticks = (count: number): string => Array.from({ length: count }, (_, i) => `tick ${i} `).join('');
const count = (event: string): number => agent.events.filter((seen) => seen.event === event).length;

async function ask(method: string, params: Json): Promise<Json> {
  const { message, text } = await send(front.url, modernRequest(method, params, { capabilities: TASKS }));
  if (!message.result) throw new Error(text);
  return message.result;
}

/** A call that has become a task, and that runs at the agent. */
async function begun(message: string): Promise<string> {
  const started = count('slow started');
  const { taskId } = await ask('tools/call', { name: 'back__writer', arguments: { message } });
  await until(
    () => count('slow started') > started,
    () => 'the begin at the agent',
  );
  return String(taskId);
}

async function reaches(taskId: string, status: string): Promise<Json> {
  let task: Json = {};
  return until(
    async () => {
      task = await ask('tasks/get', { taskId });
      return task.status === status && task;
    },
    () => `the task to be ${status}: ${JSON.stringify(task)}`,
    60_000,
  );
}

describe('a response in the background', () => {
  it('is cancelled by its id', async () => {
    const taskId = await begun('slow 1000');
    await until(
      async () => (await ask('tasks/get', { taskId })).statusMessage !== undefined,
      () => 'its first words',
    );
    const before = count('cancelled');
    await ask('tasks/cancel', { taskId });
    await until(
      () => count('cancelled') > before,
      () => 'the end at the agent',
    );
    await reaches(taskId, 'cancelled');
  });

  it('goes on over a restart of the gateway that called it, and is read to its end', async () => {
    const taskId = await begun('slow 1000');
    await until(
      async () => (await ask('tasks/get', { taskId })).statusMessage !== undefined,
      () => 'its first words',
    );
    const [started, cancelled] = [count('slow started'), count('cancelled')];
    const { folder } = front;
    await front.stop();
    front = await startReadyGateway({ folder });
    await front.reaches('back', 'ready');
    agent.hurry();
    const { result } = await reaches(taskId, 'completed');
    const { text } = (result as Json).structuredContent as { text: string };
    expect(text).toBe(ticks(text.split('tick').length - 1));
    expect([count('slow started'), count('cancelled')]).toEqual([started, cancelled]);
  });
});
