/**
 * Content between MCP and A2A: messages of a call become the parts of one A2A message, and the artifacts of a task become
 * text, content blocks and data.
 * @module
 */
import type { AgentMessage, ContentPart } from '../../src/core/agent-call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { Artifact, Message, Part } from './messages.ts';

/** The parts of all messages of the call, in order. Throws `SWB_INVALID_PARAMS` for what A2A has no place for. */
export function partsToSend(messages: readonly AgentMessage[], input: unknown): Part[] {
  const parts: Part[] = [];
  for (const { role, content } of messages) {
    if (role !== 'user') {
      throw invalid(
        `An A2A agent keeps its conversation itself: send user messages only, and the threadId of the conversation; found a message of role '${role.slice(0, 40)}'.`,
      );
    }
    if (typeof content === 'string') parts.push({ text: content });
    else if (Array.isArray(content)) for (const each of content) parts.push(partToSend(each));
    else throw invalid('The content of a message is text, or an array of content blocks.');
  }
  if (input !== undefined) parts.push({ data: input });
  return parts;
}

/** A content block of MCP, or a part of A2A's own form (either version). */
function partToSend(block: unknown): Part {
  if (typeof block === 'string') return { text: block };
  if (!isObject(block)) throw invalid('A content block is an object.');
  switch (block.type) {
    case 'text':
      if (typeof block.text === 'string') return { text: block.text };
      break;
    case 'image':
    case 'audio':
      if (typeof block.data === 'string' && typeof block.mimeType === 'string') {
        return { bytes: block.data, mimeType: block.mimeType, name: undefined };
      }
      break;
    case 'resource_link':
      if (typeof block.uri === 'string') {
        return { url: block.uri, mimeType: textOr(block.mimeType), name: textOr(block.name) };
      }
      break;
    case 'resource':
      if (isObject(block.resource)) return resourcePart(block.resource);
      break;
    case undefined:
      return ownPart(block);
    default:
      break;
  }
  throw invalid(`A content block of type ${JSON.stringify(block.type)} cannot be sent to an A2A agent as it is.`);
}

function resourcePart({ uri, mimeType, text, blob }: JsonObject): Part {
  const name = typeof uri === 'string' ? uri.split('/').at(-1) : undefined;
  if (typeof blob === 'string') return { bytes: blob, mimeType: textOr(mimeType) ?? 'application/octet-stream', name };
  if (typeof text === 'string') {
    return { bytes: Buffer.from(text).toString('base64'), mimeType: textOr(mimeType) ?? 'text/plain', name };
  }
  throw invalid('An embedded resource has text or blob.');
}

function ownPart(block: JsonObject): Part {
  if (typeof block.text === 'string') return { text: block.text };
  if ('data' in block) return { data: block.data };
  const file = isObject(block.file) ? block.file : block;
  const mimeType = textOr(file.mediaType ?? file.mimeType);
  const name = textOr(file.filename ?? file.name);
  const bytes = file.raw ?? file.bytes;
  if (typeof bytes === 'string') return { bytes, mimeType: mimeType ?? 'application/octet-stream', name };
  const url = file.url ?? file.uri;
  if (typeof url === 'string') return { url, mimeType, name };
  throw invalid('A part of A2A has text, raw, url or data.');
}

export interface Shown {
  text: string;
  content: ContentPart[];
  data: unknown[];
}

/** What the agent answered: its artifacts, then its message, which often repeats them. */
export function shown(artifacts: readonly Artifact[], message: Message | undefined): Shown {
  const texts: string[] = [];
  const content: ContentPart[] = [];
  const data: unknown[] = [];
  const add = (parts: readonly Part[], of: string): void => {
    const text = textOf(parts);
    if (text !== '' && !texts.includes(text)) texts.push(text);
    for (const [i, part] of parts.entries()) {
      if ('data' in part) data.push(part.data);
      else if (!('text' in part)) content.push(fileBlock(part, `${of}-${i + 1}`));
    }
  };
  for (const [i, { parts, name }] of artifacts.entries()) add(parts, name ?? `artifact-${i + 1}`);
  if (message) add(message.parts, 'message');
  return { text: texts.join('\n\n'), content, data };
}

/** The pieces of an artifact arrive as parts of their own (measured): they are one text. */
export const textOf = (parts: readonly Part[]): string =>
  parts.map((part) => ('text' in part ? part.text : '')).join('');

function fileBlock(part: Exclude<Part, { text: string } | { data: unknown }>, fallback: string): ContentPart {
  const name = part.name ?? fallback;
  if ('url' in part) {
    return {
      type: 'resource_link',
      uri: part.url,
      name,
      ...(part.mimeType === undefined ? {} : { mimeType: part.mimeType }),
    };
  }
  const { bytes, mimeType } = part;
  if (mimeType.startsWith('image/')) return { type: 'image', data: bytes, mimeType };
  if (mimeType.startsWith('audio/')) return { type: 'audio', data: bytes, mimeType };
  return { type: 'resource', resource: { uri: `attachment:///${encodeURIComponent(name)}`, mimeType, blob: bytes } };
}

const textOr = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

const invalid = (message: string): SwitchboardError => new SwitchboardError('SWB_INVALID_PARAMS', message);
