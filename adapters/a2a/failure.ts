/**
 * Errors of A2A agents as the gateway's own. JSON-RPC errors come with HTTP 200; HTTP+JSON has a status of Google's form
 * (1.0), or a bare code and message (0.3). Texts of servers are made public first: some hold stacks (measured).
 * @module
 */
import { type ErrorCode, SwitchboardError } from '../../src/core/errors.ts';
import { parseText } from '../../src/wire/json/parse.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { WholeReply } from '../shared/origin.ts';
import { publicMessage } from '../shared/sanitize.ts';
import { statusFailure } from '../shared/status.ts';

/** A2A 1.0, 9.5, and JSON-RPC's own. */
const TASK_NOT_FOUND = -32001;
const INVALID: readonly number[] = [-32602, -32002, -32004, -32005];
const BROKEN: readonly number[] = [-32700, -32600, -32601, -32009];

/** The names of the same errors in `google.rpc.ErrorInfo`, which HTTP+JSON has in place of codes. */
const CODE_OF_REASON: Readonly<Record<string, number>> = {
  TASK_NOT_FOUND: -32001,
  TASK_NOT_CANCELABLE: -32002,
  UNSUPPORTED_OPERATION: -32004,
  CONTENT_TYPE_NOT_SUPPORTED: -32005,
  VERSION_NOT_SUPPORTED: -32009,
};

/** The error of a JSON-RPC response, or of the body of an HTTP+JSON one. */
export function rpcFailure(name: string, error: JsonObject): SwitchboardError {
  const code = codeOf(error);
  const says = typeof error.message === 'string' ? publicMessage(error.message) : 'no reason given';
  const data = code === undefined ? {} : { code };
  const fail = (as: ErrorCode, message: string): SwitchboardError =>
    new SwitchboardError(as, message, { data: { a2a: data } });
  if (code === TASK_NOT_FOUND) {
    return fail('SWB_INVALID_PARAMS', `The agent of server '${name}' has no such task, or it is over: ${says}`);
  }
  if (code === -32009) {
    return fail('SWB_UPSTREAM_PROTOCOL', `Server '${name}' does not speak the A2A version its card names: ${says}`);
  }
  if (code !== undefined && INVALID.includes(code)) {
    return fail('SWB_INVALID_PARAMS', `The agent of server '${name}' refused the request: ${says}`);
  }
  if (code !== undefined && BROKEN.includes(code)) {
    return fail('SWB_UPSTREAM_PROTOCOL', `The agent of server '${name}' does not understand its own protocol: ${says}`);
  }
  return fail('SWB_AGENT_FAILED', `The agent of server '${name}' failed: ${says}`);
}

/** Whether the agent says that it knows no such task. */
export const isTaskNotFound = (error: unknown): boolean =>
  error instanceof SwitchboardError && isObject(error.data.a2a) && error.data.a2a.code === TASK_NOT_FOUND;

function codeOf({ code, details, data }: JsonObject): number | undefined {
  for (const detail of [details, data].flat()) {
    const known = isObject(detail) && typeof detail.reason === 'string' ? CODE_OF_REASON[detail.reason] : undefined;
    if (known !== undefined) return known;
  }
  if (typeof code !== 'number') return undefined;
  if (code === 400) return -32602;
  return code;
}

/** The error for an HTTP status that is no success. */
export function httpFailure(name: string, reply: WholeReply): SwitchboardError {
  const { status } = reply;
  const said = bodyOf(reply);
  if (isObject(said)) {
    const error = isObject(said.error) ? said.error : said;
    // 0.3 puts codes of JSON-RPC into bodies of any status.
    const coded = typeof error.code === 'number' && error.code < 0;
    const plain = typeof error.message === 'string' && status >= 400 && status < 500 && status !== 429;
    const about = status !== 401 && status !== 403 && (coded || plain);
    if (about) return rpcFailure(name, { code: status, ...error });
  }
  return statusFailure(name, reply, isObject(said) ? textOf(isObject(said.error) ? said.error : said) : undefined);
}

const textOf = ({ message }: JsonObject): string | undefined =>
  typeof message === 'string' ? publicMessage(message) : undefined;

function bodyOf({ body }: WholeReply): unknown {
  try {
    return parseText(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

export const notA2a = (name: string): SwitchboardError =>
  new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' does not answer like an A2A agent.`);
