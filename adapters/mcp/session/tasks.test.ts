import type { ServerResponse } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import type { Ask } from '../../../src/core/call.ts';
import { UpstreamError } from '../../../src/core/errors.ts';
import { outline } from '../../../src/wire/json/outline.ts';
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';
import { RELATED_TASK } from '../../../src/wire/tasks.ts';
import { fakeCall } from '../../testing/call.ts';
import { connections, toolCall } from '../testing/connected.ts';
import { startScripted } from '../testing/scripted.ts';
import { startSession } from '../testing/session.ts';

const { connect, closing } = connections();

const RAW = { task: { taskId: 't', status: 'working', ttl: null } };
const tied = (taskId: string) => ({ message: 'Sure?', requestedSchema: {}, _meta: { [RELATED_TASK]: { taskId } } });

/** A server without sessions: everybody shares one, and it speaks on its standalone stream. */
async function start() {
  let aside: ServerResponse | undefined;
  const answers: JsonObject[] = [];
  const open = new Map<unknown, (result: object) => void>();
  const server = closing(
    await startScripted({
      era: 'legacy',
      capabilities: { tools: {}, tasks: { requests: { tools: { call: {} } } } },
      other: (_, response) => {
        aside = response;
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.flushHeaders();
      },
      on: ({ message, result, response }) => {
        if (message.method === 'tools/call' && message.params?.task) result(RAW);
        else if (message.method === 'tools/call' || message.method === 'tasks/result') open.set(message.id, result);
        else if (message.method === undefined) {
          answers.push(message);
          response.writeHead(202).end();
        } else return false;
        return true;
      },
    }),
  );
  const { upstream, context } = await connect(server.url, { isolation: 'shared' });
  // The gateway waits for the stream, but not for long.
  await vi.waitFor(() => expect(aside).toBeDefined());
  return {
    upstream,
    context,
    server,
    answers,
    say: (message: object) => aside?.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`),
    /** Ids of requests that are not answered yet. */
    open: () => [...open.keys()],
    finish: () => {
      for (const result of open.values()) result({});
    },
  };
}

const person = (key: string, answer: (ask: Ask) => JsonObject = () => ({ action: 'accept', from: key })) =>
  fakeCall({ caller: { key, capabilities: { elicitation: {} } }, answer });

describe('a question about a task, outside the stream of a call', () => {
  it('goes to the caller that waits for its result, of several callers', async () => {
    const { upstream, answers, say, open, finish } = await start();
    const [ada, bob] = [person('ada'), person('bob')];
    const waiting = [
      upstream.request('tasks/result', { taskId: 'a' }, ada),
      upstream.request('tasks/result', { taskId: 'b' }, bob),
    ];
    await vi.waitFor(() => expect(open()).toHaveLength(2));
    say({ id: 1, method: 'elicitation/create', params: tied('b') });
    say({ id: 2, method: 'elicitation/create', params: tied('a') });
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    expect(answers).toContainEqual({ jsonrpc: '2.0', id: 1, result: { action: 'accept', from: 'bob' } });
    expect(answers).toContainEqual({ jsonrpc: '2.0', id: 2, result: { action: 'accept', from: 'ada' } });
    finish();
    await Promise.all(waiting);
  });

  it('goes to no other caller than the one that created it, not even where only another one is connected', async () => {
    const { upstream, answers, say, open, finish } = await start();
    await upstream.request('tools/call', { name: 'x', task: {} }, person('ada'));
    const bob = person('bob');
    const running = [upstream.request(...toolCall('y'), bob)];
    await vi.waitFor(() => expect(open()).toHaveLength(1));
    say({ id: 1, method: 'elicitation/create', params: tied('t') });
    await vi.waitFor(() => expect(answers).toMatchObject([{ id: 1, error: { code: -32600 } }]));
    expect(bob.asks).toEqual([]);
    running.push(upstream.request(...toolCall('z'), person('ada')));
    await vi.waitFor(() => expect(open()).toHaveLength(2));
    say({ id: 2, method: 'elicitation/create', params: tied('t') });
    await vi.waitFor(() => expect(answers.at(-1)).toMatchObject({ id: 2, result: { from: 'ada' } }));
    finish();
    await Promise.all(running);
  });
});

describe('progress of a task whose call has been answered', () => {
  it('is its caller’s, under the token that caller chose', async () => {
    const { upstream, context, server, say } = await start();
    const params = { name: 'x', task: {}, _meta: { progressToken: 'mine' } };
    await upstream.request('tools/call', params, fakeCall({ caller: { key: 'ada' }, wantsProgress: true }));
    const sent = server.posted.find(({ message }) => message.method === 'tools/call')?.message.params;
    const token = (sent?._meta as JsonObject | undefined)?.progressToken;
    expect(token).not.toBe('mine');
    say({ method: 'notifications/progress', params: { progressToken: token, progress: 2, x: 1 } });
    say({ method: 'notifications/progress', params: { progressToken: 'nobody’s', progress: 3 } });
    await vi.waitFor(() =>
      expect(context.received).toEqual([
        {
          notification: {
            jsonrpc: '2.0',
            method: 'notifications/progress',
            params: { progressToken: 'mine', progress: 2, x: 1 },
          },
          callerKey: 'ada',
        },
      ]),
    );
  });
});

describe('a request to a client', () => {
  it('is answered by its own error, when it answers with one', async () => {
    const { upstream, answers, say, open, finish } = await start();
    const error = new UpstreamError({ code: -32602, message: 'Task not found', data: { taskId: 'x' } });
    const running = upstream.request(
      ...toolCall('y'),
      person('ada', () => {
        throw error;
      }),
    );
    await vi.waitFor(() => expect(open()).toHaveLength(1));
    say({ id: 1, method: 'tasks/get', params: { taskId: 'x' } });
    await vi.waitFor(() =>
      expect(answers).toEqual([
        { jsonrpc: '2.0', id: 1, error: { code: -32602, message: 'Task not found', data: { taskId: 'x' } } },
      ]),
    );
    finish();
    await running;
  });

  it('about tasks is refused for a client that has none', async () => {
    const { upstream, answers, say, open, finish } = await start();
    const running = upstream.request(...toolCall('y'), fakeCall());
    await vi.waitFor(() => expect(open()).toHaveLength(1));
    for (const method of ['tasks/get', 'tasks/result', 'tasks/list', 'tasks/cancel']) say({ id: method, method });
    await vi.waitFor(() => expect(answers).toHaveLength(4));
    for (const answer of answers)
      expect(answer).toMatchObject({ error: { code: -32601, message: 'Tasks not supported' } });
    finish();
    await running;
  });
});

describe('what a server sends right behind the reply that creates a task', () => {
  async function create() {
    const { session, sent, responses, apart, changed, say } = startSession('legacy');
    const params = { name: 'x', task: {}, _meta: { progressToken: 'p' } };
    const created = session.request('tools/call', params, fakeCall({ wantsProgress: true, caller: { key: 'ada' } }));
    const id = sent[0]?.id;
    const frame = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, result: RAW }));
    // As in one chunk of a pipe.
    responses[0]?.reply([frame], outline(frame));
    say({ method: 'notifications/progress', params: { progressToken: id, progress: 1 } });
    say({ method: 'notifications/tasks/status', params: { taskId: 't', status: 'working' } });
    expect([...apart, ...changed]).toEqual([]);
    await created;
    return { session, apart, changed };
  }

  it('reaches a call that waits for the task from then on', async () => {
    const { session, apart } = await create();
    const waiting = fakeCall({ wantsProgress: true, caller: { key: 'ada' } });
    void session.request('tasks/result', { taskId: 't', _meta: { progressToken: 'p' } }, waiting);
    await vi.waitFor(() => expect(waiting.notifications).toMatchObject([{ params: { progress: 1 } }]));
    expect(apart).toEqual([]);
  });

  it('reaches its creator when nothing waits, after the reply', async () => {
    const { apart, changed } = await create();
    expect([...apart, ...changed]).toEqual([]);
    await vi.waitFor(() => expect(changed).toMatchObject([{ method: 'notifications/tasks/status' }]));
    expect(apart).toMatchObject([[{ params: { progressToken: 'p', progress: 1 } }, 'ada']]);
  });
});
