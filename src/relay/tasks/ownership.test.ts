import { describe, expect, it } from 'vitest';
import type { Reply } from '../../core/upstream.ts';
import type { View } from '../../federation/types.ts';
import type { JsonObject, Notification } from '../../wire/jsonrpc.ts';
import { RELATED_TASK } from '../../wire/tasks.ts';
import { fakeChannel } from '../testing/fakes.ts';
import { CREATE, call, legacy, modern, raw, reply, rpc, server, setup } from '../testing/tasks.ts';
import type { ClientSession } from '../types.ts';

describe('a task of one principal', () => {
  it.each(['legacy', 'modern'] as const)(
    'is not there for another, whose %s server cannot tell them apart',
    async (era) => {
      const methods: string[] = [];
      const created =
        era === 'legacy' ? CREATE : { 'tools/call': { resultType: 'task', taskId: 't', status: 'working' } };
      const one = server('one', era, async (method, params, each) => {
        methods.push(method);
        return reply({ ...created, 'tasks/get': { taskId: 't', status: 'working' }, 'tasks/cancel': {} })(
          method,
          params,
          each,
        );
      });
      const { ask } = setup([one]);
      const who = (principal: string) => (era === 'legacy' ? legacy(`of ${principal}`, principal) : modern(principal));
      await ask(who('ada'), 'tools/call', call);
      for (const method of ['tasks/get', 'tasks/cancel', era === 'legacy' ? 'tasks/result' : 'tasks/update']) {
        const params = { taskId: 'one+t', inputResponses: {} };
        await expect(ask(who('bob'), method, params), method).rejects.toMatchObject({ code: 'SWB_UNKNOWN_TASK' });
      }
      expect(methods).toEqual(['tools/call']);
      expect(await ask(who('ada'), 'tasks/get', { taskId: 'one+t' })).toMatchObject({ taskId: 'one+t' });
    },
  );

  it('belongs to its principal in another session too, and is left to the server once it is forgotten', async () => {
    const one = server('one', 'legacy', reply({ ...CREATE, 'tasks/get': { taskId: 't', status: 'working' } }));
    const { ask } = setup([one]);
    await ask(legacy('s1'), 'tools/call', call);
    expect(await ask(legacy('s2'), 'tasks/get', { taskId: 'one+t' })).toMatchObject({ status: 'working' });
    expect(await ask(legacy('s3', 'bob'), 'tasks/get', { taskId: 'one+other' })).toMatchObject({ status: 'working' });
  });

  it('is reported only to the session that created it, where a server serves all on one session', async () => {
    const one = server('one', 'legacy', reply(CREATE));
    const { relay, view, own, ask, federation } = setup([one]);
    const received = new Map<string, Notification[]>();
    const open = (key: string, where: View, principal = 'ada'): void => {
      received.set(key, []);
      const caller = legacy(key, principal);
      const session: ClientSession = { id: key, view: where, caller, notify: (sent) => received.get(key)?.push(sent) };
      relay.openSession(session);
    };
    open('s1', view);
    open('s2', view);
    open('s3', own('one'));
    open('s4', view, 'bob');
    await ask(legacy('s1'), 'tools/call', call);
    await ask(legacy('s3'), 'tools/call', { name: 'job', task: {} }, fakeChannel(), own('one'));
    const status = { method: 'notifications/tasks/status', params: { taskId: 't', status: 'completed' } };
    federation.announce(one.member, { jsonrpc: '2.0', ...status });
    const message = { level: 'info', data: 'x', _meta: { [RELATED_TASK]: { taskId: 't', more: 1 } } };
    federation.announce(one.member, { jsonrpc: '2.0', method: 'notifications/message', params: message });
    federation.announce(one.member, { jsonrpc: '2.0', method: status.method, params: { taskId: 'unknown' } });
    expect(received.get('s1')).toMatchObject([
      { method: status.method, params: { taskId: 'one+t', status: 'completed' } },
      { params: { data: 'x', _meta: { [RELATED_TASK]: { taskId: 'one+t', more: 1 } } } },
    ]);
    expect(received.get('s3')).toMatchObject([{ params: { taskId: 't' } }, { params: { data: 'x' } }]);
    expect([received.get('s2'), received.get('s4')]).toEqual([[], []]);
  });
});

