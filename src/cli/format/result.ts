/**
 * The result of a tool as text: text blocks unchanged, other blocks as a short description.
 * @module
 */
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { bytes } from './text.ts';

export function resultText(result: JsonObject): string {
  const blocks = Array.isArray(result.content) ? result.content.filter(isObject) : [];
  const parts = blocks.map(blockText);
  if (parts.length === 0 && result.structuredContent !== undefined) {
    parts.push(JSON.stringify(result.structuredContent, null, 2));
  }
  return parts.join('\n');
}

function blockText(block: JsonObject): string {
  switch (block.type) {
    case 'text':
      return String(block.text ?? '');
    case 'image':
    case 'audio':
      return `[${block.type} ${String(block.mimeType ?? '')}, ${bytes(base64Bytes(block.data))}]`;
    case 'resource_link':
      return `[resource ${String(block.name ?? '')} <${String(block.uri ?? '')}>]`;
    case 'resource':
      return resourceText(isObject(block.resource) ? block.resource : {});
    default:
      return `[${String(block.type)}]`;
  }
}

function resourceText(resource: JsonObject): string {
  if (typeof resource.text === 'string') return resource.text;
  return `[resource <${String(resource.uri ?? '')}> ${String(resource.mimeType ?? '')}, ${bytes(base64Bytes(resource.blob))}]`;
}

const base64Bytes = (data: unknown): number => (typeof data === 'string' ? Buffer.byteLength(data, 'base64') : 0);
