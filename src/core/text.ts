/**
 * Shortens texts for messages and displays. Lengths are UTF-16 units; no surrogate pair is cut in two.
 * @module
 */

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
