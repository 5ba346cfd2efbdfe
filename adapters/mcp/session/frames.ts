/**
 * Reads what servers send: frames into outlines, results into replies, errors into {@link UpstreamError}. Lenient about
 * what does not matter (batches, `error: null` beside a result), exact about framing: half a frame is never a result.
 * @module
 */

import { RPC, SwitchboardError, UpstreamError } from '../../../src/core/errors.ts';
import type { Reply } from '../../../src/core/upstream.ts';
import { LBRACE, LBRACKET } from '../../../src/wire/json/bytes.ts';
import { type Outline, outline } from '../../../src/wire/json/outline.ts';
import { parseText } from '../../../src/wire/json/parse.ts';
import { elements, JsonScanError, MAX_DEPTH, member, skipWhitespace } from '../../../src/wire/json/scan.ts';
import { isObject, type JsonObject, type RpcError } from '../../../src/wire/jsonrpc.ts';
import { joined, type Pieces, sliceOf, textOf, withoutByteOrderMark } from '../../../src/wire/pieces.ts';
import { RawResult } from '../../../src/wire/raw-result.ts';

/** An error object over this is not passed on whole: its message is cut and its data left out. */
const MAX_ERROR_BYTES = 256 * 1024;
const MAX_ERROR_MESSAGE = 4_000;

/** What becomes a value here must not be nested without bound. Results of calls stay bytes and may be. */
export const TOO_DEEP = `sent a message nested deeper than ${MAX_DEPTH} levels where the gateway has to read it`;

export function protocolError(name: string, what: string, cause?: unknown): SwitchboardError {
  return new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' ${what}.`, { cause });
}

/**
 * Calls `visit` for each message in a frame: one, or several in a batch (2025-03-26 servers may answer so). Throws what
 * the scanner throws when the bytes are not well-formed JSON objects.
 */
export function eachMessage(bytes: Pieces, visit: (message: Pieces, outline: Outline) => void): void {
  const frame = withoutByteOrderMark(bytes);
  if (!startsWithBracket(frame)) {
    visit(frame, outline(frame));
    return;
  }
  const batch = joined(frame);
  for (const { start, end } of elements(batch, 0)) {
    const message = [batch.subarray(start, end)];
    visit(message, outline(message));
  }
}

function startsWithBracket(frame: Pieces): boolean {
  for (const piece of frame) {
    const start = skipWhitespace(piece, 0);
    if (start < piece.length) return piece[start] === LBRACKET;
  }
  return false;
}

/** Whether a message answers a request (and is not itself a request or a notification). */
export const isResponse = ({ method, result, error }: Outline): boolean =>
  method === undefined && (result !== undefined || error !== undefined);

/** Parses a notification or request of the server's; `undefined` when it is not a well-formed one. */
export function parseMessage(message: Pieces): { method: string; params: JsonObject | undefined } | undefined {
  try {
    const parsed: unknown = parseText(joined(message).toString('utf8'));
    if (!isObject(parsed) || typeof parsed.method !== 'string') return undefined;
    if (parsed.params !== undefined && parsed.params !== null && !isObject(parsed.params)) return undefined;
    return { method: parsed.method, params: isObject(parsed.params) ? parsed.params : undefined };
  } catch {
    return undefined;
  }
}

/** The `result` of a response as bytes. Throws the upstream's error, or `SWB_UPSTREAM_PROTOCOL` when there is neither. */
export function resultOf(message: Pieces, { result, error, members, deep }: Outline, name: string): Pieces {
  if (error && !(result && textOf(message, error.start, error.end) === 'null')) {
    throw upstreamErrorOf(joined(sliceOf(message, error.start, error.end)), deep);
  }
  if (!result || !members) throw protocolError(name, 'sent a reply whose result is no object');
  return sliceOf(message, result.start, result.end);
}

/** A response as the relay wants it. Throws like {@link resultOf}. */
export function replyOf(message: Pieces, outline: Outline, name: string, modern: boolean): Reply {
  const result = resultOf(message, outline, name);
  const { members, deep } = outline;
  if (modern && members?.type === 'input_required') {
    if (deep) throw protocolError(name, TOO_DEEP);
    const raw = joined(result);
    return { inputRequired: parseText(raw.toString('utf8')) as JsonObject, raw };
  }
  return new RawResult(result, members);
}

/** An error object of the upstream's as an error to throw. One that is nested too deep is passed on without its data. */
export function upstreamErrorOf(bytes: Buffer, deep = false): UpstreamError {
  if (deep || bytes.length > MAX_ERROR_BYTES) return new UpstreamError(headOf(bytes));
  let parsed: unknown;
  try {
    parsed = parseText(bytes.toString('utf8'));
  } catch {
    parsed = undefined;
  }
  if (!isObject(parsed)) {
    const message = typeof parsed === 'string' && parsed !== '' ? parsed : UNSAID;
    return new UpstreamError({ code: RPC.internal, message: withoutStack(message) });
  }
  const error: RpcError = {
    code: Number.isInteger(parsed.code) ? (parsed.code as number) : RPC.internal,
    message: typeof parsed.message === 'string' ? withoutStack(parsed.message) : UNSAID,
  };
  if (parsed.data !== undefined) error.data = withoutStackMember(parsed.data);
  return new UpstreamError(error);
}

const UNSAID = 'The server failed on this request and does not say why.';

/** Code and the beginning of the message of an error too large to be passed on. */
function headOf(bytes: Buffer): RpcError {
  const text = (name: string): string | undefined => {
    const span = bytes[0] === LBRACE ? member(bytes, 0, name) : undefined;
    return span && bytes.toString('utf8', span.start, Math.min(span.end, span.start + MAX_ERROR_MESSAGE));
  };
  const code = Number(text('code'));
  const message = text('message')?.replace(/^"|"$/g, '') ?? UNSAID;
  return { code: Number.isInteger(code) ? code : RPC.internal, message: withoutStack(message) };
}

/**
 * The message up to where a stack begins. The rest of an error is passed on unchanged: paths and names in it are
 * the server's message, its stack is not.
 */
function withoutStack(message: string): string {
  // Bounded: the text is the server's, and a run of line breaks must not be searched once for each of them.
  const stack = message.search(/\r?\n[ \t]{1,64}at[ \t]{1,8}\S/);
  return stack === -1 ? message : message.slice(0, stack);
}

function withoutStackMember(data: unknown): unknown {
  if (!isObject(data) || typeof data.stack !== 'string') return data;
  const { stack: _stack, ...rest } = data;
  return rest;
}

/** The scanner ran out of bytes, or into a string that has no end. */
const endsEarly = ({ message }: JsonScanError, body: Buffer): boolean =>
  message.startsWith('string without an end') || message.endsWith(`at byte ${body.length}`);

/** Words for bytes that were expected to be a JSON-RPC reply, without showing any of them. */
export function describeBody(body: Buffer, contentType: string | undefined, cause: unknown): string {
  if (body.length === 0) return 'answered with an empty body';
  if (contentType?.includes('html') || /^\s*<(?:!doctype|html)/i.test(body.toString('latin1', 0, 64))) {
    return 'answered with a web page instead of JSON-RPC';
  }
  if (cause instanceof JsonScanError && endsEarly(cause, body)) {
    return 'sent a reply that breaks off in the middle';
  }
  return 'answered with something that is not JSON-RPC';
}
