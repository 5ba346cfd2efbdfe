/**
 * What a server answered when the gateway could not use it: kept as the `cause` of the error, for `switchboard check`
 * and for deciding what a refusal means. Of it clients get the server's own sentence at most, see {@link sentence}.
 * @module
 */
import { head, shortenTo } from './text.ts';

/** Characters of a body that are kept. */
const KEPT = 2_000;

/** Characters of a server's sentence that messages repeat. */
const MAX_SENTENCE = 160;

export class Evidence extends Error {
  /** The request, as JSON text; undefined where it was a client's. */
  sent: string | undefined;
  /** Of HTTP; undefined where a JSON-RPC error came without one. */
  readonly status: number | undefined;
  readonly contentType: string | undefined;
  /** The first characters of the body. */
  readonly beginning: string;

  constructor(status: number | undefined, contentType: string | undefined, body: Buffer, cause?: unknown) {
    super(
      status === undefined ? 'It answered with an error.' : `It answered with HTTP ${status}.`,
      cause === undefined ? undefined : { cause },
    );
    this.name = 'Evidence';
    this.status = status;
    this.contentType = contentType;
    this.beginning = head(body.toString('utf8', 0, 4 * KEPT), KEPT);
  }
}

/** What a command wrote to stderr before it ended: kept as the `cause` of the error, for operators alone. */
export class LastLines extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super('It wrote something before it ended.');
    this.name = 'LastLines';
    this.lines = lines;
  }
}

/** The evidence among the causes of an error. */
export const evidenceOf = (error: unknown): Evidence | undefined => causeOf(error, Evidence);

/** The last lines of stderr among the causes of an error. */
export const lastLinesOf = (error: unknown): readonly string[] => causeOf(error, LastLines)?.lines ?? [];

function causeOf<T extends Error>(error: unknown, kind: abstract new (...args: never[]) => T): T | undefined {
  let each = error;
  for (let depth = 0; depth < 8 && each instanceof Error; depth++) {
    if (each instanceof kind) return each;
    each = each.cause;
  }
  return undefined;
}

/**
 * What the server says in the body, for people: one line of plain text or the message of a JSON body, shortened, without
 * `secrets` and what looks like one. Undefined for web pages and bodies that say nothing.
 */
export function sentence({ beginning, contentType }: Evidence, secrets: Iterable<string>): string | undefined {
  if (contentType?.includes('html')) return undefined;
  const text = sentenceIn(beginning).split(/[\r\n]/, 1)[0] ?? '';
  const line = mask(text.replace(/[\p{Cc}\p{Cf}]/gu, ' '), secrets)
    .replace(/\s+/g, ' ')
    .trim();
  return line === '' ? undefined : shortenTo(line, MAX_SENTENCE);
}

/** The sentence of a body that is text or JSON with a message; empty for anything else. */
export function sentenceIn(body: string): string {
  const text = body.trim();
  if (text.startsWith('<')) return '';
  if (!/^["{[]/.test(text)) return text;
  try {
    return messageIn(JSON.parse(text), 0);
  } catch {
    return '';
  }
}

/** The message of a JSON value, under the names that frameworks give it. */
function messageIn(value: unknown, depth: number): string {
  if (typeof value === 'string') return value.trim();
  if (typeof value !== 'object' || value === null || depth === 3) return '';
  const members = value as Record<string, unknown>;
  for (const name of ['message', 'error_description', 'detail', 'error', 'jsonRpcError', 'title', 'reason']) {
    const found = messageIn(members[name], depth + 1);
    if (found !== '') return found;
  }
  return '';
}

const MASK = '[redacted]';

/** The text without these secrets, and without what has the shape of one. */
export function mask(text: string, secrets: Iterable<string>): string {
  // Of two secrets one may be part of the other.
  const known = [...new Set(secrets)].filter(({ length }) => length >= 4).sort((a, b) => b.length - a.length);
  return known
    .reduce((masked, secret) => masked.replaceAll(secret, MASK), text)
    .replace(/\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${MASK}`)
    .replace(
      /\b((?:api[-_ ]?key|token|secret|password|passwd|authorization)["']?\s*[=:]\s*["']?)[^\s"',;)}\]]{4,}/gi,
      `$1${MASK}`,
    )
    .replace(/\b(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[\w-]{20,}(?:\.[\w-]{8,})*/g, MASK)
    .replace(/(:\/\/)[^\s/@"']*@/g, '$1')
    .replace(/(:\/\/[^\s?"'<>]*)\?[^\s"'<>]*/g, `$1?${MASK}`);
}

/** The values of headers as secrets: whole, and `Bearer …` without its scheme. */
export function secretsOf(headers: Readonly<Record<string, string>>, url?: string): string[] {
  const parsed = url === undefined ? null : URL.parse(url);
  const inUrl = parsed ? [parsed.username, parsed.password, ...parsed.searchParams.values()].filter(Boolean) : [];
  return [...Object.values(headers).flatMap((value) => [value, ...value.split(/\s+/).slice(1)]), ...inUrl];
}
