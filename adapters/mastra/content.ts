/**
 * Content of messages as Mastra takes it. MCP's blocks become the parts of the AI SDK; such parts themselves pass unchanged.
 * @module
 */
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { fileNameOf, mcpPart } from '../shared/content.ts';

/** A part with both names that versions of Mastra know the media type by. */
const file = (data: string, mimeType: string, filename: string): JsonObject => ({
  type: 'file',
  data,
  mimeType,
  mediaType: mimeType,
  filename,
});

export function toMastra(part: unknown): unknown {
  const mcp = mcpPart(part);
  if (!mcp) return part;
  switch (mcp.type) {
    case 'text':
      return mcp;
    case 'image':
      return { type: 'image', image: mcp.data, mimeType: mcp.mimeType, mediaType: mcp.mimeType };
    case 'audio':
      return file(mcp.data, mcp.mimeType, 'audio');
    case 'resource_link':
      // Not as a file: the server would fetch what the client names.
      return { type: 'text', text: `${mcp.title ?? mcp.name}: ${mcp.uri}` };
    case 'resource': {
      const { uri, mimeType = 'application/octet-stream', text, blob } = mcp.resource;
      if (text !== undefined) return { type: 'text', text: `${uri}\n${text}` };
      return file(blob ?? '', mimeType, fileNameOf(uri));
    }
  }
}

/** The text and the other parts of a message that Mastra keeps. */
export function textOfStored(content: unknown): string {
  if (typeof content === 'string') return content;
  const parts = isObject(content) && Array.isArray(content.parts) ? content.parts : content;
  if (!Array.isArray(parts)) return '';
  const texts = parts.map((part: unknown) =>
    isObject(part) && part.type === 'text' && typeof part.text === 'string' ? part.text : '',
  );
  return texts.filter((text) => text !== '').join('\n\n');
}
