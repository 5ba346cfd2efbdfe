/**
 * Content of messages: MCP's blocks as LangChain's models take them, and the parts of LangChain's messages as MCP's blocks.
 * @module
 */
import type { ContentPart } from '../../src/core/agent-call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { type AnswerParts, fileNameOf, filePart, linkPart, mcpPart, partsOf } from '../shared/content.ts';

const ROLES: ReadonlySet<unknown> = new Set(['user', 'human', 'assistant', 'ai', 'system', 'developer', 'tool']);

/** Messages as the server takes them. Throws `SWB_INVALID_PARAMS` for what no agent could read. */
export function toLangchain(messages: readonly unknown[]): unknown[] {
  return messages.map((message, i) => {
    if (!isObject(message)) throw invalid(`messages[${i}] must be an object with role and content.`);
    // LangChain's own form names the sort of message in `type`.
    const role = message.role ?? message.type;
    if (!ROLES.has(role)) {
      const named = JSON.stringify(role)?.slice(0, 60);
      throw invalid(
        `messages[${i}].role is ${named}; allowed are user, assistant, system, and tool with a tool_call_id.`,
      );
    }
    if (role === 'tool' && typeof message.tool_call_id !== 'string') {
      throw invalid(`messages[${i}] has the role 'tool': it needs the tool_call_id of the call it answers.`);
    }
    const content = partsOf(message.content);
    if (content === undefined) throw invalid(`messages[${i}].content must be a text or a list of content parts.`);
    return { ...message, content: typeof content === 'string' ? content : content.map(toPart) };
  });
}

const invalid = (message: string): SwitchboardError => new SwitchboardError('SWB_INVALID_PARAMS', message);

/** A part of LangChain's own form is passed on as it is. */
function toPart(part: unknown): unknown {
  const mcp = mcpPart(part);
  if (!mcp) return part;
  switch (mcp.type) {
    case 'text':
      return mcp;
    case 'image':
      return image(`data:${mcp.mimeType};base64,${mcp.data}`);
    case 'audio':
      return { type: 'audio', source_type: 'base64', mime_type: mcp.mimeType, data: mcp.data };
    case 'resource_link':
      if (mcp.mimeType?.startsWith('image/') && /^https?:/i.test(mcp.uri)) return image(mcp.uri);
      return { type: 'text', text: `${mcp.title ?? mcp.name}: ${mcp.uri}` };
    case 'resource': {
      const { uri, mimeType = 'application/octet-stream', text, blob } = mcp.resource;
      if (text !== undefined) return { type: 'text', text: `${uri}\n${text}` };
      if (mimeType.startsWith('image/')) return image(`data:${mimeType};base64,${blob ?? ''}`);
      const metadata = { filename: fileNameOf(uri) };
      return { type: 'file', source_type: 'base64', mime_type: mimeType, data: blob ?? '', metadata };
    }
  }
}

const image = (url: string): JsonObject => ({ type: 'image_url', image_url: { url } });

/** Text parts are joined elsewhere; tool calls are steps of the answer. */
const ELSEWHERE: ReadonlySet<unknown> = new Set([
  'text',
  'text_delta',
  'output_text',
  'tool_use',
  'tool_call',
  'tool_call_chunk',
  'input_json_delta',
  'function_call',
  'non_standard',
]);

/** Puts the parts of one message of an answer where they belong. Returns what the model thought in it. */
export function readParts(content: unknown, parts: AnswerParts): string[] {
  if (!Array.isArray(content)) return [];
  const thoughts: string[] = [];
  for (const part of content) {
    if (!isObject(part)) continue;
    for (const source of sourcesOf(part)) parts.add(source, 'source');
    const thought = thoughtOf(part);
    if (thought !== undefined) thoughts.push(thought);
    else if (!ELSEWHERE.has(part.type)) parts.add(fromPart(part), String(part.type));
  }
  return thoughts;
}

function thoughtOf(part: JsonObject): string | undefined {
  switch (part.type) {
    case 'reasoning':
    case 'thinking': {
      const said = part.reasoning ?? part.thinking ?? part.text;
      if (typeof said === 'string') return said;
      const summary = Array.isArray(part.summary) ? part.summary : [];
      return summary
        .map((each: unknown) => (isObject(each) && typeof each.text === 'string' ? each.text : ''))
        .join('\n');
    }
    case 'redacted_thinking':
      return '';
    default:
      return undefined;
  }
}

/** Addresses that a text part cites. */
function sourcesOf(part: JsonObject): ContentPart[] {
  const cited = [part.annotations, part.citations].flatMap((list) => (Array.isArray(list) ? list : []));
  const links: ContentPart[] = [];
  for (const each of cited) {
    const { url, title } = isObject(each) ? (isObject(each.url_citation) ? each.url_citation : each) : {};
    if (typeof url !== 'string') continue;
    const link = linkPart(url, typeof title === 'string' && title !== '' ? { name: title.slice(0, 200) } : {});
    if (link) links.push(link);
  }
  return links;
}

const text = (...values: unknown[]): string | undefined =>
  values.find((value): value is string => typeof value === 'string' && value !== '');

/** LangChain's standard blocks of both versions, and the forms of the large providers that pass through it. */
function fromPart(part: JsonObject): ContentPart | undefined {
  const own = mcpPart(part);
  if (own) return own;
  if (part.type === 'image_url' || part.type === 'input_image' || part.type === 'output_image') {
    const url = isObject(part.image_url) ? part.image_url.url : part.image_url;
    return typeof url === 'string' ? linkPart(url) : undefined;
  }
  if (isObject(part.input_audio)) {
    const { data, format } = part.input_audio;
    return typeof data === 'string' ? filePart(data, `audio/${format === 'mp3' ? 'mpeg' : String(format)}`) : undefined;
  }
  const source = isObject(part.source) ? part.source : {};
  const metadata = isObject(part.metadata) ? part.metadata : {};
  const mimeType =
    text(part.mime_type, part.mimeType, source.media_type, part.media_type) ?? DEFAULTS[String(part.type)];
  const name = text(metadata.filename, metadata.name, metadata.title, part.filename, part.name, part.title);
  const data = text(part.data, part.base64, source.data);
  if (part.type === 'text-plain' || source.type === 'text' || part.source_type === 'text') {
    const plain = text(part.text, data);
    const uri = `attachment:${encodeURIComponent(name ?? 'file')}`;
    return plain === undefined
      ? undefined
      : { type: 'resource', resource: { uri, mimeType: 'text/plain', text: plain } };
  }
  if (data !== undefined && mimeType !== undefined) return filePart(data, mimeType, name);
  const url = text(part.url, source.url);
  if (url === undefined) return undefined;
  return linkPart(url, { ...(name === undefined ? {} : { name }), ...(mimeType === undefined ? {} : { mimeType }) });
}

/** For parts that leave their media type out. */
const DEFAULTS: Readonly<Record<string, string>> = {
  image: 'image/png',
  audio: 'audio/wav',
  file: 'application/octet-stream',
  document: 'application/pdf',
  video: 'video/mp4',
};
