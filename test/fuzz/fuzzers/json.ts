/**
 * Fuzzers of the JSON readers: the scanner, the outline in any chunks, edits in bytes, and parsed messages with their source.
 * The oracle is `JSON.parse`.
 * @module
 */
import assert from 'node:assert/strict';
import { canonicalJson } from '../../../src/wire/json/canonical.ts';
import { withDoubles } from '../../../src/wire/json/exact.ts';
import { outline } from '../../../src/wire/json/outline.ts';
import { parseExact, parseText } from '../../../src/wire/json/parse.ts';
import { elements, MAX_DEPTH, skipValue, skipWhitespace, visitMembers } from '../../../src/wire/json/scan.ts';
import { encodeMessage, keepSource, requireUniqueKeys, withExactNumbers } from '../../../src/wire/json/source.ts';
import { editMembers, editPaths, oneLine, replaceSpans } from '../../../src/wire/json/splice.ts';
import { isObject, type JsonObject, type Message } from '../../../src/wire/jsonrpc.ts';
import { joined, type Pieces, sliceOf, textOf } from '../../../src/wire/pieces.ts';
import type { Fuzzer } from '../fuzzer.ts';
import { bytesOf, chunksOf, JSON_WORDS, jsonInput, outcomeOf } from './bytes.ts';

type Outcome<T> = { value: T } | { refused: string };

/** Strings without what is in them: scanning checks only that they end. */
function withoutStrings(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    out += text[i];
    if (text[i] !== '"') continue;
    for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === '\\') i++;
    if (i < text.length) out += '"';
  }
  return out;
}

const parses = (text: string): boolean => 'value' in outcomeOf(() => JSON.parse(text));

/** Levels of brackets, as far as they count for a bound. */
function depthOf(text: string): number {
  let depth = 0;
  let most = 0;
  for (const sign of withoutStrings(text)) {
    if (sign === '{' || sign === '[') most = Math.max(most, ++depth);
    else if (sign === '}' || sign === ']') depth--;
  }
  return most;
}

function kindOf(outcome: Outcome<unknown>): string {
  return 'refused' in outcome ? outcome.refused : 'ok';
}

const scan: Fuzzer = {
  name: 'json-scan',
  fresh: jsonInput,
  words: JSON_WORDS,
  behaviours: 8,
  check(input) {
    const bytes = bytesOf(input);
    const text = bytes.toString('utf8');
    const latin = bytes.toString('latin1');
    const start = skipWhitespace(bytes, 0);
    const scanned = outcomeOf(() => skipValue(bytes, start));
    const isWhole = 'value' in scanned && skipWhitespace(bytes, scanned.value) === bytes.length;
    if ('refused' in scanned) assert.match(scanned.refused, /^JsonScanError/);
    if (parses(text)) assert.ok(isWhole, 'what parses is scanned');
    if (isWhole) assert.ok(parses(withoutStrings(latin)), 'what is scanned parses, whatever is in its strings');
    let inside = '';
    if (isWhole && latin[start] === '{') {
      const names: string[] = [];
      const end = visitMembers(bytes, start, (keyStart, keyEnd, from, to) => {
        names.push(bytes.toString('utf8', keyStart, keyEnd));
        assert.equal(skipValue(bytes, from), to);
      });
      assert.equal(end, scanned.value);
      if (parses(text)) {
        const distinct = new Set(names.map((name) => JSON.parse(name)));
        assert.equal(distinct.size, Object.keys(JSON.parse(text)).length);
      }
      inside = `object ${Math.min(names.length, 3)}`;
    } else if (isWhole && latin[start] === '[') {
      const spans = elements(bytes, start);
      if (parses(text)) {
        const values = spans.map(({ start: from, end }) => JSON.parse(bytes.toString('utf8', from, end)));
        assert.deepEqual(values, JSON.parse(text));
      }
      inside = `list ${Math.min(spans.length, 3)}`;
    }
    return `${kindOf(scanned)} ${isWhole} ${parses(text)} ${inside}`;
  },
};

const outlineOf = (pieces: Pieces) => outcomeOf(() => outline(pieces));

