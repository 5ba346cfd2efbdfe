/**
 * The hook `cap-result`: bounds the size of results, so that one careless call does not fill a model's context.
 *
 * Texts count by their UTF-8, everything else by its JSON. What exceeds the cap is removed from the end: a text is cut between
 * two characters, binary data becomes a text, and each cut leaves a notice with the size of what is missing. Structured
 * content cannot be cut, because clients check it against the tool's schema: when it does not fit it is removed, and the
 * result becomes an error with a notice, because a client that expects structured content takes its absence for a fault.
 * @module
 */
import { z } from 'zod';
import {
  anyGlob,
  type Hook,
  type HookDecision,
  type HookInput,
  readHookOptions,
} from '../src/policy/hooks/contract.ts';
import { isObject, type JsonObject, jsonBytes } from './json.ts';

const optionsSchema = z.strictObject({
  /** Notices are not counted. */
  maxBytes: z
    .int()
    .min(256)
    .max(1024 * 1024 * 1024)
    .default(100_000),
  /** Globs of the server's own names of tools, prompts and resources. Default: all. */
  names: z.array(z.string().min(1).max(256)).max(100).default([]),
});

/** Bound on the members that are not counted, so that nothing large passes under another name. */
const OTHER_BYTES = 4096;

export function capResult(given: Readonly<Record<string, unknown>>): Hook {
  const { maxBytes, names } = readHookOptions(optionsSchema, given);
  const concerns = anyGlob(names);
  return {
    name: 'cap-result',
    phases: ['call.after'],
    decide: (input) => (concerns(input.name) ? decide(input, maxBytes) : undefined),
  };
}

function decide({ result }: HookInput, maxBytes: number): HookDecision | undefined {
  // JSON is never shorter than its content.
  if (!isObject(result) || jsonBytes(result) <= maxBytes) return undefined;
  const cap = new Cap(maxBytes);
  const capped = capMembers(result, cap);
  if (
    jsonBytes({ ...capped, content: [], contents: [], messages: [], structuredContent: {} }) >
    maxBytes + OTHER_BYTES
  ) {
    return {
      effect: 'deny',
      reason: `The result is over the gateway's cap of ${maxBytes} bytes and cannot be shortened.`,
    };
  }
  return cap.cutAny ? { effect: 'allow', result: capped } : undefined;
}

function capMembers(result: JsonObject, cap: Cap): JsonObject {
  const capped = { ...result };
  const { structuredContent } = result;
  if (structuredContent !== undefined && !cap.takes(jsonBytes(structuredContent))) {
    delete capped.structuredContent;
    capped.isError = true;
    cap.cutAny = true;
    const notice = cap.notice('structured content', jsonBytes(structuredContent));
    if (Array.isArray(result.content)) capped.content = withNotice(cap.items(result.content, capContent), notice);
    return capped;
  }
  if (Array.isArray(result.content)) capped.content = cap.items(result.content, capContent);
  if (Array.isArray(result.contents)) capped.contents = cap.items(result.contents, capResource);
  if (Array.isArray(result.messages)) capped.messages = cap.items(result.messages, capMessage);
  return capped;
}

/** Puts the notice first: as the only item of an empty list, otherwise in the place of the first item. */
function withNotice(items: readonly unknown[], notice: string): unknown[] {
  const [first, ...rest] = items;
  const text = isObject(first) && first.type === 'text' && typeof first.text === 'string' ? first.text : undefined;
  if (text !== undefined) return [{ ...(first as JsonObject), text: `${notice}\n${text}` }, ...rest];
  return [{ type: 'text', text: notice }, ...rest];
}

type CapItem = (item: unknown, cap: Cap) => unknown;

const capContent: CapItem = (item, cap) => {
  if (!isObject(item)) return item;
  const { resource } = item;
  if (typeof item.text === 'string' && cap.takes(jsonBytes({ ...item, text: '' }))) {
    return { ...item, text: cap.text(item.text) };
  }
  if (isObject(resource) && typeof resource.text === 'string') {
    const around = jsonBytes({ ...item, resource: { ...resource, text: '' } });
    if (cap.takes(around)) return { ...item, resource: { ...resource, text: cap.text(resource.text) } };
  }
  const bytes = jsonBytes(item);
  const what = mimeTypeOf(isObject(resource) ? resource : item);
  return cap.takes(bytes) ? item : cap.leave({ type: 'text', text: cap.notice(what, bytes) });
};

const capResource: CapItem = (item, cap) => {
  if (!isObject(item)) return item;
  if (typeof item.text === 'string' && cap.takes(jsonBytes({ ...item, text: '' }))) {
    return { ...item, text: cap.text(item.text) };
  }
  const bytes = jsonBytes(item);
  if (cap.takes(bytes)) return item;
  const { uri, mimeType } = item;
  const text = cap.notice(mimeTypeOf(item), bytes);
  return cap.leave({ uri, ...(mimeType === undefined ? {} : { mimeType }), text });
};

const capMessage: CapItem = (item, cap) => {
  if (!isObject(item)) return item;
  const { content } = item;
  return { ...item, content: Array.isArray(content) ? cap.items(content, capContent) : capContent(content, cap) };
};

const mimeTypeOf = ({ mimeType, type }: JsonObject): string => {
  const what = typeof mimeType === 'string' ? mimeType : type;
  return typeof what === 'string' && /^[\w.+/-]{1,80}$/.test(what) ? what : 'an item';
};

/** What is left of the cap while a result is walked. */
class Cap {
  readonly #maxBytes: number;
  #left: number;
  cutAny = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#left = maxBytes;
  }

  /** Whether so much still fits; it then counts. */
  takes(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  notice(what: string, bytes: number): string {
    return `[${what}, ${bytes} bytes: left out, because the result is over the gateway's cap of ${this.#maxBytes} bytes]`;
  }

  leave<T>(replacement: T): T {
    this.cutAny = true;
    // One notice is enough: what comes after it is counted in the notice of the rest.
    this.#left = 0;
    return replacement;
  }

  text(text: string): string {
    const bytes = Buffer.byteLength(text);
    if (this.takes(bytes)) return text;
    const within = text.slice(0, unitsWithin(text, this.#left));
    return this.leave(
      `${within}\n[${bytes - Buffer.byteLength(within)} more bytes left out: the result is over the gateway's cap of ${this.#maxBytes} bytes]`,
    );
  }

  /** The items up to the cap; the last of them gets a notice about the rest. */
  items(items: readonly unknown[], capItem: CapItem): unknown[] {
    const capped: unknown[] = [];
    for (const [index, item] of items.entries()) {
      if (this.cutAny && this.#left === 0) return this.#withRest(capped, items.length - index);
      capped.push(capItem(item, this));
    }
    return capped;
  }

  #withRest(capped: readonly unknown[], count: number): unknown[] {
    const last = capped.at(-1);
    const rest = `[${count} more items left out]`;
    const lastText = (item: unknown): unknown => {
      if (!isObject(item)) return item;
      if (typeof item.text === 'string') return { ...item, text: `${item.text}\n${rest}` };
      if (isObject(item.resource)) return { ...item, resource: lastText(item.resource) };
      if (isObject(item.content)) return { ...item, content: lastText(item.content) };
      return item;
    };
    return last === undefined ? [] : [...capped.slice(0, -1), lastText(last)];
  }
}

/** How many UTF-16 units of the text fit into so many bytes of UTF-8, never half a character. */
function unitsWithin(text: string, bytes: number): number {
  return new TextEncoder().encodeInto(text.slice(0, bytes), new Uint8Array(bytes)).read;
}
