/**
 * The text a message's `params` (or a response's `result`) came in. What a client sends reaches the server as it was
 * spelled: numbers that a double does not hold, `1.0`, escapes, the order of integer-like keys, repeated keys.
 *
 * The parsed object carries its source under a symbol, which copies (`{ ...params }`) keep. A member that is still the very
 * value that was parsed leaves as its text; one that a hook, an override or redaction has replaced is another value and is
 * written anew. So values of a message are never changed in place.
 *
 * Policy judges what leaves: it sees what `parseText` makes of the very text that leaves. Readers of JSON disagree about
 * repeated keys, so these are refused wherever a value is judged ({@link requireUniqueKeys}). Numbers that no double holds are
 * judged as they are spelled ({@link withExactNumbers}); hooks and schemas see the nearest double, which is what a reader that
 * keeps to RFC 8259, section 6, makes of the same text.
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import { META } from '../envelope.ts';
import { isObject, type JsonObject, type Message } from '../jsonrpc.ts';
import { COLON, COMMA, LBRACE, LBRACKET, QUOTE, RBRACE, RBRACKET } from './bytes.ts';
import { endOfString, isSpace, parseIfExact, skipSpace } from './parse.ts';
import { endOfString as endOfBytes, JsonScanError, keyText, MAX_DEPTH, skipWhitespace, visitMembers } from './scan.ts';

const SOURCE: unique symbol = Symbol('source');

interface SourceMember {
  name: string;
  /** As it was parsed. */
  value: unknown;
  start: number;
  end: number;
  /** Names of members inside it, at all depths, as often as they are written. */
  keys: number;
}

interface Source {
  text: string;
  members: readonly SourceMember[];
}

type Sourced = JsonObject & { [SOURCE]?: Source };

/**
 * Notes the source of a parsed message, or of each message of a batch. `text` is what was parsed (`parse.ts`), so it is well-formed.
 * Throws `JsonScanError` when it nests deeper than `MAX_DEPTH`: readers and writers of the value recurse.
 */
export function keepSource(parsed: unknown, text: string): void {
  const start = skipSpace(text, 0);
  if (isObject(parsed)) {
    keep(parsed, text, start, 0);
  } else if (Array.isArray(parsed)) {
    let at = start + 1;
    for (const item of parsed) {
      at = skipSpace(text, at);
      if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
      at = keep(item, text, at, 1);
    }
  }
}

/** Goes through the value at `i` and keeps the source of its `params` or `result`. Returns the index after the value. */
function keep(message: unknown, text: string, i: number, outside: number): number {
  const isMessage = isObject(message);
  let depth = 0;
  let keys = 0;
  /** The name that stands before the value at hand, at depths 1 and 2. */
  let name = '';
  let body: Sourced | undefined;
  let members: SourceMember[] = [];
  let start = -1;
  let keysBefore = 0;
  for (;;) {
    const c = text.charCodeAt(i);
    switch (c) {
      case QUOTE: {
        const end = endOfString(text, i + 1);
        if (depth === 1 || (depth === 2 && body && start === -1)) name = nameAt(text, i, end);
        i = end;
        if (depth === 0) return i;
        continue;
      }
      case COLON:
        i++;
        keys++;
        if (depth === 2 && body && start === -1) {
          i = skipSpace(text, i);
          start = i;
          keysBefore = keys;
        }
        continue;
      case COMMA:
        if (depth === 0) return i;
        if (depth === 2 && start !== -1) {
          addMember(members, { name, value: (body as Sourced)[name], start, end: i, keys: keys - keysBefore }, text);
          start = -1;
        }
        i++;
        continue;
      case LBRACE:
      case LBRACKET:
        depth++;
        if (depth + outside > MAX_DEPTH) throw new JsonScanError(`nesting deeper than ${MAX_DEPTH}`, i);
        if (depth === 2) {
          const value = isMessage && (name === 'params' || name === 'result') ? message[name] : undefined;
          body = isObject(value) && c === LBRACE ? value : undefined;
          members = [];
        }
        i++;
        continue;
      case RBRACE:
      case RBRACKET:
        // Of the list around the messages of a batch.
        if (depth === 0) return i;
        if (depth === 2 && body) {
          if (start !== -1) {
            addMember(members, { name, value: body[name], start, end: i, keys: keys - keysBefore }, text);
            start = -1;
          }
          body[SOURCE] = { text, members };
          body = undefined;
        }
        depth--;
        i++;
        if (depth === 0) return i;
        continue;
      default:
        if (i >= text.length) return i;
        i++;
    }
  }
}

