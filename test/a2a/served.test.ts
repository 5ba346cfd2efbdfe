/** Federated agents offered by A2A: official clients of 1.0 and 0.3 call LangGraph, Mastra and A2A agents through the gateway. */
import { randomUUID } from 'node:crypto';
import { type StreamResponse, type Task, TaskState } from '@a2a-js/sdk';
import { ClientFactory, JsonRpcTransportFactory, RestTransportFactory } from '@a2a-js/sdk/client';
import { ClientFactory as ClientFactory03 } from 'a2a-sdk-0.3/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { about, answerOf, CARD, message, textIn } from '../e2e/agent-clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type A2aFixture, startA2a } from '../fixtures/a2a.ts';
import type { LanggraphFixture } from '../fixtures/langgraph.ts';
import type { MastraFixture } from '../fixtures/mastra.ts';
import { borrowLanggraph, borrowMastra } from '../fixtures/shared.ts';

let mastra: MastraFixture;
let graph: LanggraphFixture;
let remote: A2aFixture;
let signed: A2aFixture;
let gateway: OwnGateway;

const SIGNATURES = [{ protected: 'eyJhbGciOiJFUzI1NiJ9', signature: 'c2ln', header: undefined }];

beforeAll(async () => {
  [mastra, graph, remote, signed] = await Promise.all([
    borrowMastra(),
    borrowLanggraph('2.0'),
    startA2a('1.0 JSONRPC'),
    startA2a('1.0 JSONRPC', { name: 'Signed', signatures: SIGNATURES }),
  ]);
  gateway = await startReadyGateway({
    servers: {
      mastra: { url: mastra.url, kind: 'mastra' },
      graph: { url: graph.url, kind: 'langgraph' },
      remote: { url: remote.url, kind: 'a2a' },
      signed: { url: signed.url, kind: 'a2a' },
    },
  });
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([mastra?.stop(), graph?.stop(), remote?.stop(), signed?.stop()]);
});

const at = (path: string): string => gateway.at(path).href;

const FORMS = {
  JSONRPC: () => new ClientFactory({ transports: [new JsonRpcTransportFactory()], preferredTransports: ['JSONRPC'] }),
  'HTTP+JSON': () =>
    new ClientFactory({ transports: [new RestTransportFactory()], preferredTransports: ['HTTP+JSON'] }),
} as const;

const connect = (agent: string, form: keyof typeof FORMS = 'JSONRPC') =>
  FORMS[form]().createFromUrl(at(`/a2a/${agent}/`), CARD);

async function taskOf(sent: Promise<unknown>): Promise<Task> {
  const result = (await sent) as Task;
  expect(result.id, JSON.stringify(result)).toEqual(expect.any(String));
  return result;
}

