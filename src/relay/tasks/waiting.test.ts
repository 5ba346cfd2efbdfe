import { describe, expect, it, vi } from 'vitest';
import type { Ask, Call } from '../../core/call.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { RELATED_TASK } from '../../wire/tasks.ts';
import { inbound, type RequestHandler } from '../testing/fakes.ts';
import { CREATE, call, EXTENSION, legacy, modern, raw, reply, server, setup } from '../testing/tasks.ts';
import type { AwaitLimits } from './awaited-tasks.ts';

describe('waiting for the result of a task', () => {
  it('is bounded in time by the server’s ceiling, and the task runs on', async () => {
    const methods: string[] = [];
    const hanging: RequestHandler = (method, _params, each) => {
      methods.push(method);
      if (method === 'tools/call') return Promise.resolve(raw(CREATE['tools/call']));
      return new Promise((_, reject) => each.onAbort(reject));
    };
    const { ask } = setup([server('one', 'legacy', hanging, { timeoutMs: 20, maxTimeoutMs: 60 })]);
    await ask(legacy('s1'), 'tools/call', call);
    const startedAt = performance.now();
    await expect(ask(legacy('s1'), 'tasks/result', { taskId: 'one+t' })).rejects.toMatchObject({
      code: 'SWB_CALL_TIMEOUT',
    });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(55);
    expect(methods).toEqual(['tools/call', 'tasks/result']);
  });

  it('is bounded in number, per caller', async () => {
    const open: Call[] = [];
    const one = server('one', 'legacy', (_method, _params, each) => {
      open.push(each);
      return new Promise((_, reject) => each.onAbort(reject));
    });
    const { relay, view, ask } = setup([one]);
    const wait = (key: string) => relay.handle(inbound(view, legacy(key), 'tasks/result', { taskId: 'one+t' }));
    const waiting = Array.from({ length: 100 }, () => wait('s1'));
    await expect(ask(legacy('s1'), 'tasks/result', { taskId: 'one+t' })).rejects.toMatchObject({
      code: 'SWB_QUEUE_FULL',
      retryAfterMs: 1_000,
    });
    const other = wait('s2');
    await vi.waitFor(() => expect(open).toHaveLength(101));
    for (const each of [...waiting, other]) each.cancel();
    await Promise.allSettled([...waiting, other].map(({ result: answer }) => answer));
    const again = wait('s1');
    await vi.waitFor(() => expect(open).toHaveLength(102));
    again.cancel();
    await expect(again.result).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
  });

  it('is open to every principal while another one, in many sessions, waits for as many as there may be', async () => {
    let open = 0;
    const one = server('one', 'legacy', (_method, _params, each) => {
      open++;
      return new Promise((_, reject) => each.onAbort(reject));
    });
    const { relay, view, ask } = setup([one]);
    const wait = (key: string, principal: string) =>
      relay.handle(inbound(view, { ...legacy(key), principal }, 'tasks/result', { taskId: 'one+t' }));
    const waiting = Array.from({ length: 1_000 }, (_, i) => wait(`s${i % 20}`, 'greedy'));
    await vi.waitFor(() => expect(open).toBe(1_000));
    const more = { ...legacy('another'), principal: 'greedy' };
    await expect(ask(more, 'tasks/result', { taskId: 'one+t' })).rejects.toMatchObject({ code: 'SWB_QUEUE_FULL' });
    waiting.push(...Array.from({ length: 9 }, (_, i) => wait(`other ${i}`, `other ${i}`)));
    await vi.waitFor(() => expect(open).toBe(1_009));
    for (const each of waiting) each.cancel();
    await Promise.allSettled(waiting.map(({ result }) => result));
  });
});

