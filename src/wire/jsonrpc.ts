/**
 * JSON-RPC 2.0 as MCP uses it: the shapes of messages, and the one test for which a message has.
 * @module
 */

/** MCP forbids `null` ids (2026-07-28 basic, "Requests"). */
export type RequestId = string | number;

export type JsonObject = Record<string, unknown>;

export interface Request {
  jsonrpc: '2.0';
  id: RequestId;
  method: string;
  params?: JsonObject;
}

export interface Notification {
  jsonrpc: '2.0';
  method: string;
  params?: JsonObject;
}

export interface RpcError {
  code: number;
  message: string;
  data?: unknown;
}

export interface ResultResponse {
  jsonrpc: '2.0';
  id: RequestId;
  result: JsonObject;
}

export interface ErrorResponse {
  jsonrpc: '2.0';
  id?: RequestId | null;
  error: RpcError;
}

export type Response = ResultResponse | ErrorResponse;
export type Message = Request | Notification | Response;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Integers that parsing rounds are none: the answer would go out under another id, and its request wait for ever. */
export function isRequestId(value: unknown): value is RequestId {
  if (typeof value !== 'number') return typeof value === 'string';
  return Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value);
}

export type MessageKind = 'request' | 'notification' | 'response' | 'invalid';

/**
 * What a parsed body is. Lenient about what does not matter (extra fields, a missing `jsonrpc` member: some real
 * servers leave it out of notifications) and strict about what does (method, id, result, error).
 */
export function kindOf(message: unknown): MessageKind {
  if (!isObject(message)) return 'invalid';
  if (message.method !== undefined) {
    if (typeof message.method !== 'string') return 'invalid';
    if (message.params !== undefined && !isObject(message.params)) return 'invalid';
    if (message.id === undefined) return 'notification';
    return isRequestId(message.id) ? 'request' : 'invalid';
  }
  if (message.result !== undefined || message.error !== undefined) return 'response';
  return 'invalid';
}

export function request(id: RequestId, method: string, params?: JsonObject): Request {
  return params === undefined ? { jsonrpc: '2.0', id, method } : { jsonrpc: '2.0', id, method, params };
}

export function notification(method: string, params?: JsonObject): Notification {
  return params === undefined ? { jsonrpc: '2.0', method } : { jsonrpc: '2.0', method, params };
}
