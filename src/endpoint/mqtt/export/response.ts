/**
 * What became of a call, in the words of the tool topics: a result, or an error of one of five types.
 * @module
 */
import { SwitchboardError, toRpcError, UpstreamError } from '../../../core/errors.ts';
import { shorten } from '../../../core/text.ts';
import type { CallResult } from '../../../relay/types.ts';
import { member } from '../../../wire/json/scan.ts';
import { isObject, type JsonObject } from '../../../wire/jsonrpc.ts';
import type { CallError, CallErrorType } from '../../../wire/mqtt/tool-topics.ts';

const MAX_MESSAGE = 8_192;

/** What is in the denial of a tool, for programs (`policy/denied.ts`). */
const DENIAL_META = 'switchboard/denial';

const TYPES: Readonly<Record<string, CallErrorType>> = {
  SWB_INVALID_PARAMS: 'invalid_arguments',
  SWB_ARGUMENTS_INVALID: 'invalid_arguments',
  SWB_DUPLICATE_KEY: 'invalid_arguments',
  SWB_BODY_TOO_LARGE: 'invalid_arguments',
  SWB_PARSE: 'invalid_arguments',
  SWB_DENIED: 'unauthorized',
  SWB_UNAUTHENTICATED: 'unauthorized',
  SWB_FORBIDDEN: 'unauthorized',
  SWB_APPROVAL_PENDING: 'unauthorized',
  SWB_APPROVAL_DENIED: 'unauthorized',
  SWB_UPSTREAM_AUTH: 'unauthorized',
  SWB_CALL_TIMEOUT: 'timeout',
  SWB_CANCELLED: 'timeout',
  SWB_QUEUE_TIMEOUT: 'unavailable',
  SWB_QUEUE_FULL: 'unavailable',
  SWB_RATE_LIMITED: 'unavailable',
  SWB_UPSTREAM_UNAVAILABLE: 'unavailable',
  SWB_UPSTREAM_SESSION_LOST: 'unavailable',
  SWB_UNKNOWN_TOOL: 'unavailable',
  SWB_TOO_MANY_SESSIONS: 'unavailable',
  SWB_SHUTTING_DOWN: 'unavailable',
};

const typeOf = (code: unknown): CallErrorType => (typeof code === 'string' && TYPES[code]) || 'tool_error';

/** The error for anything thrown. It says nothing that another client would not be sent. */
export function errorOf(thrown: unknown): CallError {
  const { message, data } = toRpcError(thrown);
  if (thrown instanceof SwitchboardError) return callError(typeOf(thrown.code), message, thrown.code);
  const isInvalid = thrown instanceof UpstreamError && thrown.rpcCode === -32602;
  const code = isObject(data) && typeof data.code === 'string' ? data.code : undefined;
  return callError(isInvalid ? 'invalid_arguments' : 'tool_error', message, code);
}

function callError(type: CallErrorType, message: string, code?: string): CallError {
  const error: CallError = { type, message: shorten(message, MAX_MESSAGE) };
  if (code !== undefined) error.code = code;
  return error;
}

/**
 * The members of a response that say how a call ended, as JSON text without braces. A result is the tool's structured
 * content, or the text of a tool that gives nothing but one, or its content as MCP has it; of the bytes of the first and
 * the last nothing is lost.
 */
export function outcomeOf(result: CallResult): string {
  const bytes = 'value' in result ? Buffer.from(JSON.stringify(result.value)) : bytesOf(result);
  const parsed = JSON.parse(bytes.toString('utf8')) as JsonObject;
  if (parsed.isError === true) return failed(toolError(parsed));
  const structured = member(bytes, 0, 'structuredContent');
  if (structured && isObject(parsed.structuredContent)) {
    return `"status":"ok","result":${bytes.toString('utf8', structured.start, structured.end)}`;
  }
  const text = onlyText(parsed.content);
  if (text !== undefined) return `"status":"ok","result":${JSON.stringify(text)}`;
  const content = member(bytes, 0, 'content');
  const list = content ? bytes.toString('utf8', content.start, content.end) : '[]';
  return `"status":"ok","result":{"content":${list}}`;
}

export const failed = (error: CallError): string => `"status":"error","error":${JSON.stringify(error)}`;

const bytesOf = ({ raw, prefix }: Exclude<CallResult, { value: JsonObject }>): Buffer =>
  prefix === undefined || prefix === '' ? raw : Buffer.concat([Buffer.from(prefix), raw]);

function toolError({ content, _meta }: JsonObject): CallError {
  const blocks = Array.isArray(content) ? content : [];
  const texts = blocks.flatMap((block) => (isObject(block) && typeof block.text === 'string' ? [block.text] : []));
  const denial = isObject(_meta) ? _meta[DENIAL_META] : undefined;
  const code = isObject(denial) && typeof denial.code === 'string' ? denial.code : undefined;
  return callError(typeOf(code), texts.join('\n') || 'The tool failed and does not say why.', code);
}

function onlyText(content: unknown): string | undefined {
  const [block, ...more] = Array.isArray(content) ? content : [];
  if (more.length > 0 || !isObject(block) || block.type !== 'text') return undefined;
  return typeof block.text === 'string' ? block.text : undefined;
}
