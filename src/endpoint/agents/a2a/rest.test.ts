import { describe, expect, it } from 'vitest';
import { restRequest } from './rest.ts';

const of = (method: string, path: string, body: object = {}) => restRequest(method, path, new URLSearchParams(), body);

describe('HTTP+JSON of A2A as JSON-RPC', () => {
  it.each([
    ['POST', '/tasks/t%2F1/pushNotificationConfigs', 'CreateTaskPushNotificationConfig', { url: 'u', taskId: 't/1' }],
    ['GET', '/tasks/t/pushNotificationConfigs', 'ListTaskPushNotificationConfigs', { taskId: 't' }],
    ['GET', '/tasks/t/pushNotificationConfigs/a%20b', 'GetTaskPushNotificationConfig', { taskId: 't', id: 'a b' }],
    ['DELETE', '/tasks/t/pushNotificationConfigs/w', 'DeleteTaskPushNotificationConfig', { taskId: 't', id: 'w' }],
  ])('%s %s is %s, of the task in the path', (method, path, name, params) => {
    const body = method === 'POST' ? { url: 'u', taskId: 'another' } : {};
    expect(of(method, path, body)).toEqual({ jsonrpc: '2.0', id: 1, method: name, params });
  });

  it.each([
    ['GET', '/tasks/%E0'],
    ['POST', '/tasks/%:cancel'],
    ['GET', '/tasks/%E0/pushNotificationConfigs'],
    ['DELETE', '/tasks/t/pushNotificationConfigs/%'],
    ['PUT', '/tasks/t/pushNotificationConfigs/w'],
    ['DELETE', '/tasks/t/pushNotificationConfigs'],
    ['GET', '/tasks/t/pushNotificationConfigs/w/more'],
  ])('there is nothing at %s %s', (method, path) => {
    expect(of(method, path)).toBeUndefined();
  });
});
