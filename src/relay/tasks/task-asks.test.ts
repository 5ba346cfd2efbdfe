import { describe, expect, it } from 'vitest';
import type { JsonObject, Notification } from '../../wire/jsonrpc.ts';
import { fakeChannel, inbound } from '../testing/fakes.ts';
import { EXTENSION, modern, raw, server, setup } from '../testing/tasks.ts';

const INPUTS = {
  e: { method: 'elicitation/create', params: { message: 'Sure?', requestedSchema: { type: 'object' } } },
  s: { method: 'sampling/createMessage', params: { messages: [], maxTokens: 1 } },
};
const TASK = { taskId: 't', status: 'input_required', inputRequests: INPUTS };

/** A modern server that asks the client that looks at its task, and notes what it was sent. */
function asking() {
  const sent: string[] = [];
  const one = server('one', 'modern', async (method, params, call) => {
    sent.push(method);
    if (method === 'tools/call') return raw({ resultType: 'task', ...TASK });
    if (method === 'tasks/get') return raw({ resultType: 'complete', ...TASK });
    if (method !== 'subscriptions/listen') return raw({ resultType: 'complete' });
    const { notifications } = params;
    call.notify({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { notifications } });
    call.notify({ jsonrpc: '2.0', method: 'notifications/tasks', params: TASK });
    await new Promise((resolve) => call.onAbort(resolve));
    return raw({ resultType: 'complete' });
  });
  return { sent, ...setup([one]) };
}

const ELICIT = { elicitation: {}, ...EXTENSION };

describe('input requests in a modern server’s task', () => {
  it('are shown to a modern client as far as it declared them', async () => {
    const { ask, view, own } = asking();
    for (const [where, taskId] of [
      [view, 'one+t'],
      [own('one'), 't'],
    ] as const) {
      const get = (capabilities: JsonObject) =>
        ask(modern('ada', capabilities), 'tasks/get', { taskId }, fakeChannel(), where);
      expect((await get({ sampling: {}, ...ELICIT })).inputRequests).toEqual(INPUTS);
      expect((await get(ELICIT)).inputRequests).toEqual({ e: INPUTS.e });
      await expect(get(EXTENSION)).rejects.toMatchObject({
        rpcCode: -32021,
        data: { requiredCapabilities: { elicitation: {}, sampling: {} } },
      });
    }
  });

  it('are answered by nobody in place of a client that did not declare them', async () => {
    const { ask, sent } = asking();
    await ask(modern('ada', EXTENSION), 'tasks/get', { taskId: 'one+t' }).catch(() => {});
    expect(sent).toEqual(['tasks/get']);
  });

  it('are in the created task only where they were declared', async () => {
    const { ask } = asking();
    const create = (capabilities: JsonObject) =>
      ask(modern('ada', capabilities), 'tools/call', { name: 'one__job', arguments: {} });
    expect(await create(ELICIT)).toMatchObject({ status: 'input_required', inputRequests: { e: INPUTS.e } });
    const blind = await create(EXTENSION);
    expect(blind).toMatchObject({ resultType: 'task', status: 'working' });
    expect(blind.inputRequests).toBeUndefined();
  });

  it('are in notifications only where they were declared', async () => {
    for (const [capabilities, shown] of [
      [ELICIT, { status: 'input_required', inputRequests: { e: INPUTS.e } }],
      [EXTENSION, { status: 'working' }],
    ] as const) {
      const { relay, view } = asking();
      const heard: Notification[] = [];
      const channel = { ...fakeChannel(), notify: (sent: Notification) => void heard.push(sent) };
      const params = { notifications: { taskIds: ['one+t'] } };
      const listening = relay.handle(
        inbound(view, modern('ada', capabilities), 'subscriptions/listen', params, channel),
      );
      await expect.poll(() => heard.at(-1)?.method).toBe('notifications/tasks');
      const { _meta, taskId, ...task } = heard.at(-1)?.params ?? {};
      expect([taskId, task]).toEqual(['one+t', shown]);
      listening.cancel();
      await listening.result.catch(() => {});
      await relay.close();
    }
  });
});