const outlines: Fuzzer = {
  name: 'json-outline',
  fresh: jsonInput,
  words: JSON_WORDS,
  behaviours: 20,
  check(input) {
    const bytes = bytesOf(input);
    const whole = outlineOf([bytes]);
    const pieces = chunksOf(bytes, input.picks);
    const chunked = outlineOf(pieces);
    assert.deepEqual('value' in chunked, 'value' in whole, 'chunks are refused as the whole is');
    if ('value' in chunked) assert.deepEqual(chunked, whole, 'chunks make no difference');
    const single = outlineOf([...bytes].map((byte) => Buffer.from([byte])));
    assert.equal('value' in single, 'value' in whole);
    if ('value' in single) assert.deepEqual(single, whole, 'nor does a byte at a time');
    const text = bytes.toString('utf8');
    const isWellFormed = parses(text) && isObject(JSON.parse(text));
    if ('refused' in whole) {
      assert.ok(!isWellFormed, 'a message that parses is not refused');
      assert.match(whole.refused, /^(JsonScanError|SyntaxError)/);
      return whole.refused;
    }
    assert.ok(parses(withoutStrings(bytes.toString('latin1'))));
    const found = whole.value;
    if (isWellFormed) {
      const parsed = JSON.parse(text) as JsonObject;
      const at = (span: { start: number; end: number } | undefined): unknown =>
        span && JSON.parse(textOf(pieces, span.start, span.end));
      const own = (name: string): unknown => (Object.hasOwn(parsed, name) ? parsed[name] : undefined);
      assert.deepEqual(found.id, own('id'));
      assert.deepEqual(found.method, own('method'));
      assert.deepEqual(at(found.result), own('result'));
      assert.deepEqual(at(found.error), own('error'));
      assert.equal(found.deep, depthOf(text) > MAX_DEPTH);
      assert.equal(found.members !== undefined, isObject(own('result')));
      if (found.members && found.result)
        checkMembers(found.members, joined(sliceOf(pieces, found.result.start, found.result.end)));
    }
    const { members } = found;
    const about = members
      ? [
          members.hasType,
          members.typeRepeated,
          members.hasMeta,
          members.isError,
          members.hasUri,
          members.isEmpty,
          members.othersRepeated,
        ]
      : [];
    return `ok ${isWellFormed} ${typeof found.id} ${found.result !== undefined} ${found.error !== undefined} ${about.map(Number).join('')}`;
  },
};

function checkMembers(members: NonNullable<ReturnType<typeof outline>['members']>, raw: Buffer): void {
  const result = JSON.parse(raw.toString()) as JsonObject;
  const has = (name: string): boolean => Object.hasOwn(result, name);
  assert.equal(members.hasType, has('resultType'));
  assert.equal(members.hasMeta, has('_meta'));
  assert.equal(members.hasTtlMs, has('ttlMs'));
  assert.equal(members.hasCacheScope, has('cacheScope'));
  assert.equal(members.isError, has('isError') && result.isError === true);
  assert.equal(members.isEmpty, Object.keys(result).length === 0);
  assert.equal(
    members.type,
    typeof result.resultType === 'string' && has('resultType') ? result.resultType : undefined,
  );
  assert.deepEqual(JSON.parse(`{${raw.subarray(members.first).toString()}`), result, 'the first member');
  const without = (start: number, end: number): unknown =>
    JSON.parse(Buffer.concat([raw.subarray(0, start), raw.subarray(end)]).toString());
  if (members.hasType && !members.typeRepeated) {
    const { resultType: _, ...rest } = result;
    assert.deepEqual(without(members.cutStart, members.cutEnd), rest, 'without resultType');
  }
  if (members.hasMeta && !members.othersRepeated) {
    const { _meta, ...rest } = result;
    assert.deepEqual(JSON.parse(raw.subarray(members.metaStart, members.metaEnd).toString()), _meta);
    assert.deepEqual(without(members.metaCutStart, members.metaCutEnd), rest, 'without _meta');
  }
  if (members.structured !== 0 && !members.othersRepeated) {
    const structured = raw.subarray(members.structuredStart, members.structuredEnd).toString();
    assert.deepEqual(JSON.parse(structured), result.structuredContent);
  }
}

const NAMES = ['id', 'name', '_meta', '1', '__proto__', 'a'];

