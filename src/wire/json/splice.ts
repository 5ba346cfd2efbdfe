/**
 * Edits members of a JSON object in its bytes and leaves every other byte alone.
 * @module
 */
import { keyText, type Span, visitMembers } from './scan.ts';

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
