/**
 * Parses the messages of clients and encodes replies. The bytes of a result are framed, never parsed.
 * @module
 */

import { SwitchboardError } from '../core/errors.ts';
import type { CallResult } from '../relay/types.ts';
import { parseText } from '../wire/json/parse.ts';
import { MAX_DEPTH } from '../wire/json/scan.ts';
import { keepSource } from '../wire/json/source.ts';
import { isObject, isRequestId, type RequestId, type RpcError } from '../wire/jsonrpc.ts';
import type { Pieces } from '../wire/pieces.ts';

/**
 * Parses what a client sent, and keeps its text with it (`wire/json/source.ts`). Throws `SWB_PARSE`. Members called
 * `__proto__` become own members like any other, so they pollute nothing.
 */
export function parseJson(bytes: Buffer): unknown {
  try {
    const text = bytes.toString('utf8');
    const parsed = parseText(text);
    keepSource(parsed, text);
    return parsed;
  } catch {
    throw new SwitchboardError('SWB_PARSE', `The message is not JSON, or is nested deeper than ${MAX_DEPTH} levels.`);
  }
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
export const replyHead = (id: RequestId): string =>
  `{"jsonrpc":"2.0","id":${typeof id === 'number' ? id : JSON.stringify(id)},"result":`;
export const REPLY_TAIL = '}';
const TAIL = Buffer.from(REPLY_TAIL);

/** A response with this result, in pieces: the result's bytes are not copied. */
export function encodeReply(id: RequestId, result: CallResult): Pieces {
  if ('value' in result) return [Buffer.from(replyHead(id) + JSON.stringify(result.value) + REPLY_TAIL)];
  const head = Buffer.from(replyHead(id) + (result.prefix ?? ''));
  return [head, ...(result.pieces ?? [result.raw]), TAIL];
}

export function encodeError(id: RequestId | null, error: RpcError): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error });
}