/** No closure of the loop above: it would slow the loop down, through which every message goes. */
function addMember(members: SourceMember[], member: SourceMember, text: string): void {
  while (isSpace(text.charCodeAt(member.end - 1))) member.end--;
  // A repeated name: the last one counts, as in what was parsed.
  for (let at = 0; at < members.length; at++) {
    if (members[at]?.name === member.name) members.splice(at, 1);
  }
  members.push(member);
}

function nameAt(text: string, start: number, end: number): string {
  const name = text.slice(start + 1, end - 1);
  return name.includes('\\') ? (JSON.parse(text.slice(start, end)) as string) : name;
}

/**
 * Throws `SWB_DUPLICATE_KEY` when a value among the judged members of `params` has an object that names one of its members
 * twice: who reads it later may take another of the two than policy did.
 */
export function requireUniqueKeys(params: JsonObject, isJudged: (name: string) => boolean): void {
  const source = (params as Sourced)[SOURCE];
  if (!source) return;
  for (const { name, value, start, end, keys } of source.members) {
    if (keys < 2 || !isJudged(name) || params[name] !== value || keysIn(value) === keys) continue;
    const key = repeatedKey(Buffer.from(source.text.slice(start, end))) ?? name;
    const shown = key.length > 100 ? `${key.slice(0, 100)}…` : key;
    throw new SwitchboardError(
      'SWB_DUPLICATE_KEY',
      `params.${name} names the member ${JSON.stringify(shown)} twice in one object: send each member once.`,
      { data: { key: shown } },
    );
  }
}

/** Whether the text of a member, where it is still what was parsed, has an object that names one of its members twice. */
export function repeatsKeys(params: JsonObject, name: string): boolean {
  const source = (params as Sourced)[SOURCE];
  const value = params[name];
  const sent = source?.members.find((each) => each.name === name && each.value === value);
  return sent !== undefined && keysIn(value) !== sent.keys;
}

/**
 * A copy of `params` in which numbers that no double holds are as they are spelled (`ExactNumber`); the very object where
 * there is none. Only members that are still what was parsed have a spelling. `only`: the one member that is looked at.
 */
export function withExactNumbers(params: JsonObject, only?: string): JsonObject {
  const source = (params as Sourced)[SOURCE];
  if (!source) return params;
  let copy: JsonObject | undefined;
  for (const { name, value, start, end } of source.members) {
    if ((only !== undefined && name !== only) || params[name] !== value || !hasNumber(value)) continue;
    const exact = parseIfExact(source.text.slice(start, end));
    if (exact === undefined) continue;
    copy ??= { ...params };
    copy[name] = exact;
  }
  return copy ?? params;
}

/** The nesting of what came from a source is bounded. */
function hasNumber(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value === 'number';
  if (Array.isArray(value)) return value.some(hasNumber);
  for (const key in value) if (hasNumber((value as JsonObject)[key])) return true;
  return false;
}

/** Names of members at all depths. */
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

/** The first name that an object in these well-formed bytes has twice. */
function repeatedKey(bytes: Buffer): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < bytes.length; ) {
    const c = bytes[i];
    if (c !== QUOTE) {
      if (c === LBRACE) open.push(new Set());
      else if (c === LBRACKET) open.push(undefined);
      else if (c === RBRACE || c === RBRACKET) open.pop();
      i++;
      continue;
    }
    const end = endOfBytes(bytes, i + 1);
    if (end === -1) return undefined;
    if (bytes[skipWhitespace(bytes, end)] === COLON) {
      const key = keyText(bytes, i, end);
      const names = open.at(-1);
      if (names?.has(key)) return key;
      names?.add(key);
    }
    i = end;
  }
  return undefined;
}

/** One member of a message's `params` as JSON text, as its sender spelled it while it is still that value. */
export function memberText(params: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(params, name) ? params[name] : undefined;
  if (value === undefined) return undefined;
  const source = (params as Sourced)[SOURCE];
  const sent = source?.members.find((each) => each.name === name && Object.is(each.value, value));
  return source && sent ? source.text.slice(sent.start, sent.end) : JSON.stringify(value);
}

