import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { recorder } from '../testing/uses.ts';
import { type Client, RedisConnection } from './connection.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A client that connects when it is asked to, and ends when it is disconnected, as ioredis does. */
function fakeClient() {
  const client = Object.assign(new EventEmitter(), {
    isCluster: false,
    connect: vi.fn(async () => void client.emit('ready')),
    disconnect: () => void client.emit('end'),
    ping: async () => 'PONG',
  });
  return client;
}

const over = (client: EventEmitter) =>
  new RedisConnection(client as unknown as Client, 'redis:6379', 1_000, recorder());

test('a client that ended by itself, as ioredis does in a failover of Sentinel, connects again', async () => {
  const client = fakeClient();
  const connection = over(client);
  client.emit('ready');
  client.emit('close');
  client.emit('end');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(client.connect).toHaveBeenCalledOnce();
  expect(await connection.run((redis) => redis.ping())).toBe('PONG');
  connection.close();
});

test('a client that cannot connect is asked again', async () => {
  const client = fakeClient();
  const connection = over(client);
  client.connect.mockImplementation(async () => {
    client.emit('end');
    throw new Error('Connection is closed.');
  });
  client.emit('end');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(client.connect.mock.calls.length).toBeGreaterThan(3);
  connection.close();
});

test('a connection that was closed stays closed', async () => {
  const client = fakeClient();
  const connection = over(client);
  client.emit('ready');
  client.emit('end');
  connection.close();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(client.connect).not.toHaveBeenCalled();
});