describe('tasks/list', () => {
  const page = (ids: readonly string[], rest: object = {}) =>
    raw({ tasks: ids.map((taskId) => ({ taskId })), ...rest });

  it('of one server holds what the caller created, of each page of the server', async () => {
    const pages: Record<string, Reply> = {
      first: page(['a', 'theirs', 'b'], { nextCursor: 'second' }),
      second: page(['c'], { x: 1.5 }),
    };
    let next = '';
    const one = server('one', 'legacy', async (method, params) => {
      if (method === 'tools/call') return raw({ task: { taskId: next, status: 'working' } });
      return pages[String(params.cursor ?? 'first')] as Reply;
    });
    const { ask, own } = setup([one]);
    for (const [id, key] of [
      ['a', 's1'],
      ['theirs', 's2'],
      ['b', 's1'],
      ['c', 's2'],
    ] as const) {
      next = id;
      await ask(legacy(key), 'tools/call', { name: 'job', task: {} }, fakeChannel(), own('one'));
    }
    const list = (params: JsonObject) => ask(legacy('s1'), 'tasks/list', params, fakeChannel(), own('one'));
    expect(await list({})).toEqual({ tasks: [{ taskId: 'a' }, { taskId: 'b' }], nextCursor: 'second' });
    expect(await list({ cursor: 'second' })).toEqual({ tasks: [], x: 1.5 });
  });

  it('of all servers leaves out those that do not answer, and reads only those the caller has tasks on', async () => {
    const lists: string[] = [];
    const listing = (name: string, answer: () => Reply) =>
      server(name, 'legacy', async (method) => {
        if (method === 'tools/call') return raw({ task: { taskId: name, status: 'working' } });
        lists.push(name);
        return answer();
      });
    const { ask } = setup([
      listing('one', () => page(['one', 'x'])),
      listing('two', () => {
        throw rpc(-32603, 'broken');
      }),
      listing('three', () => page(['three'])),
      server('four', 'modern', reply({})),
    ]);
    for (const name of ['two', 'one']) await ask(legacy('s1'), 'tools/call', { name: `${name}__job`, task: {} });
    await ask(legacy('s2'), 'tools/call', { name: 'three__job', task: {} });
    expect(await ask(legacy('s1'), 'tasks/list')).toEqual({ tasks: [{ taskId: 'one+one' }] });
    expect(lists.toSorted()).toEqual(['one', 'two']);
  });

  it('of all servers comes in pages whose cursors stay valid while tasks come and go', async () => {
    const ids = Array.from({ length: 230 }, (_, i) => `t${i}`);
    let made = 0;
    const one = server('one', 'legacy', async (method, params) => {
      if (method === 'tools/call') return raw({ task: { taskId: ids[made++], status: 'working' } });
      const from = Number(params.cursor ?? 0);
      return page(ids.slice(from, from + 50), from + 50 < 230 ? { nextCursor: String(from + 50) } : {});
    });
    const { ask } = setup([one]);
    for (const _ of ids) await ask(legacy('s1'), 'tools/call', call);
    const found: unknown[] = [];
    let cursor: unknown;
    do {
      const { tasks, nextCursor } = await ask(legacy('s1'), 'tasks/list', cursor === undefined ? {} : { cursor });
      found.push(...(tasks as { taskId: string }[]).map(({ taskId }) => taskId));
      expect((tasks as unknown[]).length).toBeLessThanOrEqual(100);
      cursor = nextCursor;
    } while (cursor !== undefined);
    expect(found).toEqual(ids.map((id) => `one+${id}`));
    await expect(ask(legacy('s1'), 'tasks/list', { cursor: '7' })).rejects.toMatchObject({ code: 'SWB_STALE_CURSOR' });
    await expect(ask(legacy('s1'), 'tasks/list', { cursor: 7 })).rejects.toMatchObject({ code: 'SWB_INVALID_PARAMS' });
  });
});
