/**
 * Reads `agents/call` into the body of `POST /responses`, by allow-list: other members could name another agent, call
 * addresses from the server, or leave the response running without a client that follows it.
 * @module
 */
import type { AgentCallParams, AgentMessage } from '../../src/core/agent-call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';

const OPTIONS: readonly string[] = [
  'include',
  'input',
  'instructions',
  'max_output_tokens',
  'max_tool_calls',
  'metadata',
  'parallel_tool_calls',
  'reasoning',
  'service_tier',
  'store',
  'temperature',
  'text',
  'tool_choice',
  'top_p',
  'truncation',
];

const ROLES: readonly string[] = ['user', 'assistant', 'system', 'developer'];

export interface TurnInput {
  agent: string;
  /** The members of the request that the call gives. */
  body: JsonObject;
  threadId: string | undefined;
  stream: boolean;
}

/** Rejects with `SWB_INVALID_PARAMS` and what is allowed. */
export function readTurn(params: JsonObject): TurnInput {
  const { agent, messages = [], input, threadId, stream, options = {} } = params as Partial<AgentCallParams>;
  if (typeof agent !== 'string' || agent === '') throw invalid('agent must name an agent.');
  if (!Array.isArray(messages)) throw invalid('messages must be an array.');
  if (!isObject(options)) throw invalid('options must be an object.');
  if (threadId !== undefined && (typeof threadId !== 'string' || threadId === '' || threadId.length > 512)) {
    throw invalid('threadId must be a text of at most 512 characters.');
  }
  const body: JsonObject = {};
  for (const [name, value] of Object.entries(options)) {
    if (!OPTIONS.includes(name)) {
      throw invalid(`options.${name.slice(0, 60)} is not accepted. Known: ${OPTIONS.join(', ')}.`);
    }
    if (value !== undefined) body[name] = value;
  }
  const items = body.input;
  if (items !== undefined && !Array.isArray(items)) throw invalid('options.input must be an array of input items.');
  const said = messages.map(messageItem);
  if (input !== undefined) said.push({ role: 'user', content: JSON.stringify(input) });
  body.input = [...(items ?? []), ...said];
  if ((body.input as unknown[]).length === 0) {
    throw invalid('Say something: there is neither a message, nor input, nor options.input.');
  }
  return { agent, body, threadId, stream: stream === true };
}

function messageItem({ role, content }: AgentMessage): JsonObject {
  if (!ROLES.includes(role)) throw invalid(`A message has one of the roles ${ROLES.join(', ')}.`);
  if (typeof content === 'string') return { role, content };
  if (!Array.isArray(content)) throw invalid('The content of a message is text, or an array of content blocks.');
  const parts = content.map((block) => inputPart(block, role));
  // Text alone goes as text: some servers know nothing else.
  const plain = parts.every(({ type }) => type === 'input_text');
  return { role, content: plain ? parts.map(({ text }) => text).join('') : parts };
}

/** A content block of MCP as an input part; parts of the API's own form are passed on. */
function inputPart(block: unknown, role: string): JsonObject {
  const text = role === 'assistant' ? 'output_text' : 'input_text';
  if (typeof block === 'string') return { type: text, text: block };
  if (!isObject(block)) throw invalid('A content block is an object.');
  const { type, data, mimeType } = block;
  if (type === 'text' && typeof block.text === 'string') return { type: text, text: block.text };
  if (type === 'image' && typeof data === 'string') return { type: 'input_image', image_url: dataUrl(mimeType, data) };
  if (type === 'audio' && typeof data === 'string') {
    const format = typeof mimeType === 'string' && /mpeg|mp3/.test(mimeType) ? 'mp3' : 'wav';
    return { type: 'input_audio', input_audio: { data, format } };
  }
  if (type === 'resource_link' && typeof block.uri === 'string') return linkPart(block.uri, mimeType);
  if (type === 'resource' && isObject(block.resource)) return resourcePart(block.resource, text);
  if (typeof type === 'string' && /^(?:input|output)_/.test(type)) return block;
  throw invalid(`A content block of type ${JSON.stringify(type)} has no form in the Responses API.`);
}

function linkPart(uri: string, mimeType: unknown): JsonObject {
  const image = typeof mimeType === 'string' && mimeType.startsWith('image/');
  return image ? { type: 'input_image', image_url: uri } : { type: 'input_file', file_url: uri };
}

function resourcePart({ uri, mimeType, text, blob }: JsonObject, textType: string): JsonObject {
  if (typeof text === 'string') return { type: textType, text };
  if (typeof blob !== 'string') throw invalid('An embedded resource has text or blob.');
  if (typeof mimeType === 'string' && mimeType.startsWith('image/')) {
    return { type: 'input_image', image_url: dataUrl(mimeType, blob) };
  }
  const filename = typeof uri === 'string' ? (uri.split('/').at(-1) ?? 'file') : 'file';
  return { type: 'input_file', filename, file_data: dataUrl(mimeType, blob) };
}

const dataUrl = (mimeType: unknown, data: string): string =>
  `data:${typeof mimeType === 'string' ? mimeType : 'application/octet-stream'};base64,${data}`;

const invalid = (message: string): SwitchboardError => new SwitchboardError('SWB_INVALID_PARAMS', message);
