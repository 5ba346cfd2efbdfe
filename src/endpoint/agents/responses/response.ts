/**
 * A turn with an agent as a response object: its text is a message, its pictures and reasoning are items, and its question is a
 * function for the client to call.
 * @module
 */
import { hash, randomUUID } from 'node:crypto';
import type { AgentCallResult } from '../../../core/agent-call.ts';
import type { JsonObject } from '../../../wire/jsonrpc.ts';
import type { ReadRequest } from './request.ts';

export type ResponseStatus = 'queued' | 'in_progress' | 'completed' | 'failed' | 'cancelled' | 'incomplete';

/** The function by which a question is asked: its arguments are an elicitation, its output the answer. */
export const QUESTION = 'answer_question';

export const newId = (prefix: string): string => `${prefix}_${randomUUID().replaceAll('-', '')}`;

/** Of an item of this response: the same in every process that makes it of the run. */
const itemId = (prefix: string, response: string, name: string): string =>
  `${prefix}_${hash('sha256', `${response} ${name}`, 'hex').slice(0, 32)}`;

/** The item that is the text of a response. */
export const messageIdOf = (response: string): string => itemId('msg', response, 'text');

export interface ResponseParts {
  id: string;
  createdAt: number;
  request: Pick<ReadRequest, 'model' | 'previous' | 'metadata' | 'store' | 'background'>;
}

export function responseObject(
  { id, createdAt, request }: ResponseParts,
  status: ResponseStatus,
  output: unknown[],
  more: { error?: JsonObject; usage?: JsonObject | undefined } = {},
): JsonObject {
  return {
    id,
    object: 'response',
    created_at: createdAt,
    status,
    background: request.background,
    error: more.error ?? null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    metadata: request.metadata,
    model: request.model,
    output,
    parallel_tool_calls: false,
    previous_response_id: request.previous ?? null,
    reasoning: { effort: null, summary: null },
    store: request.store,
    temperature: null,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: null,
    truncation: 'disabled',
    usage: more.usage ?? null,
  };
}

export function messageItem(id: string, text: string, annotations: JsonObject[] = []): JsonObject {
  return { id, type: 'message', status: 'completed', role: 'assistant', content: [textPart(text, annotations)] };
}

export const textPart = (text: string, annotations: JsonObject[] = []): JsonObject => ({
  type: 'output_text',
  text,
  annotations,
  logprobs: [],
});

export function questionItem(callId: string, question: JsonObject): JsonObject {
  return {
    id: itemId('fc', callId, 'question'),
    type: 'function_call',
    status: 'completed',
    call_id: callId,
    name: QUESTION,
    arguments: JSON.stringify(question),
  };
}

/** The text of an answer: that of an agent that answers in data is the data. */
export function textOf({ text, output }: AgentCallResult): string {
  return text === '' && output !== undefined ? JSON.stringify(output) : text;
}

/** Links as sources of the text, pictures as items of their own. */
export function annotationsOf({ content = [] }: AgentCallResult, text: string): JsonObject[] {
  return content.flatMap((part) =>
    part.type === 'resource_link'
      ? [
          {
            type: 'url_citation',
            url: part.uri,
            title: part.title ?? part.name,
            start_index: text.length,
            end_index: text.length,
          },
        ]
      : [],
  );
}

export function otherItems(response: string, { content = [], reasoning }: AgentCallResult): JsonObject[] {
  const items: JsonObject[] = [];
  if (reasoning !== undefined) {
    const id = itemId('rs', response, 'reasoning');
    items.push({ id, type: 'reasoning', summary: [{ type: 'summary_text', text: reasoning }] });
  }
  for (const part of content) {
    if (part.type !== 'image') continue;
    const id = itemId('ig', response, String(items.length));
    items.push({ id, type: 'image_generation_call', status: 'completed', result: part.data });
  }
  return items;
}

export function usageOf({ usage }: AgentCallResult): JsonObject | undefined {
  if (!usage) return undefined;
  const count = (value: unknown): number => (typeof value === 'number' ? value : 0);
  return {
    input_tokens: count(usage.inputTokens),
    input_tokens_details: { cached_tokens: count(usage.cachedInputTokens) },
    output_tokens: count(usage.outputTokens),
    output_tokens_details: { reasoning_tokens: count(usage.reasoningTokens) },
    total_tokens: count(usage.totalTokens),
  };
}