/** A JSON-RPC message as JSON text: with the text of what it still has of its source. */
export function encodeMessage(message: Message): string {
  const bodyName = 'method' in message ? 'params' : 'result';
  const body = (message as unknown as JsonObject)[bodyName] as Sourced | undefined;
  const source = body?.[SOURCE];
  if (!source) return JSON.stringify(message);
  let json = '';
  for (const name in message) {
    const value = (message as unknown as JsonObject)[name];
    if (value === undefined) continue;
    json += (json === '' ? '{' : ',') + keyOf(name);
    json += name === bodyName ? encodeMembers(body, source) : valueText(value);
  }
  return `${json}}`;
}

function encodeMembers(object: JsonObject, { text, members }: Source): string {
  let json = '';
  for (const { name, value, start, end } of members) {
    const current = Object.hasOwn(object, name) ? object[name] : undefined;
    if (current === undefined) continue;
    json += (json === '' ? '{' : ',') + keyOf(name);
    if (Object.is(current, value)) json += text.slice(start, end);
    else if (name === '_meta' && isObject(current) && isObject(value)) {
      json += encodeMeta(current, value, text.slice(start, end));
    } else json += encodeNew(name, current);
  }
  for (const name in object) {
    const current = object[name];
    if (current === undefined || isAmong(members, name)) continue;
    json += (json === '' ? '{' : ',') + keyOf(name) + encodeNew(name, current);
  }
  return json === '' ? '{}' : `${json}}`;
}

function isAmong(members: readonly SourceMember[], name: string): boolean {
  for (const member of members) if (member.name === name) return true;
  return false;
}

/** Names of almost every message. */
const KEYS: ReadonlyMap<string, string> = new Map(
  ['jsonrpc', 'id', 'method', 'params', 'result', 'name', 'arguments', '_meta'].map((name) => [name, `"${name}":`]),
);

const keyOf = (name: string): string => KEYS.get(name) ?? `${JSON.stringify(name)}:`;

/** Ids of the gateway's own requests are whole numbers; the other texts of a message are mostly the same. */
const valueText = (value: unknown): string =>
  Number.isInteger(value) ? String(value) : (TEXTS.get(value) ?? JSON.stringify(value));

const TEXTS: ReadonlyMap<unknown, string> = new Map(
  ['2.0', 'tools/call', 'prompts/get', 'resources/read', 'agents/call'].map((text) => [text, `"${text}"`]),
);

/** A member that was not parsed with the others. Answers to input requests are results of a client, each with its source. */
function encodeNew(member: string, value: unknown): string {
  if (member !== 'inputResponses' || !isObject(value)) return JSON.stringify(value);
  const answers = Object.entries(value).map(([name, answer]) => {
    const source = isObject(answer) ? (answer as Sourced)[SOURCE] : undefined;
    return `${JSON.stringify(name)}:${source ? encodeMembers(answer as JsonObject, source) : JSON.stringify(answer)}`;
  });
  return `{${answers.join(',')}}`;
}

const OF_THE_ERA: ReadonlySet<string> = new Set([...Object.values(META), 'progressToken']);

/** `_meta` with what an era requires stamped on it: members that are the client's own leave as they were spelled. */
function encodeMeta(meta: JsonObject, sent: JsonObject, text: string): string {
  const isKept = (name: string): boolean =>
    typeof meta[name] !== 'string' && !OF_THE_ERA.has(name) && Object.hasOwn(sent, name) && sent[name] === meta[name];
  const kept = Object.keys(meta).filter(isKept);
  if (kept.length === 0) return JSON.stringify(meta);
  const bytes = Buffer.from(text);
  const texts = new Map<string, string>();
  visitMembers(bytes, 0, (keyStart, keyEnd, start, end) => {
    texts.set(keyText(bytes, keyStart, keyEnd), bytes.toString('utf8', start, end));
  });
  const members = Object.entries(meta).flatMap(([name, value]) => {
    const json = kept.includes(name) ? texts.get(name) : JSON.stringify(value);
    return json === undefined ? [] : [`${JSON.stringify(name)}:${json}`];
  });
  return `{${members.join(',')}}`;
}
