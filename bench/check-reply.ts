/**
 * Whether a reply is the one that was asked for. Every reply is checked on its bytes, cheaply, because the load
 * generator shares its core with the upstream; every so often one is parsed and compared whole.
 * @module
 */

import { type LargeText, largeText } from './fixture-results.ts';
import {
  type AskedCall,
  type CallOperation,
  LARGE_BYTES,
  largeTextOf,
  type Operation,
  SMALL_TEXT,
} from './messages.ts';

export interface HttpReply {
  status: number;
  contentType: string;
  sessionId: string | undefined;
  body: Buffer;
}

/** The id stands before or after the result, never inside it. */
const EDGE = 200;
const MAX_SHOWN = 300;

/** A sentence when the reply is not a successful one to this request. */
export function replyProblem(reply: HttpReply, id: number, operation: Operation): string | undefined {
  const { status, body } = reply;
  const member = operation === 'list' ? '"tools"' : '"content"';
  let problem: string | undefined;
  if (status !== 200) problem = `HTTP status ${status}`;
  else if (!hasId(isStream(reply) ? lastEvent(body) : body, id)) problem = `no "id":${id}`;
  else if (!body.includes(member)) problem = `no ${member}`;
  else if (operation !== 'list' && body.includes('"isError":true')) problem = 'isError';
  return problem === undefined ? undefined : `${problem} in: ${body.toString('utf8', 0, MAX_SHOWN)}`;
}

const isStream = ({ contentType }: HttpReply): boolean => contentType.startsWith('text/event-stream');

/** From the data of the last event: notifications come before it. */
const lastEvent = (body: Buffer): Buffer => body.subarray(Math.max(0, body.lastIndexOf('data:')));

function hasId(body: Buffer, id: number): boolean {
  const mark = `"id":${id}`;
  return (
    markEnds(body.toString('latin1', 0, EDGE), mark) ||
    markEnds(body.toString('latin1', Math.max(0, body.length - EDGE)), mark)
  );
}

/** True when the mark is there and the number does not go on. */
function markEnds(text: string, mark: string): boolean {
  const at = text.indexOf(mark);
  if (at === -1) return false;
  const next = text.charCodeAt(at + mark.length);
  return !(next >= 0x30 && next <= 0x39);
}

interface RpcResult {
  result: { tools?: unknown[]; nextCursor?: string; content?: { text?: string }[] };
}

/** The message of a reply, from JSON or from the one event of a stream. */
export function parseReply(reply: HttpReply): RpcResult {
  const text = reply.body.toString('utf8');
  if (!isStream(reply)) return JSON.parse(text) as RpcResult;
  const data = text.split('\n').filter((line) => line.startsWith('data:') && line.includes('"result"'));
  return JSON.parse((data[0] ?? '').slice('data:'.length)) as RpcResult;
}

/** A sentence when a call's result is not, to the character, what the fixture answers, or what was asked for. */
export function resultProblem(reply: HttpReply, operation: CallOperation, asked?: AskedCall): string | undefined {
  const text = parseReply(reply).result.content?.[0]?.text;
  if (asked?.events !== undefined) {
    const events = reply.body.toString('utf8').split('\n\n').length - 1;
    if (events < asked.events) return `${events} events, at least ${asked.events} expected`;
  }
  const expected = asked?.text ?? (operation === 'small' ? SMALL_TEXT : largeExpected(largeTextOf(operation)));
  return text === expected ? undefined : `the text differs from what the upstream sends: ${text?.slice(0, MAX_SHOWN)}`;
}

const largeParsed = new Map<LargeText, string>();

function largeExpected(kind: LargeText): string {
  const known = largeParsed.get(kind);
  if (known !== undefined) return known;
  const text = JSON.parse(largeText(LARGE_BYTES, kind).toString('utf8')) as string;
  largeParsed.set(kind, text);
  return text;
}