describe('Agents offered by A2A', () => {
  it('are listed with their cards, and a card has the public description and the address of the gateway', async () => {
    const { agents } = (await (await fetch(at('/a2a'))).json()) as { agents: { name: string; card: string }[] };
    const echo = agents.find(({ card }) => card.endsWith('/a2a/mastra/echo/.well-known/agent-card.json'));
    expect(echo).toBeDefined();
    const card = await (await fetch(String(echo?.card))).json();
    expect(card).toMatchObject({
      description: 'Says what it hears, and remembers the conversation of a thread',
      supportedInterfaces: expect.arrayContaining([
        expect.objectContaining({ url: at('/a2a/mastra/echo'), protocolBinding: 'JSONRPC', protocolVersion: '1.0' }),
      ]),
      url: at('/a2a/mastra/echo'),
      protocolVersion: '0.3.0',
    });
    expect(JSON.stringify(agents) + JSON.stringify(card)).not.toContain('SECRET SYSTEM PROMPT');
  });

  it('of a server that does not exist are unknown, as are agents that do not', async () => {
    for (const path of ['/a2a/nobody/echo', '/a2a/mastra/nobody']) {
      const response = await fetch(at(`${path}/.well-known/agent-card.json`));
      expect([path, response.status]).toEqual([path, 404]);
      expect(await response.text()).toContain('There is no agent at this address');
    }
  });

  it('have their signed card verbatim where they have one', async () => {
    const served = await (await fetch(at('/a2a/signed/Signed/.well-known/agent-card.json'))).json();
    const own = await (
      await fetch(`${signed.url}/.well-known/agent-card.json`, { headers: { 'a2a-version': '1.0' } })
    ).json();
    expect(served).toEqual(own);
    expect(served).toHaveProperty('signatures');
  });

  describe.each(['JSONRPC', 'HTTP+JSON'] as const)('to a client of 1.0 over %s', (form) => {
    it.each([
      ['mastra/echo', 'Echo: hello there'],
      ['graph/echo', 'echo: hello there'],
      ['remote/Test-Agent', 'hello there'],
    ])('answer: %s', async (agent, says) => {
      const client = await connect(agent, form);
      const task = await taskOf(client.sendMessage(message('hello there')));
      expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
      expect(answerOf(task)).toBe(says);
    });

    it('stream their text', async () => {
      const client = await connect('graph/echo', form);
      const events: StreamResponse[] = [];
      for await (const event of client.sendMessageStream(message('one two three'))) events.push(event);
      const pieces = events.flatMap(({ payload }) =>
        payload?.$case === 'artifactUpdate' ? [textIn(payload.value.artifact?.parts)] : [],
      );
      expect(pieces.join('')).toBe('echo: one two three');
      expect(events.findIndex(({ payload }) => payload?.$case === 'artifactUpdate')).toBeLessThan(events.length - 1);
      const last = events.at(-1)?.payload;
      expect(last?.$case === 'statusUpdate' && last.value.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
    });

    it('pause for input, and go on with it: a LangGraph interrupt', async () => {
      const client = await connect('graph/approval', form);
      const waiting = await taskOf(client.sendMessage(message('start')));
      expect(waiting.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
      expect(textIn(waiting.status?.message?.parts)).not.toBe('');
      const { id: taskId, contextId } = waiting;
      const done = await taskOf(client.sendMessage(message('yes', { taskId, contextId })));
      expect(done.status?.state).toBe(TaskState.TASK_STATE_COMPLETED);
      expect(done.id).toBe(taskId);
    });

    it('pause for input, and go on with it: a Mastra approval', async () => {
      const client = await connect('mastra/janitor', form);
      const waiting = await taskOf(client.sendMessage(message('a.txt')));
      expect(waiting.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
      const { id: taskId, contextId } = waiting;
      const done = await taskOf(client.sendMessage(message('yes', { taskId, contextId })));
      expect(done.status?.state, JSON.stringify(done.status)).toBe(TaskState.TASK_STATE_COMPLETED);
      expect(mastra.events.some(({ event, path }) => event === 'deleted' && path === 'a.txt')).toBe(true);
    });

    it('are cancelled at their server', async () => {
      const client = await connect('mastra/slow', form);
      const aborted = (): number => mastra.events.filter(({ event }) => event === 'slow aborted').length;
      const before = aborted();
      let id = '';
      for await (const { payload } of client.sendMessageStream(message('go'))) {
        if (payload?.$case === 'task') id = payload.value.id;
        if (payload?.$case === 'artifactUpdate') {
          const cancelled = await client.cancelTask(about(id));
          expect(cancelled.status?.state).toBe(TaskState.TASK_STATE_CANCELED);
        }
      }
      await expect.poll(aborted).toBe(before + 1);
    });
  });

  it('fail as a task with the words of the gateway', async () => {
    const client = await connect('mastra/failing');
    const task = await taskOf(client.sendMessage(message('hello')));
    expect(task.status?.state).toBe(TaskState.TASK_STATE_FAILED);
    expect(textIn(task.status?.message?.parts)).toContain('The model is out of order');
    expect(JSON.stringify(task)).not.toMatch(/sk-fixture|prod\.env/);
  });

  it('remember a conversation by its context', async () => {
    const client = await connect('mastra/echo');
    const first = await taskOf(client.sendMessage(message('one')));
    const second = await taskOf(client.sendMessage(message('two', { contextId: first.contextId })));
    expect(answerOf(second)).toBe('Echo 2: two');
  });

  it('answer a client of 0.3', async () => {
    const client = await new ClientFactory03().createFromUrl(at('/a2a/graph/approval/'), CARD);
    const say = (text: string, more = {}) =>
      client.sendMessage({
        message: { kind: 'message', messageId: randomUUID(), role: 'user', parts: [{ kind: 'text', text }], ...more },
      });
    const waiting = (await say('start')) as { id: string; contextId: string; status: { state: string } };
    expect(waiting.status.state).toBe('input-required');
    const done = (await say('yes', { taskId: waiting.id, contextId: waiting.contextId })) as typeof waiting;
    expect(done.status.state).toBe('completed');
  });
});