const splice: Fuzzer = {
  name: 'json-splice',
  fresh: jsonInput,
  words: JSON_WORDS,
  behaviours: 8,
  check(input) {
    const bytes = bytesOf(input);
    const text = bytes.toString('utf8');
    const [first = 0, second = 1, third = 2] = input.picks;
    const line = oneLine(bytes);
    if (parses(text)) {
      assert.ok(!line.includes(0x0a) && !line.includes(0x0d));
      assert.deepEqual(JSON.parse(line.toString()), JSON.parse(text));
    }
    const name = NAMES[first % NAMES.length] as string;
    const removed = NAMES[second % NAMES.length] as string;
    const put = ['1.0', '{"x":[]}', '"é"', 'null'][third % 4] as string;
    const edits: [string, string | undefined][] = [[name, put]];
    if (removed !== name) edits.push([removed, undefined]);
    const edited = outcomeOf(() => editMembers(bytes, Object.fromEntries(edits)));
    if (!parses(text) || !isObject(JSON.parse(text))) {
      if ('refused' in edited) assert.match(edited.refused, /^JsonScanError/);
      return `no object: ${kindOf(edited)}`;
    }
    assert.ok('value' in edited, 'an object can be edited');
    // `Object.fromEntries` defines members: `__proto__` is one like any other.
    const wanted = Object.fromEntries([
      ...Object.entries(JSON.parse(text) as object).filter(([key]) => key !== removed || removed === name),
      [name, JSON.parse(put)],
    ]);
    assert.equal(canonicalJson(JSON.parse(edited.value.toString())), canonicalJson(wanted));
    assert.ok(
      edited.value.toString('latin1').includes(Buffer.from(put).toString('latin1')),
      'bytes are put in as they are',
    );
    const parsed = JSON.parse(text) as JsonObject;
    const path = [name, third % 2 === 0 ? 'a' : 0] as const;
    const inner = Object.hasOwn(parsed, name) ? parsed[name] : undefined;
    const isPath = typeof path[1] === 'string' ? isObject(inner) : Array.isArray(inner);
    const deeper = outcomeOf(() => editPaths(bytes, [{ path, json: put }]));
    if (isPath) {
      assert.ok('value' in deeper);
      const after = JSON.parse(deeper.value.toString()) as JsonObject;
      const there = (Object.hasOwn(after, name) ? after[name] : undefined) as JsonObject & unknown[];
      const isThere = typeof path[1] === 'string' || (inner as unknown[]).length > 0;
      if (isThere) assert.deepEqual(there[path[1]], JSON.parse(put));
    }
    const same = replaceSpans(bytes, []);
    assert.equal(same, bytes);
    return `object ${Math.min(Object.keys(parsed).length, 3)} ${Object.hasOwn(parsed, name)} ${Object.hasOwn(parsed, removed)} ${isPath}`;
  },
};

const source: Fuzzer = {
  name: 'json-source',
  fresh: jsonInput,
  words: JSON_WORDS,
  behaviours: 8,
  check(input) {
    const text = bytesOf(input).toString('utf8');
    const expected = outcomeOf(() => JSON.parse(text));
    const read = outcomeOf(() => parseText(text));
    if ('refused' in expected) {
      assert.ok('refused' in read);
      assert.ok('refused' in outcomeOf(() => parseExact(text)));
      return `no JSON: ${expected.refused}`;
    }
    if ('refused' in read) {
      assert.match(read.refused, /^JsonScanError: nesting/);
      return read.refused;
    }
    const again = JSON.stringify(read.value);
    // Spelled without escapes, keys are read right by `JSON.parse`.
    assert.equal(again, JSON.stringify(JSON.parse(again)));
    const exact = outcomeOf(() => parseExact(text));
    if ('value' in exact) assert.equal(JSON.stringify(withDoubles(exact.value)), again);
    else assert.match(exact.refused, /^JsonScanError: nesting/);
    const kept = outcomeOf(() => keepSource(read.value, text));
    if ('refused' in kept) {
      assert.match(kept.refused, /^JsonScanError: nesting/);
      assert.ok(depthOf(text) > MAX_DEPTH);
      return kept.refused;
    }
    const messages = Array.isArray(read.value) ? read.value : [read.value];
    const seen: string[] = [];
    for (const message of messages.filter(isObject)) {
      const body = 'method' in message ? message.params : message.result;
      const encoded = encodeMessage(message as unknown as Message);
      assert.equal(canonicalJson(parseText(encoded)), canonicalJson(message), 'what leaves is what was read');
      if (!isObject(body)) continue;
      const judged = withExactNumbers(body);
      const unique = outcomeOf(() => requireUniqueKeys(body, () => true));
      if (judged !== body) assert.equal(JSON.stringify(withDoubles(judged)), JSON.stringify(body));
      // A copy keeps its source; a changed member leaves as it was changed.
      const copy = { ...message, ['method' in message ? 'params' : 'result']: { ...body, name: 'changed' } };
      const left = JSON.parse(encodeMessage(copy as unknown as Message)) as JsonObject;
      assert.equal((left['method' in message ? 'params' : 'result'] as JsonObject).name, 'changed');
      seen.push(`${judged !== body} ${'value' in unique}`);
    }
    return `ok ${Array.isArray(read.value)} ${[...new Set(seen)].sort().slice(0, 2).join(',')} ${again !== JSON.stringify(expected.value)}`;
  },
};

export const JSON_FUZZERS: readonly Fuzzer[] = [scan, outlines, splice, source];
