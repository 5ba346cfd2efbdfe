/**
 * The result of a call out of a graph's final state: the last words of the agent, what they cost, and the rest of the
 * state without its conversations.
 * @module
 */
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';

const MAX_OUTPUT_BYTES = 65_536;
/** Where graphs without a conversation keep what they have to say. */
const TEXT_FIELDS = ['output', 'answer', 'response', 'result', 'text'] as const;

interface Said {
  text: string;
  finishReason?: string;
  usage?: JsonObject;
  output?: unknown;
}

/** `values` is the final state: an object for most graphs, anything for those of the functional API. */
export function readState(values: unknown): Said {
  if (typeof values === 'string') return { text: values };
  if (!isObject(values))
    return values === undefined || values === null ? { text: '' } : { text: '', ...output(values) };
  const turn = lastTurn(values.messages);
  const said: Said = { text: lastText(turn) ?? plainText(values), ...output(withoutConversations(values)) };
  const finishReason = finishReasonOf(turn.at(-1));
  if (finishReason !== undefined) said.finishReason = finishReason;
  const usage = usageOf(turn);
  if (usage) said.usage = usage;
  return said;
}

/** The text of a message or of a piece of one: a string, or parts of which the text ones count. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part: unknown) => {
      if (typeof part === 'string') return part;
      return isObject(part) && typeof part.text === 'string' && isTextPart(part.type) ? part.text : '';
    })
    .join('');
}

const isTextPart = (type: unknown): boolean =>
  type === undefined || type === 'text' || type === 'text_delta' || type === 'output_text';

/** Messages arrive as `{type, content}`, as chunks, and from some servers with a role or in LangChain's constructor form. */
export function isAgentMessage(message: unknown): message is JsonObject {
  const kind = kindOf(message);
  return kind === 'ai' || kind === 'AIMessageChunk' || kind === 'AIMessage' || kind === 'assistant';
}

function kindOf(message: unknown): unknown {
  if (!isObject(message)) return undefined;
  if (message.type === 'constructor' && Array.isArray(message.id)) return message.id.at(-1);
  return message.type ?? message.role;
}

function fieldsOf(message: JsonObject): JsonObject {
  return message.type === 'constructor' && isObject(message.kwargs) ? message.kwargs : message;
}

export const contentOf = (message: JsonObject): string => textOf(fieldsOf(message).content);

/** The agent's messages since the last word of a person: an earlier turn's answer is no answer to this one. */
function lastTurn(messages: unknown): JsonObject[] {
  const turn: JsonObject[] = [];
  if (!Array.isArray(messages)) return turn;
  for (let i = messages.length - 1; i >= 0; i--) {
    const kind = kindOf(messages[i]);
    if (kind === 'human' || kind === 'HumanMessage' || kind === 'user') break;
    if (isAgentMessage(messages[i])) turn.unshift(messages[i]);
  }
  return turn;
}

function lastText(turn: readonly JsonObject[]): string | undefined {
  return turn.map(contentOf).findLast((text) => text !== '');
}

function plainText(values: JsonObject): string {
  const text = TEXT_FIELDS.map((field) => values[field]).find((value) => typeof value === 'string');
  return (text as string | undefined) ?? '';
}

function finishReasonOf(message: JsonObject | undefined): string | undefined {
  const metadata = message && fieldsOf(message).response_metadata;
  if (!isObject(metadata)) return undefined;
  const reason = metadata.finish_reason ?? metadata.finishReason ?? metadata.stop_reason;
  return typeof reason === 'string' ? reason.slice(0, 100) : undefined;
}

/** Tokens of the whole turn; undefined when the model counted none. */
function usageOf(turn: readonly JsonObject[]): JsonObject | undefined {
  const usage = { inputTokens: 0, outputTokens: 0, totalTokens: 0 };
  let any = false;
  for (const message of turn) {
    const counted = fieldsOf(message).usage_metadata;
    if (!isObject(counted)) continue;
    any = true;
    usage.inputTokens += Number(counted.input_tokens) || 0;
    usage.outputTokens += Number(counted.output_tokens) || 0;
    usage.totalTokens += Number(counted.total_tokens) || 0;
  }
  return any ? usage : undefined;
}

function withoutConversations(values: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(values).filter(([key, value]) => key !== 'messages' && !isConversation(value)),
  );
}

/** A history under another name: what it holds was said before. */
const MESSAGE = /^(?:(?:human|ai|system|tool|function|user|assistant|developer)|[A-Z]\w*Message(?:Chunk)?)$/;

function isConversation(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0) return false;
  return value.every((item: unknown) => {
    const kind = kindOf(item);
    return typeof kind === 'string' && MESSAGE.test(kind) && 'content' in fieldsOf(item as JsonObject);
  });
}

/** Too large a state is left out, and that is said where it would be. */
function output(state: unknown): { output?: unknown } {
  if (isObject(state) && Object.keys(state).length === 0) return {};
  const bytes = Buffer.byteLength(JSON.stringify(state));
  if (bytes <= MAX_OUTPUT_BYTES) return { output: state };
  return { output: { omitted: `The final state has ${bytes} bytes; at most ${MAX_OUTPUT_BYTES} are passed on.` } };
}
