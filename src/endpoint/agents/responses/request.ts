/**
 * Reads the body of `POST /v1/responses`: which agent, and what is said to it. What an agent behind the gateway has no use for
 * is refused by name; what does not change an answer is passed over.
 * @module
 */
import type { AgentMessage, ContentPart } from '../../../core/agent-call.ts';
import { SwitchboardError } from '../../../core/errors.ts';
import type { AgentName } from '../../../relay/agents/direct-call.ts';
import { isObject, type JsonObject } from '../../../wire/jsonrpc.ts';

export interface ReadRequest {
  /** `server/agent`, as the client wrote it. */
  model: string;
  agent: AgentName;
  messages: AgentMessage[];
  /** Results of functions, by the id of their call: the answers to questions. */
  answers: ReadonlyMap<string, string>;
  previous: string | undefined;
  stream: boolean;
  background: boolean;
  store: boolean;
  metadata: JsonObject;
}

/** They ask for another run than the agent's own. */
const REFUSED: readonly string[] = ['tools', 'tool_choice', 'conversation', 'prompt', 'max_tool_calls'];

export function readRequest(body: unknown): ReadRequest {
  if (!isObject(body)) throw invalid('The body must be a JSON object.');
  for (const name of REFUSED) {
    const value = body[name];
    const none = value === undefined || value === null || (Array.isArray(value) && value.length === 0);
    if (!none && !(name === 'tool_choice' && value === 'auto')) {
      throw invalid(`${name} is not supported: the agent has its own.`);
    }
  }
  const { model, input, instructions, previous_response_id: previous, metadata } = body;
  if (typeof model !== 'string') throw invalid("model must name an agent: 'server/agent'. GET /v1/models lists them.");
  const { messages, answers } = readInput(input);
  if (typeof instructions === 'string' && instructions !== '')
    messages.unshift({ role: 'system', content: instructions });
  if (previous !== undefined && previous !== null && typeof previous !== 'string') {
    throw invalid('previous_response_id must be a text.');
  }
  return {
    model,
    agent: agentIn(model),
    messages,
    answers,
    previous: previous ?? undefined,
    stream: body.stream === true,
    background: body.background === true,
    store: body.store !== false,
    metadata: isObject(metadata) ? metadata : {},
  };
}

/** Names of servers have no slash. */
function agentIn(model: string): AgentName {
  const slash = model.indexOf('/');
  if (slash <= 0 || slash === model.length - 1) {
    throw invalid(`model '${model.slice(0, 100)}' names no agent: it is 'server/agent'. GET /v1/models lists them.`);
  }
  return { server: model.slice(0, slash), agent: model.slice(slash + 1) };
}

function readInput(input: unknown): { messages: AgentMessage[]; answers: Map<string, string> } {
  if (typeof input === 'string' && input !== '')
    return { messages: [{ role: 'user', content: input }], answers: new Map() };
  if (!Array.isArray(input) || input.length === 0) throw invalid('input must be a text, or an array of input items.');
  const messages: AgentMessage[] = [];
  const answers = new Map<string, string>();
  for (const item of input) {
    if (!isObject(item)) throw invalid('An input item is an object.');
    if (item.type === 'function_call_output') {
      const { call_id, output } = item;
      if (typeof call_id !== 'string') throw invalid('A function_call_output has the call_id it is for.');
      answers.set(call_id, typeof output === 'string' ? output : JSON.stringify(output));
    } else if (item.type === undefined || item.type === 'message') messages.push(readMessage(item));
    else if (item.type !== 'reasoning' && item.type !== 'function_call') {
      throw invalid(`An input item of type ${JSON.stringify(item.type)} is not supported.`);
    }
  }
  return { messages, answers };
}

function readMessage({ role, content }: JsonObject): AgentMessage {
  const named = role === 'developer' ? 'system' : role;
  if (named !== 'user' && named !== 'assistant' && named !== 'system') {
    throw invalid("The role of a message is 'user', 'assistant', 'system' or 'developer'.");
  }
  if (typeof content === 'string') return { role: named, content };
  if (!Array.isArray(content)) throw invalid('The content of a message is a text, or an array of parts.');
  const parts = content.map(readPart);
  const [only] = parts;
  return { role: named, content: parts.length === 1 && only?.type === 'text' ? only.text : parts };
}

function readPart(part: unknown): ContentPart {
  if (!isObject(part)) throw invalid('A part of a message is an object.');
  const { type, text } = part;
  if ((type === 'input_text' || type === 'output_text' || type === 'text') && typeof text === 'string') {
    return { type: 'text', text };
  }
  if (type === 'input_image' && typeof part.image_url === 'string') return urlPart(part.image_url, 'image');
  if (type === 'input_file') {
    const name = typeof part.filename === 'string' ? part.filename : 'file';
    if (typeof part.file_data === 'string') return urlPart(part.file_data, name);
    if (typeof part.file_url === 'string') return urlPart(part.file_url, name);
  }
  if (type === 'input_audio' && isObject(part.input_audio)) {
    const { data, format } = part.input_audio;
    if (typeof data === 'string')
      return { type: 'audio', data, mimeType: format === 'mp3' ? 'audio/mpeg' : 'audio/wav' };
  }
  throw invalid(`A part of type ${JSON.stringify(type)} is not supported.`);
}

/** The content of a `data:` URL, or a link. */
function urlPart(url: string, name: string): ContentPart {
  const [, mimeType = 'application/octet-stream', data] = /^data:([^;,]*)(?:;[^,]*)?;base64,(.*)$/s.exec(url) ?? [];
  if (data === undefined) return { type: 'resource_link', uri: url, name };
  if (mimeType.startsWith('image/')) return { type: 'image', data, mimeType };
  return { type: 'resource', resource: { uri: `attachment:///${encodeURIComponent(name)}`, mimeType, blob: data } };
}

const invalid = (message: string): SwitchboardError => new SwitchboardError('SWB_INVALID_PARAMS', message);
