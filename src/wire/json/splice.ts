/**
 * Edits members of a JSON object in its bytes and leaves every other byte alone.
 * @module
 */
import { LBRACE } from './bytes.ts';
import { elements, keyText, member as memberOf, type Span, skipWhitespace, visitMembers } from './scan.ts';

/** New value of a member as JSON text, or `undefined` to take the member out. */
export type MemberEdits = Readonly<Record<string, string | undefined>>;

interface Member extends Span {
  name: string;
  valueStart: number;
}

/**
 * Replaces, removes or appends members of the object in `buf` (which holds that object and nothing else).
 * Members that the edits do not name keep their bytes and their order; new ones go to the end. A duplicated key is
 * edited at its last place, which is the one that counts, and removed from the others.
 */
export function editMembers(buf: Buffer, edits: MemberEdits): Buffer {
  const members: Member[] = [];
  visitMembers(buf, 0, (keyStart, keyEnd, valueStart, end) => {
    members.push({ name: keyText(buf, keyStart, keyEnd), start: keyStart, valueStart, end });
  });
  const last = new Map<string, Member>();
  for (const m of members) last.set(m.name, m);

  const parts: Buffer[] = [OPEN];
  const put = (...pieces: Buffer[]): void => {
    if (parts.length > 1) parts.push(SEPARATOR);
    parts.push(...pieces);
  };
  for (const m of members) {
    if (!Object.hasOwn(edits, m.name)) {
      put(buf.subarray(m.start, m.end));
      continue;
    }
    const value = edits[m.name];
    if (value === undefined || last.get(m.name) !== m) continue;
    put(buf.subarray(m.start, m.valueStart), Buffer.from(value));
  }
  for (const [name, value] of Object.entries(edits)) {
    if (value !== undefined && !last.has(name)) put(Buffer.from(`${JSON.stringify(name)}:${value}`));
  }
  parts.push(CLOSE);
  return Buffer.concat(parts);
}

const OPEN = Buffer.from('{');
const CLOSE = Buffer.from('}');
const SEPARATOR = Buffer.from(',');

/** Other JSON for a span of a buffer. */
export interface SpanEdit extends Span {
  json: Buffer | string;
}

/** The same bytes with other JSON in these places, which do not overlap. */
export function replaceSpans(buf: Buffer, edits: readonly SpanEdit[]): Buffer {
  if (edits.length === 0) return buf;
  const parts: Buffer[] = [];
  let done = 0;
  for (const { start, end, json } of edits.toSorted((a, b) => a.start - b.start)) {
    parts.push(buf.subarray(done, start), typeof json === 'string' ? Buffer.from(json) : json);
    done = end;
  }
  parts.push(buf.subarray(done));
  return Buffer.concat(parts);
}

/** Other JSON for what stands at the end of a path through members and elements; `undefined` takes a member out. */
export interface PathEdit {
  path: readonly (string | number)[];
  json: string | undefined;
}

/** The object in `buf` with these edits, made in this order. A path that ends early changes nothing. */
export const editPaths = (buf: Buffer, edits: readonly PathEdit[]): Buffer =>
  edits.reduce((edited, { path, json }) => editPath(edited, path, json), buf);

function editPath(buf: Buffer, [key, ...rest]: PathEdit['path'], json: string | undefined): Buffer {
  if (typeof key === 'string' && rest.length === 0) return editMembers(buf, { [key]: json });
  const span = typeof key === 'string' ? memberOf(buf, 0, key) : elements(buf, 0)[key ?? 0];
  if (!span) return buf;
  const inner = buf.subarray(span.start, span.end);
  return replaceSpans(buf, [
    { ...span, json: rest.length === 0 && json !== undefined ? json : editPath(inner, rest, json) },
  ]);
}

/** The value at the end of this way through the members of objects; undefined where the way ends early. */
export function spanAt(buf: Buffer, from: Span | undefined, ...path: readonly string[]): Span | undefined {
  let span = from;
  for (const key of path) {
    if (!span || buf[span.start] !== LBRACE) return undefined;
    span = memberOf(buf, span.start, key);
  }
  return span;
}

/** The value a buffer holds. */
export const wholeSpan = (buf: Buffer): Span => ({ start: skipWhitespace(buf, 0), end: buf.length });

/**
 * JSON text on one line. Newlines may stand in JSON only between tokens, so making them spaces changes nothing, and a
 * newline-delimited frame stays one frame. Returns the same buffer when there is nothing to change.
 */
export function oneLine(buf: Buffer): Buffer {
  if (!buf.includes(0x0a) && !buf.includes(0x0d)) return buf;
  const copy = Buffer.from(buf);
  for (let i = 0; i < copy.length; i++) {
    if (copy[i] === 0x0a || copy[i] === 0x0d) copy[i] = 0x20;
  }
  return copy;
}
