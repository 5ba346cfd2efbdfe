/**
 * The bytes a message's `params` (or a response's `result`) came in. What a client sends reaches the server as it was
 * spelled: numbers that a double does not hold, `1.0`, escapes, the order of integer-like keys, repeated keys.
 *
 * The parsed object carries its source under a symbol, which copies (`{ ...params }`) keep. A member that is still the very
 * value that was parsed leaves as its bytes; one that a hook, an override or redaction has replaced is another value and is
 * written anew. So values of a message are never changed in place.
 *
 * Policy judges what leaves: it sees what `JSON.parse` makes of the very bytes that leave. Readers of JSON disagree about
 * repeated keys, so these are refused wherever a value is judged ({@link requireUniqueKeys}). Numbers are judged as the
 * nearest double, which is what a reader that keeps to RFC 8259, section 6, makes of the same text; rounding keeps their
 * order, so no comparison with a bound comes out the other way. Two integers beyond 2^53 may be the same double: conditions
 * do not take one for the other (`policy/language/operators.ts`).
 * @module
 */
import { isUtf8 } from 'node:buffer';
import { SwitchboardError } from '../../core/errors.ts';
import { META } from '../envelope.ts';
import { isObject, type JsonObject, type Message } from '../jsonrpc.ts';
import { memberSpans } from './outline.ts';
import { elements, keyText, type Span, visitMembers } from './scan.ts';

const SOURCE: unique symbol = Symbol('source');

interface SourceMember extends Span {
  name: string;
  value: unknown;
  /** Names of members inside it, as often as they are written. */
  keys: number;
}

interface Source {
  bytes: Buffer;
  members: readonly SourceMember[];
}

type Sourced = JsonObject & { [SOURCE]?: Source };

const LBRACKET = 0x5b;

/**
 * Notes the source of a parsed message, or of each message of a batch. Throws `JsonScanError` when it is nested too deep.
 * Bytes that are no UTF-8 are no source: what a decoder makes of them is what leaves.
 */
export function keepSource(parsed: unknown, bytes: Buffer): void {
  if (isObject(parsed)) {
    if (hasBody(parsed) && isUtf8(bytes)) keep(parsed, bytes);
  } else if (Array.isArray(parsed) && parsed.some(hasBody) && isUtf8(bytes)) {
    const spans = elements(bytes, bytes.indexOf(LBRACKET));
    for (const [i, { start, end }] of spans.entries()) {
      if (hasBody(parsed[i])) keep(parsed[i], bytes.subarray(start, end));
    }
  }
}

const hasBody = (message: unknown): message is JsonObject =>
  isObject(message) && (isObject(message.params) || isObject(message.result));

function keep(message: JsonObject, bytes: Buffer): void {
  for (const { name: outer, members: spans } of memberSpans(bytes)) {
    const body = message[outer] as Sourced;
    const members: SourceMember[] = [];
    for (const { name, start, end, keys } of spans) {
      // A repeated name: the last one counts, as in what was parsed.
      const before = members.findIndex((each) => each.name === name);
      if (before !== -1) members.splice(before, 1);
      members.push({ name, start, end, keys, value: body[name] });
    }
    body[SOURCE] = { bytes, members };
  }
}

/**
 * Throws `SWB_DUPLICATE_KEY` when a value among the judged members of `params` has an object that names one of its members
 * twice: who reads it later may take another of the two than policy did.
 */
export function requireUniqueKeys(params: JsonObject, isJudged: (name: string) => boolean): void {
  const source = (params as Sourced)[SOURCE];
  if (!source) return;
  for (const { name, value, start, keys } of source.members) {
    if (keys < 2 || !isJudged(name) || params[name] !== value || keysIn(value) === keys) continue;
    const key = repeatedKey(source.bytes, start) ?? name;
    const shown = key.length > 100 ? `${key.slice(0, 100)}…` : key;
    throw new SwitchboardError(
      'SWB_DUPLICATE_KEY',
      `params.${name} names the member ${JSON.stringify(shown)} twice in one object: send each member once.`,
      { data: { key: shown } },
    );
  }
}

/** Names of members at all depths. The nesting of what came from a source is bounded. */
function keysIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += keysIn(item);
    return count;
  }
  for (const key in value) count += 1 + keysIn((value as JsonObject)[key]);
  return count;
}

