/**
 * Answers of tools (SPEC.md 0.1, section 5) as results and errors of MCP. What a tool returns goes on in the bytes it came
 * in: numbers beyond 2^53 would not survive being parsed and written again.
 * @module
 */

import { type ErrorCode, SwitchboardError } from '../../src/core/errors.ts';
import type { Reply } from '../../src/core/upstream.ts';
import { LBRACE, LBRACKET, QUOTE } from '../../src/wire/json/bytes.ts';
import { keyText, type Span, visitMembers } from '../../src/wire/json/scan.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { publicMessage } from '../shared/sanitize.ts';

/** What an answer is about and where its parts stand in its bytes. */
export interface Answer {
  readonly callId: string | undefined;
  readonly status: string | undefined;
  readonly result: Span | undefined;
  readonly error: Span | undefined;
}

/** `type` of an error, as a code of ours and a clause. A tool that failed is a result, for the model to read. */
const ERRORS: Readonly<Record<string, { code: ErrorCode; words: string }>> = {
  invalid_arguments: { code: 'SWB_INVALID_PARAMS', words: 'did not accept the arguments' },
  unauthorized: { code: 'SWB_UPSTREAM_AUTH', words: 'refused this caller' },
  unavailable: { code: 'SWB_UPSTREAM_UNAVAILABLE', words: 'is not available' },
  timeout: { code: 'SWB_CALL_TIMEOUT', words: 'did not finish in time' },
};

/** Of what a tool says: models learn from it what to do otherwise. */
const MAX_MESSAGE = 1_000;
const ERROR_META = 'switchboard/error';

/** Undefined for what is no JSON object. */
export function readAnswer(payload: Buffer): Answer | undefined {
  const spans: Partial<Record<string, Span>> = {};
  try {
    visitMembers(payload, 0, (keyStart, keyEnd, start, end) => {
      const name = keyText(payload, keyStart, keyEnd);
      if (name === 'call_id' || name === 'status' || name === 'result' || name === 'error')
        spans[name] = { start, end };
    });
  } catch {
    return undefined;
  }
  const textAt = (span: Span | undefined): string | undefined =>
    span && payload[span.start] === QUOTE ? (JSON.parse(textOf(payload, span)) as string) : undefined;
  return { callId: textAt(spans.call_id), status: textAt(spans.status), result: spans.result, error: spans.error };
}

const textOf = (payload: Buffer, { start, end }: Span): string => payload.toString('utf8', start, end);

/** Throws for an error that is no result, and for what is no answer. `typed`: the tool declares what it returns. */
export function replyOf(server: string, tool: string, payload: Buffer, answer: Answer, typed: boolean): Reply {
  if (answer.status === 'ok') return success(payload, answer.result, typed);
  if (answer.status !== 'error') throw notAnAnswer(server, tool);
  const error: unknown = answer.error ? JSON.parse(textOf(payload, answer.error)) : undefined;
  const { type, message, code } = isObject(error) ? error : {};
  const said = typeof message === 'string' && message !== '' ? publicMessage(message, MAX_MESSAGE) : undefined;
  const known = typeof type === 'string' && Object.hasOwn(ERRORS, type) ? ERRORS[type] : undefined;
  const details: JsonObject = { ...(typeof code === 'string' ? { toolCode: publicMessage(code, 100) } : {}) };
  if (known) {
    const sentence = `${type}: Tool '${tool}' of server '${server}' ${known.words}${said ? `: ${said}` : '.'}`;
    throw new SwitchboardError(known.code, sentence, { data: { server, tool, reason: type, ...details } });
  }
  return {
    value: {
      content: [{ type: 'text', text: said ?? `The tool '${tool}' failed without a reason.` }],
      isError: true,
      _meta: { [ERROR_META]: { type: typeof type === 'string' ? publicMessage(type, 100) : 'tool_error', ...details } },
    },
  };
}

export const notAnAnswer = (server: string, tool: string): SwitchboardError =>
  new SwitchboardError(
    'SWB_UPSTREAM_PROTOCOL',
    `Tool '${tool}' of server '${server}' answered with something that is no answer.`,
    {
      data: { server, tool },
    },
  );

function success(payload: Buffer, span: Span | undefined, typed: boolean): Reply {
  // A tool that returns nothing leaves the member out.
  if (!span) return { value: { content: [] } };
  const first = payload[span.start];
  const json = textOf(payload, span);
  if (first === QUOTE && !typed) return { value: { content: [{ type: 'text', text: JSON.parse(json) }] } };
  if (first === LBRACE && isToolResult(payload, span))
    return { raw: Buffer.from(payload.subarray(span.start, span.end)) };
  const text = first === QUOTE ? json : JSON.stringify(json);
  const structured = first === LBRACE || typed ? `,"structuredContent":${json}` : '';
  return { raw: Buffer.from(`{"content":[{"type":"text","text":${text}}]${structured}}`) };
}

/** A result of MCP already, as tools have that are exported from MCP servers. */
function isToolResult(payload: Buffer, span: Span): boolean {
  let content: Span | undefined;
  visitMembers(payload, span.start, (keyStart, keyEnd, start, end) => {
    if (keyText(payload, keyStart, keyEnd) === 'content') content = { start, end };
  });
  if (!content || payload[content.start] !== LBRACKET) return false;
  const blocks: unknown = JSON.parse(textOf(payload, content));
  return Array.isArray(blocks) && blocks.every(isBlock);
}

const BLOCKS: ReadonlySet<unknown> = new Set(['text', 'image', 'audio', 'resource', 'resource_link']);

const isBlock = (block: unknown): boolean => isObject(block) && BLOCKS.has(block.type);
