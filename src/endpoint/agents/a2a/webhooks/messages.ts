/**
 * Webhooks that come with messages, where the SDK's request handler would save them too late: after it has kept the message of a task
 * that waits, and made a bus for a stream that it then leaves behind.
 * @module
 */
import type { DefaultRequestHandler, PushNotificationStore, ServerCallContext } from '@a2a-js/sdk/server';
import type { Sdk } from '../sdk.ts';
import type { WebhookStore } from './store.ts';

/** What a handler of the SDK takes. */
export interface HandlerParts {
  buses: InstanceType<Sdk['DefaultExecutionEventBusManager']>;
  store: PushNotificationStore | undefined;
}

/** A bus that was made for a message goes again where its webhook cannot be saved. */
export function handlerParts(sdk: Sdk, store: WebhookStore | undefined): HandlerParts {
  const buses = new sdk.DefaultExecutionEventBusManager();
  if (!store) return { buses, store };
  /** The message that a bus was made for, while no other one has it. */
  const owners = new WeakMap<object, ServerCallContext>();
  const create = buses.createOrGetByTaskId.bind(buses);
  buses.createOrGetByTaskId = (task, context) => {
    const isNew = buses.getByTaskId(task, context) === undefined;
    const bus = create(task, context);
    if (isNew && context) owners.set(bus, context);
    else if (owners.get(bus) !== context) owners.delete(bus);
    return bus;
  };
  const save: WebhookStore['save'] = async (task, context, config) => {
    try {
      await store.save(task, context, config);
    } catch (error) {
      const bus = buses.getByTaskId(task, context);
      // Another message's bus is not this one's to take away.
      if (bus && owners.get(bus) === context) buses.cleanupByTaskId(task, context);
      throw error;
    }
  };
  return { buses, store: { save, load: store.load.bind(store), delete: store.delete.bind(store) } };
}

/** Nothing is done with a message whose webhook is refused. */
export function checkWebhooksFirst(handler: DefaultRequestHandler, store: WebhookStore): void {
  type Sent = Parameters<DefaultRequestHandler['sendMessage']>[0];
  const check = async ({ message, configuration }: Sent, context: ServerCallContext): Promise<void> => {
    const config = configuration?.taskPushNotificationConfig;
    if (config) await store.check(message?.taskId ?? '', context, config);
  };
  const send = handler.sendMessage.bind(handler);
  const stream = handler.sendMessageStream.bind(handler);
  handler.sendMessage = async (request, context) => {
    await check(request, context);
    return send(request, context);
  };
  handler.sendMessageStream = async function* (request, context) {
    await check(request, context);
    yield* stream(request, context);
  };
}
