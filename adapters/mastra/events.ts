/**
 * Parses the events of a run. Almost all of a long one are pieces of text that differ from the one before in the piece alone; such an
 * event is recognised and not parsed, which costs a quarter of it (measured).
 * @module
 */
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';

/** An event with a piece of text, and what stands around the piece in its JSON. */
interface Pattern {
  before: string;
  behind: string;
  event: JsonObject;
  payload: JsonObject;
}

/** Longer pieces are parsed: V8 copies up to here, and a part of a longer text would keep all of it. */
const MAX_PIECE = 12;
/** What a string of JSON may hold without an escape. */
const PLAIN = /^[^"\\\u0000-\u001f]*$/;
/** Longest event that later ones are compared with. */
const MAX_PATTERN = 1_024;
/** A run whose events all differ is not worth more attempts. */
const MAX_PATTERNS = 16;

export class EventParser {
  /** The server's name, for messages. */
  readonly #name: string;
  #pattern: Pattern | undefined;
  #patterns = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** As `JSON.parse`. Throws `SWB_UPSTREAM_PROTOCOL`. */
  parse(text: string): unknown {
    const known = this.#pattern && matching(this.#pattern, text);
    if (known) return known;
    const event = parseEvent(text, this.#name);
    if (text.length <= MAX_PATTERN && this.#patterns < MAX_PATTERNS) this.#learn(text, event);
    return event;
  }

  #learn(text: string, event: unknown): void {
    if (!isObject(event) || !isObject(event.payload)) return;
    const { payload } = event;
    const piece = payload.text;
    if (typeof piece !== 'string' || piece.length > MAX_PIECE || !PLAIN.test(piece)) return;
    // With it in two places, the probe below could not tell which of them is the piece.
    if (text.includes(OTHER)) return;
    this.#patterns++;
    const at = text.lastIndexOf(`"${piece}"`) + 1;
    const pattern = { before: text.slice(0, at), behind: text.slice(at + piece.length), event, payload };
    // The same letters may be another member's: with other ones in their place it must be the piece that differs.
    const other = parsed(`${pattern.before}${OTHER}${pattern.behind}`);
    if (isObject(other) && isObject(other.payload) && other.payload.text === OTHER) this.#pattern = pattern;
  }
}

/** Longer than any piece that is compared. */
const OTHER = '(some other piece)';

/** The event that the text is, where it is like the pattern. */
function matching({ before, behind, event, payload }: Pattern, text: string): JsonObject | undefined {
  const length = text.length - before.length - behind.length;
  if (length < 0 || length > MAX_PIECE || !text.startsWith(before) || !text.endsWith(behind)) return undefined;
  const piece = text.slice(before.length, before.length + length);
  return PLAIN.test(piece) ? { ...event, payload: { ...payload, text: piece } } : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function parseEvent(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' sent an event that is not JSON.`, { cause });
  }
}
