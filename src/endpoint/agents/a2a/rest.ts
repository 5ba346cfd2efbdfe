/**
 * HTTP+JSON of A2A 1.0 as JSON-RPC: routes are methods, and errors have a status of HTTP and Google's form.
 * @module
 */
import { isObject, type JsonObject } from '../../../wire/jsonrpc.ts';

/** Undefined: there is nothing at this path. */
export function restRequest(
  method: string,
  path: string,
  query: URLSearchParams,
  body: unknown,
): JsonObject | undefined {
  const params = isObject(body) ? body : {};
  const post = method === 'POST';
  const get = method === 'GET';
  if (post && path === '/message:send') return request('SendMessage', params);
  if (post && path === '/message:stream') return request('SendStreamingMessage', params);
  if (get && path === '/tasks') return request('ListTasks', listParams(query));
  if (path.startsWith('/tasks/') && path.includes('/pushNotificationConfigs'))
    return webhookRequest(method, path, params);
  const [, segment, verb] = /^\/tasks\/([^/:]+)(?::(cancel|subscribe))?$/.exec(path) ?? [];
  const id = decoded(segment);
  if (id === undefined) return undefined;
  const task = { id };
  if (get && verb === undefined) {
    const historyLength = Number(query.get('historyLength') ?? Number.NaN);
    return request('GetTask', Number.isInteger(historyLength) ? { ...task, historyLength } : task);
  }
  if (post && verb === 'cancel') return request('CancelTask', task);
  if ((post || get) && verb === 'subscribe') return request('SubscribeToTask', task);
  return undefined;
}

function webhookRequest(method: string, path: string, config: JsonObject): JsonObject | undefined {
  const [, task, segment] = /^\/tasks\/([^/:]+)\/pushNotificationConfigs(?:\/([^/]+))?$/.exec(path) ?? [];
  const taskId = decoded(task);
  if (taskId === undefined) return undefined;
  if (segment === undefined) {
    if (method === 'POST') return request('CreateTaskPushNotificationConfig', { ...config, taskId });
    return method === 'GET' ? request('ListTaskPushNotificationConfigs', { taskId }) : undefined;
  }
  const id = decoded(segment);
  if (id === undefined) return undefined;
  const one = { taskId, id };
  if (method === 'GET') return request('GetTaskPushNotificationConfig', one);
  return method === 'DELETE' ? request('DeleteTaskPushNotificationConfig', one) : undefined;
}

/** Undefined: a segment that is none of a URL. */
function decoded(segment: string | undefined): string | undefined {
  try {
    return segment && decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

const request = (method: string, params: JsonObject): JsonObject => ({ jsonrpc: '2.0', id: 1, method, params });

function listParams(query: URLSearchParams): JsonObject {
  const params: JsonObject = {};
  for (const name of ['contextId', 'status', 'pageToken', 'statusTimestampAfter']) {
    const value = query.get(name);
    if (value !== null) params[name] = value;
  }
  const pageSize = Number(query.get('pageSize') ?? Number.NaN);
  if (Number.isInteger(pageSize)) params.pageSize = pageSize;
  return params;
}

/** A2A 1.0, section 5.4: what the codes of JSON-RPC are in HTTP. */
const STATUS: Readonly<Record<number, [status: number, name: string]>> = {
  [-32001]: [404, 'NOT_FOUND'],
  [-32002]: [400, 'FAILED_PRECONDITION'],
  [-32003]: [400, 'FAILED_PRECONDITION'],
  [-32004]: [400, 'FAILED_PRECONDITION'],
  [-32005]: [400, 'INVALID_ARGUMENT'],
  [-32009]: [400, 'FAILED_PRECONDITION'],
  [-32602]: [400, 'INVALID_ARGUMENT'],
  [-32600]: [400, 'INVALID_ARGUMENT'],
  [-32601]: [404, 'NOT_FOUND'],
};

export function restError({ code, message, data }: JsonObject): { status: number; body: JsonObject } {
  const [status, name] = (typeof code === 'number' && STATUS[code]) || ([500, 'INTERNAL'] as const);
  return { status, body: { error: { code: status, status: name, message, details: Array.isArray(data) ? data : [] } } };
}
