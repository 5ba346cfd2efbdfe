/**
 * Shortens texts for messages and displays. Lengths are UTF-16 units; no surrogate pair is cut in two.
 * @module
 */

/**
 * The text of a file that people wrote: a byte order mark is dropped, and UTF-16, which some editors and shells of Windows
 * write, is read where its mark says so.
 */
export function decodeFile(bytes: Buffer): string {
  const isLittle = bytes[0] === 0xff && bytes[1] === 0xfe;
  const isBig = bytes[0] === 0xfe && bytes[1] === 0xff;
  return new TextDecoder(isLittle ? 'utf-16le' : isBig ? 'utf-16be' : 'utf-8').decode(bytes);
}

/** The first `length` units of `text`, or one fewer where the last one would be half a surrogate pair. */
export function head(text: string, length: number): string {
  const cut = text.slice(0, length);
  return cut.length < text.length && /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut;
}

/** `1 server`, `2 servers`. */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** `text` itself when it has at most `length` units; otherwise its {@link head} and `end`. */
export function shorten(text: string, length: number, end = '…'): string {
  return text.length <= length ? text : head(text, length) + end;
}

/** Like {@link shorten}, with the ellipsis counted: the result has at most `width` units. */
export function shortenTo(text: string, width: number): string {
  return text.length <= width ? text : `${head(text, Math.max(0, width - 1))}…`;
}

/** One line of at most `max` characters: whatever breaks lines, is invisible or turns the direction of text is a space. */
export function line(text: string, max: number): string {
  return shortenTo(text.replace(UNSEEN, ' ').replace(/\s+/g, ' ').trim(), max);
}

/** Controls, what editors and terminals take for the end of a line, and what turns text around or has no width. */
const UNSEEN = /[\p{Cc}\u2028\u2029\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]+/gu;
