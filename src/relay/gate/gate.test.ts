import { afterEach, expect, it, vi } from 'vitest';
import { subscribe } from '../../observe/events.ts';
import { parseText } from '../../wire/json/parse.ts';
import { keepSource } from '../../wire/json/source.ts';
import type { Notification } from '../../wire/jsonrpc.ts';
import { type Policed, policed, policyConfig, tool } from './testing/policed.ts';

let made: Policed | undefined;
afterEach(async () => {
  await made?.close();
  made = undefined;
});

it('the gate answers for a hidden method as for an unknown one, under the name the client used', async () => {
  const { defaultPolicy } = policyConfig();
  made = await policed(
    { one: { tools: [tool('a')] } },
    policyConfig({ gateway: { ...defaultPolicy, id: 'gateway', default: 'allow', hide: ['one__x/secret'] } }),
  );
  const { request } = made;
  expect(await request('local', 'modern', 'x/other', {}, 'one')).toBeDefined();
  const codeAndText = async (server: string | undefined) =>
    request('local', 'modern', 'x/secret', {}, server).catch(({ code, message }) => ({ code, message }));
  expect(await codeAndText('one')).toEqual({ code: 'SWB_METHOD_NOT_FOUND', message: "Method not found: 'x/secret'." });
  expect(await codeAndText('one')).toEqual(await codeAndText(undefined));
});

it('a notification that names a member twice is dropped: it leaves as it was spelled, and policy judged one of the two', async () => {
  const { defaultPolicy } = policyConfig();
  made = await policed(
    { one: { tools: [tool('a')] } },
    policyConfig({ gateway: { ...defaultPolicy, id: 'gateway', default: 'allow' } }),
  );
  const sent = (params: string): Notification => {
    const text = `{"jsonrpc":"2.0","method":"notifications/x","params":${params}}`;
    const parsed = parseText(text);
    keepSource(parsed, text);
    return parsed as Notification;
  };
  expect(await made.allowsNotification('local', 'one', sent('{"to":{"path":1}}'))).toBe(true);
  expect(await made.allowsNotification('local', 'one', sent('{"to":{"path":1,"pat\\u0068":2}}'))).toBe(false);
});

it('the gate records a hidden name after its caller has the answer, and asks policy as often for a missing one', async () => {
  const { defaultPolicy } = policyConfig();
  made = await policed(
    { one: { tools: [tool('a'), tool('hidden')] } },
    policyConfig({ gateway: { ...defaultPolicy, id: 'gateway', default: 'allow', hide: ['one__hidden'] } }),
  );
  const recorded: string[] = [];
  const stop = subscribe('concluded', ({ name }) => recorded.push(name));
  const plans = vi.spyOn(made.policy, 'planFor');
  try {
    const asked: number[] = [];
    for (const name of ['one__hidden', 'one__missing']) {
      plans.mockClear();
      await made.request('local', 'modern', 'tools/call', { name, arguments: {} }).catch(() => {});
      asked.push(plans.mock.calls.length);
      expect(recorded).toEqual([]);
    }
    expect(asked[0]).toBe(asked[1]);
    await expect.poll(() => recorded).toEqual(['hidden']);
    await made.request('local', 'modern', 'tools/call', { name: 'one__hidden', arguments: {} }).catch(() => {});
    // What waits to be recorded is recorded when the gateway ends.
    await made.close();
    expect(recorded).toEqual(['hidden', 'hidden']);
  } finally {
    stop();
  }
});
