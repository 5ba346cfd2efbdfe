import { randomBytes } from 'node:crypto';
import type { SendMessageRequest, Task, TaskPushNotificationConfig } from '@a2a-js/sdk';
import { DefaultExecutionEventBusManager, InMemoryTaskStore, ServerCallContext } from '@a2a-js/sdk/server';
import { afterEach, expect, it, vi } from 'vitest';
import { recordingLog } from '../../../../../adapters/testing/context.ts';
import { VaultKeys } from '../../../../auth/upstream/vault-keys.ts';
import { LOCAL_IDENTITY } from '../../../../core/identity.ts';
import { memoryState } from '../../../../state/memory/memory-state.ts';
import { STATE } from '../events.ts';
import { loadSdk } from '../sdk.ts';
import { checkWebhooksFirst, handlerParts } from './messages.ts';
import { WebhookStore } from './store.ts';

const ORIGIN = 'https://hooks.example';

afterEach(() => vi.restoreAllMocks());

const context = () =>
  new ServerCallContext({
    user: { isAuthenticated: true, userName: 'local', identity: LOCAL_IDENTITY, sends: true } as never,
    requestedVersion: '1.0',
  });

const hook = (url: string): TaskPushNotificationConfig => ({
  ...{ tenant: '', id: '', taskId: '', url, token: '', authentication: undefined },
});

const sending = (url: string, taskId = '', contextId = ''): SendMessageRequest =>
  ({
    tenant: '',
    message: { messageId: 'm', role: 1, taskId, contextId, parts: [], extensions: [], referenceTaskIds: [] },
    configuration: { acceptedOutputModes: [], returnImmediately: true, taskPushNotificationConfig: hook(url) },
  }) as unknown as SendMessageRequest;

async function served() {
  const sdk = await loadSdk();
  const { kv } = memoryState(recordingLog());
  const webhooks = new WebhookStore({
    ...{ kv, keys: new VaultKeys([randomBytes(32)]), origins: new Set([ORIGIN]), replica: 'here', keepMs: 60_000 },
    log: recordingLog(),
    refuse: async (message) => {
      throw new sdk.RequestMalformedError(message);
    },
    admit: async () => {},
    onSaved() {},
    onDeleted() {},
  });
  const made = vi.spyOn(DefaultExecutionEventBusManager.prototype, 'createOrGetByTaskId');
  const { buses, store } = handlerParts(sdk, webhooks);
  const tasks = new InMemoryTaskStore();
  const executor = { execute: vi.fn(async () => {}), cancelTask: async () => {} };
  const card = { capabilities: { streaming: true, pushNotifications: true } };
  const handler = new sdk.DefaultRequestHandler(card as never, tasks, executor, buses, store);
  checkWebhooksFirst(handler, webhooks);
  return { kv, webhooks, handler, tasks, executor, buses, made };
}

it('a message whose webhook is refused makes no bus of its stream', async () => {
  const { handler, made, executor } = await served();
  const stream = handler.sendMessageStream(sending('https://attacker.example/'), context());
  await expect(stream.next()).rejects.toThrow(/origin/);
  expect(made).not.toHaveBeenCalled();
  expect(executor.execute).not.toHaveBeenCalled();
});

it('a message with one webhook too many is refused before anything is done with it', async () => {
  const { handler, made, webhooks } = await served();
  for (let each = 0; each < 64; each++) await webhooks.save(`t${each}`, context(), hook(`${ORIGIN}/${each}`));
  await expect(handler.sendMessageStream(sending(`${ORIGIN}/x`), context()).next()).rejects.toThrow(/64 webhooks/);
  await expect(handler.sendMessage(sending(`${ORIGIN}/x`), context())).rejects.toThrow(/64 webhooks/);
  expect(made).not.toHaveBeenCalled();
});

it('the bus of a stream is gone where its webhook cannot be saved, and that of another message stays', async () => {
  const { handler, made, kv, buses, tasks } = await served();
  vi.spyOn(kv, 'set').mockRejectedValue(new Error('The state is away.'));
  const own = context();
  await expect(handler.sendMessageStream(sending(`${ORIGIN}/x`), own).next()).rejects.toThrow(/away/);
  const [id] = made.mock.calls[0] as [string];
  expect(made).toHaveBeenCalledTimes(1);
  expect(buses.getByTaskId(id, own)).toBeUndefined();
  const status = { state: STATE.INPUT_REQUIRED, message: undefined, timestamp: undefined };
  await tasks.save({ id: 't', contextId: 'c', status, artifacts: [], history: [], metadata: {} } as Task, own);
  const other = buses.createOrGetByTaskId('t', context());
  await expect(handler.sendMessageStream(sending(`${ORIGIN}/x`, 't', 'c'), own).next()).rejects.toThrow(/away/);
  expect(buses.getByTaskId('t', own)).toBe(other);
});

it('the bus of a stream stays where another message has it too by the time that its webhook cannot be saved', async () => {
  const { handler, made, kv, buses } = await served();
  let other: unknown;
  vi.spyOn(kv, 'set').mockImplementation(async () => {
    other = buses.createOrGetByTaskId((made.mock.calls[0] as [string])[0], context());
    throw new Error('The state is away.');
  });
  const own = context();
  await expect(handler.sendMessageStream(sending(`${ORIGIN}/x`), own).next()).rejects.toThrow(/away/);
  expect(other).toBeDefined();
  expect(buses.getByTaskId((made.mock.calls[0] as [string])[0], own)).toBe(other);
});

it('a message whose webhook is refused does not stand in the history of the task that waits', async () => {
  const { handler, tasks } = await served();
  const own = context();
  const status = { state: STATE.INPUT_REQUIRED, message: undefined, timestamp: undefined };
  await tasks.save({ id: 't', contextId: 'c', status, artifacts: [], history: [], metadata: {} } as Task, own);
  const refused = sending('https://attacker.example/', 't', 'c');
  await expect(handler.sendMessage(refused, own)).rejects.toThrow(/origin/);
  await expect(handler.sendMessageStream(refused, own).next()).rejects.toThrow(/origin/);
  expect((await tasks.load('t', own))?.history).toEqual([]);
});
