/**
 * Readable names for things whose ids are a server's own and may hold anything: a name has no spaces, no line breaks, no
 * slashes, is of bounded length, and changes only when its id does.
 * @module
 */
import { sha256 } from '../../src/core/hash.ts';
import { head } from '../../src/core/text.ts';

const MAX_NAME = 100;
/** Letters and digits of any script, and what is in ids without a meaning in paths, lists or `server/agent`. */
const PLAIN = /^[\p{L}\p{N}_](?:[\p{L}\p{N}\p{M}_.@+~-]*[\p{L}\p{N}\p{M}_+-])?$/u;

/** The id itself where it is plain; otherwise what can be read of it, and a short hash of it. */
export function readableId(id: string): string {
  if (PLAIN.test(id) && id.length <= MAX_NAME) return id;
  const words = slug(id);
  return words === '' ? shortHash(id) : `${words}-${shortHash(id)}`;
}

/** `Second echo!` as `second-echo`; empty where nothing of it can be read. At most 60 characters. */
export function slug(text: string): string {
  const words = text
    .slice(0, 1_000)
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_.]+/gu, '-')
    .replace(/\.{2,}/g, '.');
  return head(words, 60).replace(/^[-.]+|[-.]+$/g, '');
}

export const shortHash = (id: string): string => sha256(id, 'hex').slice(0, 8);
