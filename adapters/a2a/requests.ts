/**
 * What is sent to an A2A agent, in the form of its interface: the names of methods or routes, and messages.
 * @module
 */
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { AgentInterface } from './card.ts';
import type { Part } from './messages.ts';

export interface OutgoingMessage {
  messageId: string;
  contextId: string | undefined;
  taskId: string | undefined;
  parts: Part[];
  metadata: JsonObject | undefined;
}

/** One request, whatever the binding. */
export interface A2aRequest {
  /** Of HTTP+JSON. */
  http: { method: 'GET' | 'POST'; path: string };
  /** Of JSON-RPC. */
  method: string;
  /** Of JSON-RPC; the body of HTTP+JSON where it posts. */
  params: JsonObject;
}

/**
 * `streamed`: its reply is a stream of events. Otherwise a message that starts a task returns at once, with the task to be
 * followed (and cancelled: its id is not known before); one for a known task returns when that is over or waits again.
 */
export function sendMessage(to: AgentInterface, message: OutgoingMessage, streamed: boolean): A2aRequest {
  const path = streamed ? '/message:stream' : '/message:send';
  if (to.version === '1.0') {
    return {
      http: { method: 'POST', path: routed(to, path) },
      method: streamed ? 'SendStreamingMessage' : 'SendMessage',
      params: withTenant(to, {
        message: {
          ...idsOf(message),
          role: 'ROLE_USER',
          parts: message.parts.map(partOf),
        },
        configuration: {
          acceptedOutputModes: [],
          ...(streamed ? {} : { returnImmediately: message.taskId === undefined }),
        },
      }),
    };
  }
  const configuration = { acceptedOutputModes: [], ...(streamed ? {} : { blocking: message.taskId !== undefined }) };
  const form: JsonObject =
    to.binding === 'JSONRPC'
      ? { message: { kind: 'message', ...idsOf(message), role: 'user', parts: message.parts.map(taggedPartOf) } }
      : { message: { ...idsOf(message), role: 'ROLE_USER', content: message.parts.map(earlyPartOf) } };
  return {
    http: { method: 'POST', path: routed(to, path) },
    method: streamed ? 'message/stream' : 'message/send',
    params: { ...form, configuration },
  };
}

export function getTask(to: AgentInterface, id: string): A2aRequest {
  return {
    http: { method: 'GET', path: routed(to, `/tasks/${encodeURIComponent(id)}`) },
    method: to.version === '1.0' ? 'GetTask' : 'tasks/get',
    params: withTenant(to, { id }),
  };
}

export function cancelTask(to: AgentInterface, id: string): A2aRequest {
  return {
    http: { method: 'POST', path: routed(to, `/tasks/${encodeURIComponent(id)}:cancel`) },
    method: to.version === '1.0' ? 'CancelTask' : 'tasks/cancel',
    params: withTenant(to, { id }),
  };
}

/** Takes up the events of a task again, after a stream was lost. */
export function subscribeToTask(to: AgentInterface, id: string): A2aRequest {
  return {
    // 1.0 takes both methods; GET is what 0.3 has.
    http: { method: 'GET', path: routed(to, `/tasks/${encodeURIComponent(id)}:subscribe`) },
    method: to.version === '1.0' ? 'SubscribeToTask' : 'tasks/resubscribe',
    params: withTenant(to, { id }),
  };
}

const routed = ({ version, tenant }: AgentInterface, path: string): string => {
  if (version === '0.3') return `/v1${path}`;
  return tenant === undefined ? path : `/${encodeURIComponent(tenant)}${path}`;
};

const withTenant = ({ tenant, version }: AgentInterface, params: JsonObject): JsonObject =>
  tenant === undefined || version !== '1.0' ? params : { tenant, ...params };

function idsOf({ messageId, contextId, taskId, metadata }: OutgoingMessage): JsonObject {
  return {
    messageId,
    ...(contextId === undefined ? {} : { contextId }),
    ...(taskId === undefined ? {} : { taskId }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** A part of 1.0. */
function partOf(part: Part): JsonObject {
  if ('text' in part) return { text: part.text };
  if ('bytes' in part) return { raw: part.bytes, ...describedAs('mediaType', 'filename', part) };
  if ('url' in part) return { url: part.url, ...describedAs('mediaType', 'filename', part) };
  return { data: part.data };
}

/** A part of 0.3 over JSON-RPC. */
function taggedPartOf(part: Part): JsonObject {
  if ('text' in part) return { kind: 'text', text: part.text };
  if ('bytes' in part) return { kind: 'file', file: { bytes: part.bytes, ...describedAs('mimeType', 'name', part) } };
  if ('url' in part) return { kind: 'file', file: { uri: part.url, ...describedAs('mimeType', 'name', part) } };
  return { kind: 'data', data: objectOf(part.data) };
}

/** A part of 0.3 over HTTP+JSON. */
function earlyPartOf(part: Part): JsonObject {
  if ('text' in part) return { text: part.text };
  if ('bytes' in part) return { file: { fileWithBytes: part.bytes, ...describedAs('mimeType', 'name', part) } };
  if ('url' in part) return { file: { fileWithUri: part.url, ...describedAs('mimeType', 'name', part) } };
  return { data: { data: objectOf(part.data) } };
}

/** Data of 0.3 is an object. */
const objectOf = (data: unknown): JsonObject => (isObject(data) ? data : { value: data });

function describedAs(
  type: string,
  name: string,
  part: { mimeType: string | undefined; name: string | undefined },
): JsonObject {
  return {
    ...(part.mimeType === undefined ? {} : { [type]: part.mimeType }),
    ...(part.name === undefined ? {} : { [name]: part.name }),
  };
}
