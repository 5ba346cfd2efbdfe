import { describe, expect, it } from 'vitest';
import type { Ask } from '../../core/call.ts';
import type { Notification } from '../../wire/jsonrpc.ts';
import { fakeChannel, type RequestHandler } from '../testing/fakes.ts';
import { legacy, raw, server, setup } from '../testing/tasks.ts';

describe('tasks of a client', () => {
  const client = legacy('s1', 'ada', {
    elicitation: {},
    tasks: { list: {}, cancel: {}, requests: { elicitation: { create: {} } } },
  });
  const elicit: Ask = { method: 'elicitation/create', params: { message: 'Name?', task: { ttl: 1 } } };
  const about = (method: Ask['method'], taskId = 'mine'): Ask => ({ method, params: { taskId } });

  it('can be polled by the server whose request they became, and by no other', async () => {
    const put: string[] = [];
    const channel = fakeChannel(async ({ method }) => {
      put.push(method);
      if (method === 'elicitation/create') return { task: { taskId: 'mine', status: 'working' } };
      if (method === 'tasks/list') return { tasks: [{ taskId: 'mine' }, { taskId: 'another’s' }], x: 1 };
      return { taskId: 'mine', status: 'completed' };
    });
    const asks =
      (first: Ask[], outcomes: unknown[]): RequestHandler =>
      async (_method, _params, each) => {
        for (const ask of first) outcomes.push(await each.ask(ask).catch((error: unknown) => error));
        return raw({ content: [] });
      };
    const [seen, other]: unknown[][] = [[], []];
    const own = [elicit, about('tasks/get'), about('tasks/result'), about('tasks/list'), about('tasks/cancel')];
    const { ask, relay, view } = setup([
      server('one', 'legacy', asks(own, seen as unknown[])),
      server('two', 'legacy', asks([about('tasks/get'), about('tasks/list')], other as unknown[])),
    ]);
    await ask(client, 'tools/call', { name: 'one__x' }, channel);
    expect(seen).toMatchObject([
      { task: { taskId: 'mine' } },
      { status: 'completed' },
      { status: 'completed' },
      { tasks: [{ taskId: 'mine' }], x: 1 },
      { status: 'completed' },
    ]);
    put.length = 0;
    await ask(client, 'tools/call', { name: 'two__x' }, channel);
    expect(other).toMatchObject([{ rpcCode: -32602 }, { tasks: [] }]);
    expect(put).toEqual(['tasks/list']);

    const notified: string[] = [];
    for (const name of ['one', 'two']) {
      const member = relay && view.resolve('tools', `${name}__x`)?.member;
      Object.assign(member?.upstream ?? {}, {
        notify: (sent: Notification) => notified.push(`${name} ${sent.method}`),
      });
    }
    const status = { jsonrpc: '2.0' as const, method: 'notifications/tasks/status', params: { taskId: 'mine' } };
    relay.notified(status, client, view);
    relay.notified({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' }, client, view);
    expect(notified).toEqual([
      'one notifications/tasks/status',
      'one notifications/roots/list_changed',
      'two notifications/roots/list_changed',
    ]);
  });

  it('are not requested of clients that make none', async () => {
    const asked: unknown[] = [];
    const channel = fakeChannel(async ({ params }) => {
      asked.push(params);
      return { action: 'accept' };
    });
    const one = server('one', 'legacy', async (_method, _params, each) => {
      await each.ask(elicit);
      return raw({ content: [] });
    });
    await setup([one]).ask(legacy('s1', 'ada', { elicitation: {} }), 'tools/call', { name: 'one__x' }, channel);
    expect(asked).toEqual([{ message: 'Name?' }]);
  });
});
