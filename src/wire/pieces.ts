/**
 * Bytes in several buffers that stand for one text: what arrives in chunks is passed on in chunks, and copied together only
 * for a reader that needs it in one piece. The bytes are shared by slices, so nothing changes them in place.
 * @module
 */

export type Pieces = readonly Buffer[];

/** Number of bytes. */
export function sizeOf(pieces: Pieces): number {
  let size = 0;
  for (const piece of pieces) size += piece.length;
  return size;
}

/** One buffer with all bytes; the very buffer where there is only one. */
export const joined = (pieces: Pieces): Buffer =>
  pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces as Buffer[]);

/** The bytes from `start` up to `end`: views, nothing is copied. */
export function sliceOf(pieces: Pieces, start: number, end: number): Buffer[] {
  const found: Buffer[] = [];
  appendSlice(found, pieces, start, end);
  return found;
}

/** Adds the bytes from `start` up to `end` to `target`. */
export function appendSlice(target: Buffer[], pieces: Pieces, start: number, end: number): void {
  let at = 0;
  for (const piece of pieces) {
    const next = at + piece.length;
    if (at >= end) return;
    if (next > start) target.push(piece.subarray(Math.max(0, start - at), Math.min(piece.length, end - at)));
    at = next;
  }
}

/** The bytes from `start` up to `end` as UTF-8 text. */
export function textOf(pieces: Pieces, start: number, end: number): string {
  const [first] = pieces;
  if (first && end <= first.length) return first.toString('utf8', start, end);
  return joined(sliceOf(pieces, start, end)).toString('utf8');
}

/** The bytes without the UTF-8 byte order mark that may stand before them (RFC 8259, section 8.1: parsers may ignore it). */
export function withoutByteOrderMark(pieces: Pieces): Pieces {
  if (pieces[0]?.[0] !== 0xef) return pieces;
  const [first, second, third] = joined(sliceOf(pieces, 0, 3));
  return first === 0xef && second === 0xbb && third === 0xbf ? sliceOf(pieces, 3, sizeOf(pieces)) : pieces;
}
