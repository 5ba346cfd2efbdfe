/**
 * Values that callers sent, as operators may see them: without credentials in their texts.
 *
 * Texts are searched as they were sent, before they are written as JSON (which puts a backslash before each quote) and shortened.
 * @module
 */
import { REDACTED } from '../../config/redact.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { withoutShapes } from './secret-values.ts';

/** Characters of one value that are searched; pages show far fewer. */
const MAX_SEARCHED = 64 * 1024;
const LEFT_OUT = '[…]';

const NAME = '(?:token|secret|passw(?:or)?d|passphrase|(?:api|access|private)[-_]?key|credentials?)';
/** `=`, `:` or `=>`, with what closes the name before it: a quote of JSON, of JSON within a text, or of an index. */
const EQUALS = '\\\\{0,7}["\'`]?\\]?\\s{0,4}[=:]{1,3}>?\\s{0,4}';
/** Behind a flag such as `--password`. */
const SPACE = '(?<=(?<![\\w-])--?\\w[\\w-]{0,64})\\s{1,4}(?!-)';
/** In quotes, up to the end where they are not closed; or up to white space, a quote or the next parameter. No alternative takes back what it read. */
const VALUE = [
  '"(?:\\\\[^]?|[^"\\\\])*"?',
  "'(?:\\\\[^]?|[^'\\\\]|'\\\\'')*'?",
  '`(?:\\\\[^]?|[^`\\\\])*`?',
  // Quotes of a text within a text: `\"` ends at the next `\"`, not at `\\\"`.
  '(\\\\{1,7}["\'`])[^]*?(?:(?<!\\\\)\\2|$)',
  '(?:\\\\[^]?|[^\\s"\'`&\\\\])+',
].join('|');
const NAMED_VALUE = new RegExp(`(${NAME}(?:${EQUALS}|${SPACE})\\$?)(?:${VALUE})`, 'gi');

const SECRET_KEY = new RegExp(`${NAME}$`, 'i');
const SECRET_FLAG = new RegExp(`^--?[\\w-]*${NAME}$`, 'i');

/** A copy of plain data; credentials in it are replaced: those of known shapes, and what stands behind a name such as `api_key`. */
export function withoutCredentials(value: unknown): unknown {
  let left = MAX_SEARCHED;
  const search = (text: string): string => {
    left -= text.length;
    return left < 0 ? LEFT_OUT : withoutNamed(withoutShapes(text, REDACTED));
  };
  const below = (item: unknown): unknown => {
    if (typeof item === 'string') return search(item);
    if (Array.isArray(item)) {
      return item.map((each, at) => (typeof each === 'string' && isFlag(item[at - 1]) ? REDACTED : below(each)));
    }
    if (!isObject(item) || item instanceof Date) return item;
    return Object.fromEntries(
      Object.entries(item).map(([key, each]) => [
        search(key),
        typeof each === 'string' && SECRET_KEY.test(key) ? REDACTED : below(each),
      ]),
    );
  };
  return below(value);
}

const withoutNamed = (text: string): string => text.replace(NAMED_VALUE, `$1${REDACTED}`);

const isFlag = (item: unknown): boolean => typeof item === 'string' && item.length <= 100 && SECRET_FLAG.test(item);