describe('input requests about a modern client’s task on a legacy server', () => {
  const LIMITS: AwaitLimits = { maxAwaited: 3, maxAwaitedPerPrincipal: 2, ttlMs: 60_000, firstMs: 20_000 };
  const ELICIT = { ...EXTENSION, elicitation: {} };
  const question = (related: string): Ask => ({
    method: 'elicitation/create',
    params: { message: 'Sure?', _meta: { [RELATED_TASK]: { taskId: related }, own: 1 } },
  });

  /** Asks as soon as the gateway waits for the result, which then is the response. */
  function asking(limits = LIMITS, make = question) {
    const answers: unknown[] = [];
    let status = 'input_required';
    const one = server('one', 'legacy', async (method, params, each) => {
      if (method === 'tasks/get') return raw({ taskId: params.taskId, status });
      if (method !== 'tasks/result') return reply(CREATE)(method, params, each);
      if (status === 'completed') return raw({ content: [], said: answers.at(-1) });
      const answer = await each.ask(make(String(params.taskId))).catch((error: Error) => error.message);
      answers.push(answer);
      status = 'completed';
      return raw({ content: [] });
    });
    return { ...setup([one], limits), answers };
  }

  it('stand in the task until they are answered, without the tie to it', async () => {
    const { ask, answers } = asking();
    const ada = modern('ada', ELICIT);
    const first = await ask(ada, 'tasks/get', { taskId: 'one+t' });
    const [key] = Object.keys(first.inputRequests as JsonObject) as [string];
    expect(first).toMatchObject({
      status: 'input_required',
      inputRequests: { [key]: { method: 'elicitation/create', params: { message: 'Sure?', _meta: { own: 1 } } } },
    });
    expect(await ask(ada, 'tasks/get', { taskId: 'one+t' })).toEqual(first);
    expect(JSON.stringify(first)).not.toContain(RELATED_TASK);
    const update = { taskId: 'one+t', inputResponses: { [key]: { action: 'accept' }, other: { action: 'decline' } } };
    expect(await ask(ada, 'tasks/update', update)).toMatchObject({ resultType: 'complete' });
    await vi.waitFor(() => expect(answers).toEqual([{ action: 'accept' }]));
    expect(await ask(ada, 'tasks/update', update)).toMatchObject({ resultType: 'complete' });
    expect(await ask(ada, 'tasks/get', { taskId: 'one+t' })).toMatchObject({
      status: 'completed',
      result: { said: { action: 'accept' } },
    });
  });

  it('are not shown to a client that did not declare them, and the server goes on without', async () => {
    const { ask, answers } = asking();
    const blind = modern('ada', EXTENSION);
    expect(await ask(blind, 'tasks/get', { taskId: 'one+t' })).toMatchObject({ status: 'working' });
    expect(answers).toEqual([expect.stringContaining('does not support form elicitation')]);
    expect(await ask(blind, 'tasks/get', { taskId: 'one+t' })).toMatchObject({ status: 'completed' });
  });

  it('are declined when their client does not come back', async () => {
    const { ask, answers } = asking({ ...LIMITS, ttlMs: 50 });
    await ask(modern('ada', ELICIT), 'tasks/get', { taskId: 'one+t' });
    await vi.waitFor(() => expect(answers).toEqual(['Nobody answered the questions of this task in time.']));
  });

  it('are bounded in number of tasks, for each principal and in all, and no principal is refused for what another holds', async () => {
    const { ask } = asking();
    const get = (principal: string, id: string) => ask(modern(principal, ELICIT), 'tasks/get', { taskId: `one+${id}` });
    await Promise.all([get('ada', '1'), get('ada', '2')]);
    await expect(get('ada', '3')).rejects.toMatchObject({ code: 'SWB_QUEUE_FULL' });
    await get('bob', '4');
    await get('eve', '5');
    await expect(get('bob', '6')).rejects.toMatchObject({ code: 'SWB_QUEUE_FULL' });
    await expect(get('eve', '7')).rejects.toMatchObject({ code: 'SWB_QUEUE_FULL' });
    expect(await get('ada', '1')).toMatchObject({ status: 'input_required' });
  });

  it('end with the gateway', async () => {
    const { ask, relay, answers } = asking();
    await ask(modern('ada', ELICIT), 'tasks/get', { taskId: 'one+t' });
    await relay.close();
    await vi.waitFor(() => expect(answers).toEqual(['The gateway is shutting down.']));
  });
});