function repeatedKey(bytes: Buffer, start: number): string | undefined {
  if (bytes[start] === LBRACKET) {
    for (const item of elements(bytes, start)) {
      const key = repeatedKey(bytes, item.start);
      if (key !== undefined) return key;
    }
    return undefined;
  }
  if (bytes[start] !== 0x7b) return undefined;
  const seen = new Set<string>();
  let found: string | undefined;
  visitMembers(bytes, start, (keyStart, keyEnd, valueStart) => {
    const key = keyText(bytes, keyStart, keyEnd);
    if (seen.has(key)) found ??= key;
    seen.add(key);
    found ??= repeatedKey(bytes, valueStart);
  });
  return found;
}

/** Up to here a value's bytes become part of the text around them; longer ones are copied once, as bytes. */
const SMALL = 4 * 1024;

/** A JSON-RPC message as JSON text, or as its bytes in UTF-8 where much of it is passed on. */
export function encodeMessage(message: Message): string | Buffer {
  const name = 'method' in message ? 'params' : 'result';
  const body = (message as unknown as JsonObject)[name] as Sourced | undefined;
  if (!body?.[SOURCE]) return JSON.stringify(message);
  const parts = new Parts();
  let separator = '{';
  for (const key in message) {
    const value = (message as unknown as JsonObject)[key];
    if (value === undefined) continue;
    parts.text += `${separator}"${key}":`;
    separator = ',';
    if (key === name) putMembers(parts, body, body[SOURCE]);
    else parts.text += JSON.stringify(value);
  }
  parts.text += '}';
  return parts.end();
}

class Parts {
  text = '';
  #buffers: Buffer[] | undefined;

  add(bytes: Buffer, start: number, end: number): void {
    if (end - start <= SMALL) {
      this.text += bytes.toString('utf8', start, end);
      return;
    }
    this.#buffers ??= [];
    this.#buffers.push(Buffer.from(this.text), bytes.subarray(start, end));
    this.text = '';
  }

  end(): string | Buffer {
    if (!this.#buffers) return this.text;
    return Buffer.concat([...this.#buffers, Buffer.from(this.text)]);
  }
}

function putMembers(parts: Parts, object: JsonObject, { bytes, members }: Source): void {
  let separator = '{';
  const put = (name: string): boolean => {
    parts.text += `${separator}${JSON.stringify(name)}:`;
    separator = ',';
    return true;
  };
  for (const { name, value, start, end } of members) {
    if (!Object.hasOwn(object, name)) continue;
    const current = object[name];
    if (current === undefined) continue;
    put(name);
    if (Object.is(current, value)) parts.add(bytes, start, end);
    else if (name === '_meta' && isObject(current) && isObject(value)) putMeta(parts, current, value, bytes, start);
    else parts.text += JSON.stringify(current);
  }
  for (const name in object) {
    const current = object[name];
    if (current === undefined || isAmong(members, name)) continue;
    put(name);
    parts.text += JSON.stringify(current);
  }
  parts.text += separator === '{' ? '{}' : '}';
}

function isAmong(members: readonly SourceMember[], name: string): boolean {
  for (const member of members) if (member.name === name) return true;
  return false;
}

const OWN_META: ReadonlySet<string> = new Set([...Object.values(META), 'progressToken']);

/** `_meta` with what an era requires stamped on it: what is the client's own leaves as it was spelled. */
function putMeta(parts: Parts, meta: JsonObject, sent: JsonObject, bytes: Buffer, start: number): void {
  const isKept = (name: string): boolean =>
    typeof meta[name] !== 'string' && !OWN_META.has(name) && Object.hasOwn(sent, name) && sent[name] === meta[name];
  let spans: Map<string, Span> | undefined;
  let separator = '{';
  for (const name in meta) {
    if (meta[name] === undefined) continue;
    parts.text += `${separator}${JSON.stringify(name)}:`;
    separator = ',';
    if (!isKept(name)) {
      parts.text += JSON.stringify(meta[name]);
      continue;
    }
    spans ??= spansOf(bytes, start);
    const span = spans.get(name) as Span;
    parts.add(bytes, span.start, span.end);
  }
  parts.text += separator === '{' ? '{}' : '}';
}

function spansOf(bytes: Buffer, start: number): Map<string, Span> {
  const spans = new Map<string, Span>();
  visitMembers(bytes, start, (keyStart, keyEnd, valueStart, end) => {
    spans.set(keyText(bytes, keyStart, keyEnd), { start: valueStart, end });
  });
  return spans;
}
