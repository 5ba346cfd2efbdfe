/**
 * Reads a JSON-RPC message's outline from its bytes in one pass: enough to route a reply and to pass its result on.
 * @module
 */
import { JsonScanError, type KeyFlags, keyText, type Span, skipWhitespace, visitMembers } from './scan.ts';

export interface Outline {
  /** Parsed; `undefined` when absent, `null` when null. */
  id?: unknown;
  method?: string;
  result?: Span;
  error?: Span;
  seen: KeyFlags;
}

/**
 * Scans one JSON-RPC message. Throws {@link JsonScanError} for anything that is not one well-formed JSON object, so a
 * truncated or malformed body is never passed on as a result.
 */
export function outline(buf: Buffer): Outline {
  const found: Outline = { seen: { uri: false, era: false } };
  const visit = (keyStart: number, keyEnd: number, start: number, valueEnd: number): void => {
    // Lengths first: "id" is 4 bytes with its quotes, the others are unmistakable; escapes only make a key longer.
    const length = keyEnd - keyStart;
    if (length < 4) return;
    switch (keyText(buf, keyStart, keyEnd)) {
      case 'id':
        found.id = JSON.parse(buf.toString('utf8', start, valueEnd));
        break;
      case 'method':
        found.method = JSON.parse(buf.toString('utf8', start, valueEnd)) as string;
        break;
      case 'result':
        found.result = { start, end: valueEnd };
        break;
      case 'error':
        found.error = { start, end: valueEnd };
        break;
    }
  };
  const rest = skipWhitespace(buf, visitMembers(buf, 0, visit, found.seen));
  if (rest !== buf.length) throw new JsonScanError('text after the end', rest);
  return found;
}

const TYPE_FIRST = Buffer.from('{"resultType":"');
const COMPLETE_LAST = Buffer.from('"resultType":"complete"}');

/**
 * The value of a result's `resultType` member (modern results), or `undefined` when it has none. Where servers put it,
 * first or last, a comparison settles it: what stands right before the closing brace is a member of the result itself.
 */
export function resultTypeOf(result: Buffer): string | undefined {
  if (startsWith(result, TYPE_FIRST)) {
    const end = result.indexOf(QUOTE, TYPE_FIRST.length);
    const value = result.toString('latin1', TYPE_FIRST.length, end);
    if (/^[a-z_]+$/.test(value)) return value;
  }
  if (endsWith(result, COMPLETE_LAST)) return 'complete';
  let type: string | undefined;
  visitMembers(result, 0, (keyStart, keyEnd, start, end) => {
    if (keyText(result, keyStart, keyEnd) !== 'resultType') return;
    const value: unknown = JSON.parse(result.toString('utf8', start, end));
    if (typeof value === 'string') type = value;
  });
  return type;
}

const QUOTE = 0x22;

export const startsWith = (buf: Buffer, head: Buffer): boolean =>
  buf.length >= head.length && head.compare(buf, 0, head.length) === 0;

export const endsWith = (buf: Buffer, tail: Buffer): boolean =>
  buf.length >= tail.length && tail.compare(buf, buf.length - tail.length) === 0;
