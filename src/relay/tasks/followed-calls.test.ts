import { describe, expect, it, vi } from 'vitest';
import { fakeCaller, inbound } from '../testing/fakes.ts';
import { CREATE, EXTENSION, modern, raw, reply, rpc, server, setup } from '../testing/tasks.ts';

describe('a call that is followed', () => {
  const NEEDS = rpc(-32021, 'Missing', { requiredCapabilities: EXTENSION });
  const old = fakeCaller('legacy', { key: 's1', sessionId: 's1' });

  it('is sent a second time, as by a client with tasks, only where the server refused it without them', async () => {
    const seen: [string, boolean][] = [];
    const one = server('one', 'modern', async (method, _params, { caller }) => {
      const has = 'extensions' in caller.capabilities;
      seen.push([method, has]);
      if (!has) throw NEEDS;
      return method === 'tools/call'
        ? raw({ resultType: 'task', taskId: 't', status: 'completed', pollIntervalMs: 50 })
        : raw({ resultType: 'complete', taskId: 't', status: 'completed', result: { content: [], n: 1.5 } });
    });
    const { ask } = setup([one]);
    expect(await ask(old, 'tools/call', { name: 'one__x' })).toEqual({ content: [], n: 1.5 });
    expect(seen).toEqual([
      ['tools/call', false],
      ['tools/call', true],
      ['tasks/get', true],
    ]);
  });

  it('is any call of a legacy tool that must be a task, of a client that could not come back for it', async () => {
    const methods: string[] = [];
    const one = server('one', 'legacy', async (method, params, each) => {
      methods.push(method);
      return reply({ ...CREATE, 'tasks/result': { content: [] } })(method, params, each);
    });
    const { ask } = setup([one]);
    const callers = [
      fakeCaller('legacy', { sessionId: undefined }),
      fakeCaller('legacy', { protocolVersion: '2025-06-18' }),
      fakeCaller('legacy'),
    ];
    for (const caller of callers) await ask(caller, 'tools/call', { name: 'one__x' });
    // The last one could: what it gets is the server’s to say.
    expect(methods).toEqual(['tools/call', 'tasks/result', 'tools/call', 'tasks/result', 'tools/call']);
  });

  it.each([
    ['another error', rpc(-32603, 'broken')],
    ['another capability', rpc(-32021, 'Missing', { requiredCapabilities: { other: {} } })],
    ['an error without data', rpc(-32021, 'Missing')],
  ])('is not sent again for %s', async (_, error) => {
    let calls = 0;
    const one = server('one', 'modern', async () => {
      calls++;
      throw error;
    });
    await expect(setup([one]).ask(old, 'tools/call', { name: 'one__x' })).rejects.toBe(error);
    expect(calls).toBe(1);
  });

  it('is given up when its task takes too long, and the task is cancelled', async () => {
    const methods: string[] = [];
    const one = server(
      'one',
      'modern',
      async (method) => {
        methods.push(method);
        const task = { taskId: 't', status: 'working', pollIntervalMs: 50 };
        return raw(method === 'tools/call' ? { resultType: 'task', ...task } : { resultType: 'complete', ...task });
      },
      { maxTimeoutMs: 120 },
    );
    await expect(setup([one]).ask(old, 'tools/call', { name: 'one__x' })).rejects.toMatchObject({
      code: 'SWB_CALL_TIMEOUT',
    });
    await vi.waitFor(() => expect(methods.at(-1)).toBe('tasks/cancel'));
    expect(methods.filter((method) => method === 'tools/call')).toHaveLength(1);
  });

  it('ends with an error when its server cancels the task, or ends it without a result', async () => {
    for (const [status, code] of [
      ['cancelled', 'SWB_CANCELLED'],
      ['completed', 'SWB_UPSTREAM_PROTOCOL'],
    ]) {
      const one = server('one', 'modern', async (method) =>
        raw({ resultType: method === 'tools/call' ? 'task' : 'complete', taskId: 't', status }),
      );
      await expect(setup([one]).ask(old, 'tools/call', { name: 'one__x' }), status).rejects.toMatchObject({ code });
    }
  });

  it('has its task cancelled when its client gives up, on a legacy server too', async () => {
    const methods: string[] = [];
    const one = server('one', 'legacy', (method, _params, each) => {
      methods.push(method);
      if (method !== 'tasks/result') return reply({ ...CREATE, 'tasks/cancel': {} })(method, {}, each);
      return new Promise((_, reject) => each.onAbort(reject));
    });
    const { relay, view } = setup([one]);
    const running = relay.handle(inbound(view, modern('ada', {}), 'tools/call', { name: 'one__x' }));
    await vi.waitFor(() => expect(methods).toContain('tasks/result'));
    running.cancel();
    await expect(running.result).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
    await vi.waitFor(() => expect(methods).toEqual(['tools/call', 'tasks/result', 'tasks/cancel']));
  });
});
