/**
 * The result of a call out of a graph's final state: the last words of the agent, what else its answer holds, the tools it
 * called, what it cost, and the rest of the state without its conversations.
 * @module
 */
import type { AgentCallResult, AgentStep, ThreadHistory } from '../../src/core/agent-call.ts';
import { shorten } from '../../src/core/text.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { AnswerParts, shortened } from '../shared/content.ts';
import { joinTexts } from '../shared/text-joiner.ts';
import { readParts } from './content.ts';

const MAX_OUTPUT_BYTES = 65_536;
/** Where graphs without a conversation keep what they have to say. */
const TEXT_FIELDS = ['output', 'answer', 'response', 'result', 'text'] as const;

/** Most tool calls in a result. */
const MAX_STEPS = 100;
const MAX_REASONING = 32_768;

type Said = Pick<
  AgentCallResult,
  'text' | 'content' | 'finishReason' | 'usage' | 'output' | 'reasoning' | 'steps' | 'omitted'
>;

/** `values` is the final state: an object for most graphs, anything for those of the functional API. */
export function readState(values: unknown): Said {
  if (typeof values === 'string') return { text: values };
  if (!isObject(values))
    return values === undefined || values === null ? { text: '' } : { text: '', ...output(values) };
  const turn = lastTurn(values.messages);
  const answers = turn.filter(isAgentMessage);
  const parts = new AnswerParts();
  const thoughts = answers.flatMap((message) => [
    ...readParts(fieldsOf(message).content, parts),
    ...hiddenThought(message),
  ]);
  const steps = stepsOf(turn);
  const said: Said = {
    text: lastText(answers) ?? plainText(values),
    ...parts.members(),
    ...output(withoutConversations(values)),
  };
  const finishReason = finishReasonOf(answers.at(-1));
  if (finishReason !== undefined) said.finishReason = finishReason;
  const usage = usageOf(answers);
  if (usage) said.usage = usage;
  const reasoning = joinTexts(thoughts);
  if (reasoning !== '') said.reasoning = shorten(reasoning, MAX_REASONING);
  if (steps.length > 0) said.steps = steps;
  return said;
}

/** Messages of a conversation for people: what was said, by whom. */
export function readConversation(messages: unknown): ThreadHistory['messages'] {
  if (!Array.isArray(messages)) return [];
  const said: ThreadHistory['messages'] = [];
  for (const message of messages) {
    if (!isObject(message)) continue;
    const parts = new AnswerParts();
    readParts(fieldsOf(message).content, parts);
    const { content } = parts.members();
    const one = { role: roleOf(message), text: contentOf(message), ...(content ? { content } : {}) };
    if (one.text !== '' || content) said.push(one);
  }
  return said;
}

function roleOf(message: JsonObject): string {
  if (isAgentMessage(message)) return 'assistant';
  const kind = String(kindOf(message))
    .replace(/Message(?:Chunk)?$/, '')
    .toLowerCase();
  return kind === 'human' ? 'user' : kind.slice(0, 20);
}

/** Some providers put what the model thought beside the content. */
function hiddenThought(message: JsonObject): string[] {
  const more = fieldsOf(message).additional_kwargs;
  return isObject(more) && typeof more.reasoning_content === 'string' ? [more.reasoning_content] : [];
}

function stepsOf(turn: readonly JsonObject[]): AgentStep[] {
  const steps: AgentStep[] = [];
  const byId = new Map<string, AgentStep>();
  for (const message of turn) {
    const fields = fieldsOf(message);
    for (const call of Array.isArray(fields.tool_calls) ? fields.tool_calls : []) {
      if (!isObject(call) || typeof call.name !== 'string' || steps.length >= MAX_STEPS) continue;
      const step: AgentStep = { tool: call.name.slice(0, 200), arguments: shortened(call.args) };
      steps.push(step);
      if (typeof call.id === 'string') byId.set(call.id, step);
    }
    const step = typeof fields.tool_call_id === 'string' ? byId.get(fields.tool_call_id) : undefined;
    if (!step) continue;
    step.result = shortened(textOf(fields.content) || fields.content);
    if (fields.status === 'error') step.isError = true;
  }
  return steps;
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

/** The messages since the last word of a person: an earlier turn's answer is no answer to this one. */
function lastTurn(messages: unknown): JsonObject[] {
  if (!Array.isArray(messages)) return [];
  const last = messages.findLastIndex((message) => {
    const kind = kindOf(message);
    return kind === 'human' || kind === 'HumanMessage' || kind === 'user';
  });
  return messages.slice(last + 1).filter(isObject);
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

export function withoutConversations(values: JsonObject): JsonObject {
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
