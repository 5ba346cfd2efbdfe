/**
 * Reads a JSON-RPC message's outline from its bytes in one pass: enough to route a reply and to pass its result on.
 * @module
 */
import { JsonScanError, keyText, type Span, skipWhitespace, visitMembers } from './scan.ts';

export interface Outline {
  /** Parsed; `undefined` when absent, `null` when null. */
  id?: unknown;
  method?: string;
  result?: Span;
  error?: Span;
}

/**
 * Scans one JSON-RPC message. Throws {@link JsonScanError} for anything that is not one well-formed JSON object, so a
 * truncated or malformed body is never passed on as a result.
 */
export function outline(buf: Buffer): Outline {
  const found: Outline = {};
  const end = visitMembers(buf, 0, (keyStart, keyEnd, start, valueEnd) => {
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
  });
  const rest = skipWhitespace(buf, end);
  if (rest !== buf.length) throw new JsonScanError('text after the end', rest);
  return found;
}

/** The value of a result's `resultType` member (modern results), or `undefined` when it has none. */
export function resultTypeOf(result: Buffer): string | undefined {
  // Most results never mention it: one vectorised search settles those. An escaped spelling is left to the full scan.
  if (!result.includes('resultType') && !result.includes('\\u')) return undefined;
  let type: string | undefined;
  visitMembers(result, 0, (keyStart, keyEnd, start, end) => {
    if (keyText(result, keyStart, keyEnd) !== 'resultType') return;
    const value: unknown = JSON.parse(result.toString('utf8', start, end));
    if (typeof value === 'string') type = value;
  });
  return type;
}
