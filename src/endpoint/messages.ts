/**
 * Bytes to messages and answers to bytes. A result's bytes are framed, never parsed.
 * @module
 */

import { SwitchboardError } from '../core/errors.ts';
import type { CallResult } from '../relay/types.ts';
import { MAX_DEPTH, skipValue, skipWhitespace } from '../wire/json/scan.ts';
import { keepSource } from '../wire/json/source.ts';
import { isObject, isRequestId, type RequestId, type RpcError } from '../wire/jsonrpc.ts';

const LBRACE = 0x7b;
const LBRACKET = 0x5b;

/**
 * Parses what a client sent. Throws `SWB_PARSE`. Members called `__proto__` become own members like any other
 * (`JSON.parse` never sets a prototype), so they pollute nothing.
 */
export function parseJson(bytes: Buffer): unknown {
  try {
    // Parsing nests without limit, but readers and writers of the value recurse: deep nesting is refused here.
    if (mayBeDeep(bytes)) skipValue(bytes, skipWhitespace(bytes, 0));
    const parsed: unknown = JSON.parse(bytes.toString('utf8'));
    keepSource(parsed, bytes);
    return parsed;
  } catch {
    throw new SwitchboardError('SWB_PARSE', `The message is not JSON, or is nested deeper than ${MAX_DEPTH} levels.`);
  }
}

/** Depth is at most the number of opening brackets: only texts with many of them need the exact scan. */
function mayBeDeep(bytes: Buffer): boolean {
  if (bytes.length < 2 * MAX_DEPTH) return false;
  let opened = 0;
  for (const bracket of [LBRACE, LBRACKET]) {
    for (let i = bytes.indexOf(bracket); i !== -1; i = bytes.indexOf(bracket, i + 1)) {
      if (++opened > MAX_DEPTH) return true;
    }
  }
  return false;
}

export function invalidMessage(): SwitchboardError {
  return new SwitchboardError(
    'SWB_INVALID_REQUEST',
    'The message is not a JSON-RPC 2.0 request, notification or response (ids are strings or numbers, integers up to 2^53 - 1; params an object).',
  );
}

/** Whether a client that is behind may go without it: progress and log messages. */
export const canBeLeftOut = ({ method }: { method: string }): boolean =>
  method === 'notifications/progress' || method === 'notifications/message';

/** The id an error about this message goes under, as far as one can be read. */
export function idOf(message: unknown): RequestId | null {
  return isObject(message) && isRequestId(message.id) ? message.id : null;
}

/** What stands before the bytes of a result; {@link REPLY_TAIL} stands after them. */
export const replyHead = (id: RequestId): string => `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":`;
export const REPLY_TAIL = '}';
const TAIL = Buffer.from(REPLY_TAIL);

export function encodeReply(id: RequestId, answer: CallResult): Buffer {
  if ('value' in answer) return Buffer.from(replyHead(id) + JSON.stringify(answer.value) + REPLY_TAIL);
  const head = Buffer.from(replyHead(id) + (answer.prefix ?? ''));
  return Buffer.concat([head, ...(answer.pieces ?? [answer.raw]), TAIL]);
}

export function encodeError(id: RequestId | null, error: RpcError): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error });
}
