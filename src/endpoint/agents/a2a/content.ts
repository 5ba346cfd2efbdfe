/**
 * Content between A2A's messages, in the reference SDK's form, and calls of agents.
 * @module
 */
import type { Message, Part } from '@a2a-js/sdk';
import type { AgentCallResult, ContentPart } from '../../../core/agent-call.ts';

/** The parts of a message as MCP content blocks, and its data parts as input. */
export function readMessage({ parts }: Pick<Message, 'parts'>): { content: ContentPart[]; data: unknown[] } {
  const content: ContentPart[] = [];
  const data: unknown[] = [];
  for (const { content: held, mediaType, filename } of parts) {
    const name = filename === '' ? 'file' : filename;
    switch (held?.$case) {
      case 'text':
        content.push({ type: 'text', text: held.value });
        break;
      case 'raw':
        content.push(fileBlock(Buffer.from(held.value).toString('base64'), mediaType, name));
        break;
      case 'url':
        content.push({
          type: 'resource_link',
          uri: held.value,
          name,
          ...(mediaType === '' ? {} : { mimeType: mediaType }),
        });
        break;
      case 'data':
        data.push(held.value);
        break;
      default:
        break;
    }
  }
  return { content, data };
}

function fileBlock(data: string, mediaType: string, name: string): ContentPart {
  const mimeType = mediaType === '' ? 'application/octet-stream' : mediaType;
  if (mimeType.startsWith('image/')) return { type: 'image', data, mimeType };
  if (mimeType.startsWith('audio/')) return { type: 'audio', data, mimeType };
  return { type: 'resource', resource: { uri: `attachment:///${encodeURIComponent(name)}`, mimeType, blob: data } };
}

/** What an agent answered beside its text: files, links, data. */
export function answerParts({ content = [], output }: Pick<AgentCallResult, 'content' | 'output'>): Part[] {
  const parts = content.map(partOf).filter((part) => part !== undefined);
  if (output !== undefined) parts.push(dataPart(output));
  return parts;
}

function partOf(block: ContentPart): Part | undefined {
  switch (block.type) {
    case 'text':
      return textPart(block.text);
    case 'image':
    case 'audio':
      return rawPart(block.data, block.mimeType, '');
    case 'resource_link':
      return {
        ...EMPTY,
        content: { $case: 'url', value: block.uri },
        mediaType: block.mimeType ?? '',
        filename: block.name,
      };
    case 'resource': {
      const { uri, mimeType = '', text, blob } = block.resource;
      const filename = decodeURIComponent(uri.split('/').at(-1) ?? '');
      if (blob !== undefined) return rawPart(blob, mimeType, filename);
      return text === undefined ? undefined : rawPart(Buffer.from(text).toString('base64'), mimeType, filename);
    }
    default:
      return undefined;
  }
}

const EMPTY = { metadata: undefined, filename: '', mediaType: '' };

export const textPart = (text: string): Part => ({ ...EMPTY, content: { $case: 'text', value: text } });

export const dataPart = (value: unknown): Part => ({
  ...EMPTY,
  mediaType: 'application/json',
  content: { $case: 'data', value },
});

const rawPart = (data: string, mediaType: string, filename: string): Part => ({
  metadata: undefined,
  mediaType,
  filename,
  content: { $case: 'raw', value: Buffer.from(data, 'base64') },
});

/** A message as the answer to a question. */
export const answerIn = ({ content, data }: ReturnType<typeof readMessage>): { text: string; data: unknown } => ({
  text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
  data: data[0],
});
