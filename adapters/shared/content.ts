/**
 * Content parts of messages and answers: MCP's blocks on one side, the forms of agent servers on the other. Data travels as
 * base64 everywhere; a `data:` URL is taken apart.
 * @module
 */
import type { ContentPart } from '../../src/core/agent-call.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';

const MAX_PARTS = 200;
const MAX_TYPES = 10;

/** The part as a content block of MCP, or undefined when it is none: then it is of the server's own form. */
export function mcpPart(part: unknown): ContentPart | undefined {
  if (!isObject(part)) return undefined;
  switch (part.type) {
    case 'text':
      return typeof part.text === 'string' ? { type: 'text', text: part.text } : undefined;
    case 'image':
    case 'audio':
      return typeof part.data === 'string' && typeof part.mimeType === 'string'
        ? { type: part.type, data: part.data, mimeType: part.mimeType }
        : undefined;
    case 'resource_link':
      return typeof part.uri === 'string' ? (part as ContentPart) : undefined;
    case 'resource':
      return isObject(part.resource) && typeof part.resource.uri === 'string' ? (part as ContentPart) : undefined;
    default:
      return undefined;
  }
}

/** The last part of a URI's path, for a file that has no name. */
export function fileNameOf(uri: string): string {
  const name = uri.split(/[?#]/, 1)[0]?.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(name).slice(0, 200) || 'file';
  } catch {
    return name.slice(0, 200) || 'file';
  }
}

/** `data:image/png;base64,…` taken apart; undefined for other URLs. */
export function dataUrl(url: string): { mimeType: string; data: string } | undefined {
  const match = /^data:([^;,]*)((?:;[^;,]*)*),/i.exec(url.slice(0, 300));
  if (!match) return undefined;
  const rest = url.slice(match[0].length);
  const isBase64 = /;base64$/i.test(match[2] ?? '');
  const data = isBase64 ? rest : Buffer.from(decodeURIComponent(rest), 'utf8').toString('base64');
  return { mimeType: match[1] || 'text/plain', data };
}

/** A file as a part: images and audio in their own form, anything else as a resource. `data` is base64. */
export function filePart(data: string, mimeType: string, name?: string): ContentPart {
  if (mimeType.startsWith('image/')) return { type: 'image', data, mimeType };
  if (mimeType.startsWith('audio/')) return { type: 'audio', data, mimeType };
  return {
    type: 'resource',
    resource: { uri: `attachment:${encodeURIComponent(name ?? 'file')}`, mimeType, blob: data },
  };
}

/** Something at an address: a link, or the thing itself for a `data:` URL. Undefined for what clients cannot open. */
export function linkPart(
  url: string,
  { name, mimeType }: { name?: string; mimeType?: string } = {},
): ContentPart | undefined {
  const own = dataUrl(url);
  if (own) return filePart(own.data, mimeType ?? own.mimeType, name);
  if (!/^https?:\/\//i.test(url) || url.length > 2_048) return undefined;
  const link: ContentPart = { type: 'resource_link', uri: url, name: name ?? fileNameOf(url) };
  if (mimeType !== undefined) link.mimeType = mimeType;
  return link;
}

/** What is gathered of an answer besides its text. What does not fit is counted by its type. */
export class AnswerParts {
  readonly content: ContentPart[] = [];
  readonly #omitted = new Map<string, number>();

  /** Adds the part, once if it is a link; `type` names what it was if it has no form. */
  add(part: ContentPart | undefined, type: string): void {
    if (!part || this.content.length >= MAX_PARTS) {
      this.omit(type);
      return;
    }
    const isKnown =
      part.type === 'resource_link' &&
      this.content.some((other) => other.type === 'resource_link' && other.uri === part.uri);
    if (!isKnown) this.content.push(part);
  }

  omit(type: string): void {
    const name = /^[\w./-]{1,60}$/.test(type) ? type : 'unknown';
    if (this.#omitted.has(name) || this.#omitted.size < MAX_TYPES) {
      this.#omitted.set(name, (this.#omitted.get(name) ?? 0) + 1);
    }
  }

  /** The members of a result; absent where there is nothing. */
  members(): { content?: ContentPart[]; omitted?: string[] } {
    const members: { content?: ContentPart[]; omitted?: string[] } = {};
    if (this.content.length > 0) members.content = this.content;
    if (this.#omitted.size > 0) {
      members.omitted = [...this.#omitted].map(([type, count]) =>
        count === 1 ? `a part of type '${type}'` : `${count} parts of type '${type}'`,
      );
    }
    return members;
  }
}

/** A value for a trace: itself where it is short, otherwise the beginning of its JSON. */
export function shortened(value: unknown, max = 2_000): unknown {
  if (value === undefined) return undefined;
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  if (text.length <= max) return value;
  return `${text.slice(0, max)}… (${text.length} characters)`;
}

/** The role and the parts of a message: a text, or a list of parts; a lone part is a list of one. */
export function partsOf(content: unknown): string | unknown[] | undefined {
  if (typeof content === 'string' || Array.isArray(content)) return content;
  return isObject(content) ? [content] : undefined;
}

export type ServerPart = JsonObject;
