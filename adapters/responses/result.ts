/**
 * A response object as the result of a call: its text, what else it holds, the tools it used, and what it waits for.
 * @module
 */
import type { AgentCallResult, AgentStep, ContentPart } from '../../src/core/agent-call.ts';
import { head } from '../../src/core/text.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';

const MAX_STEPS = 50;
const MAX_STEP_TEXT = 2_000;
const MAX_REASONING = 8_000;
const MAX_CONTENT = 100;

/** A question to the person: a tool of a remote MCP server waits for approval. */
export interface ApprovalRequest {
  id: string;
  name: string;
  server: string;
  arguments: string;
}

export interface ReadResponse {
  result: AgentCallResult;
  approvals: ApprovalRequest[];
}

export function readResponse(response: JsonObject): ReadResponse {
  const items = Array.isArray(response.output) ? response.output.filter(isObject) : [];
  const texts: string[] = [];
  const content: ContentPart[] = [];
  const steps: AgentStep[] = [];
  const reasoning: string[] = [];
  const omitted = new Set<string>();
  const approvals: ApprovalRequest[] = [];
  const open = new Map<string, JsonObject>();
  let refused = false;

  for (const item of items) {
    switch (item.type) {
      case 'message':
        refused = readMessage(item, texts, content, omitted) || refused;
        break;
      case 'reasoning':
        reasoning.push(reasoningOf(item));
        break;
      case 'function_call':
        open.set(String(item.call_id), item);
        steps.push({ tool: nameOf(item.name), arguments: short(item.arguments) });
        break;
      case 'function_call_output': {
        const of = open.get(String(item.call_id));
        open.delete(String(item.call_id));
        const step = of && steps.find(({ tool, result }) => tool === of.name && result === undefined);
        if (step) step.result = short(item.output);
        break;
      }
      case 'mcp_approval_request':
        approvals.push(approvalOf(item));
        break;
      case 'mcp_call': {
        const failed = item.error !== null && item.error !== undefined;
        const step: AgentStep = { tool: nameOf(item.name), arguments: short(item.arguments) };
        steps.push({ ...step, result: short(failed ? item.error : item.output), ...(failed ? { isError: true } : {}) });
        break;
      }
      case 'mcp_list_tools':
        break;
      case 'image_generation_call':
        if (typeof item.result === 'string' && content.length < MAX_CONTENT) {
          content.push({ type: 'image', data: item.result, mimeType: imageType(item.output_format) });
        }
        steps.push({ tool: 'image_generation' });
        break;
      default:
        if (typeof item.type === 'string' && item.type.endsWith('_call')) {
          steps.push({
            tool: item.type.slice(0, -'_call'.length),
            arguments: short(item.action ?? item.queries ?? item.code),
          });
        } else omitted.add(`Output of type ${head(String(item.type), 60)}.`);
    }
  }
  if (steps.length > MAX_STEPS) omitted.add(`${steps.length - MAX_STEPS} more tool calls.`);

  const waits = open.size > 0 || approvals.length > 0;
  const text = texts.join('\n\n');
  const result: AgentCallResult = { status: waits ? 'interrupted' : 'completed', text };
  if (content.length > 0) result.content = content;
  if (typeof response.id === 'string') result.runId = response.id;
  const finish = finishOf(response, refused, waits);
  if (finish !== undefined) result.finishReason = finish;
  const usage = usageOf(response.usage);
  if (usage) result.usage = usage;
  const thought = reasoning.filter((each) => each !== '').join('\n\n');
  if (thought !== '') result.reasoning = head(thought, MAX_REASONING);
  if (steps.length > 0) result.steps = steps.slice(0, MAX_STEPS);
  if (omitted.size > 0) result.omitted = [...omitted];
  if (waits) result.interrupts = [...[...open.values()].map(functionInterrupt), ...approvals.map(approvalInterrupt)];
  const output = structured(response, text);
  if (output !== undefined) result.output = output;
  return { result, approvals };
}

/** True when the model refused. */
function readMessage(
  { content: parts }: JsonObject,
  texts: string[],
  content: ContentPart[],
  omitted: Set<string>,
): boolean {
  let refused = false;
  const said: string[] = [];
  for (const part of Array.isArray(parts) ? parts.filter(isObject) : []) {
    if (part.type === 'refusal' && typeof part.refusal === 'string') {
      refused = true;
      said.push(part.refusal);
    } else if (typeof part.text === 'string') {
      said.push(part.text);
      for (const source of Array.isArray(part.annotations) ? part.annotations.filter(isObject) : []) {
        if (typeof source.url !== 'string' || content.length >= MAX_CONTENT) continue;
        const named = typeof source.title === 'string' && source.title !== '' ? source.title : source.url;
        if (content.some((each) => each.type === 'resource_link' && each.uri === source.url)) continue;
        content.push({ type: 'resource_link', uri: source.url, name: head(named, 200) });
      }
    } else omitted.add(`A part of type ${head(String(part.type), 60)}.`);
  }
  if (said.length > 0) texts.push(said.join(''));
  return refused;
}

function reasoningOf({ summary, content }: JsonObject): string {
  const parts = [...(Array.isArray(summary) ? summary : []), ...(Array.isArray(content) ? content : [])];
  return parts.map((part) => (isObject(part) && typeof part.text === 'string' ? part.text : '')).join('\n');
}

function finishOf(response: JsonObject, refused: boolean, waits: boolean): string | undefined {
  if (refused) return 'refusal';
  if (waits) return 'interrupted';
  if (response.status !== 'incomplete') return undefined;
  const { reason } = isObject(response.incomplete_details) ? response.incomplete_details : {};
  return typeof reason === 'string' ? head(reason, 100) : 'incomplete';
}

function usageOf(usage: unknown): JsonObject | undefined {
  if (!isObject(usage)) return undefined;
  const count = (value: unknown): number => (typeof value === 'number' ? value : 0);
  const made: JsonObject = {
    inputTokens: count(usage.input_tokens),
    outputTokens: count(usage.output_tokens),
    totalTokens: count(usage.total_tokens),
  };
  const cached = isObject(usage.input_tokens_details) ? usage.input_tokens_details.cached_tokens : undefined;
  if (typeof cached === 'number') made.cachedInputTokens = cached;
  const thought = isObject(usage.output_tokens_details) ? usage.output_tokens_details.reasoning_tokens : undefined;
  if (typeof thought === 'number') made.reasoningTokens = thought;
  return made;
}

/** The value of an answer in a JSON format. */
function structured({ text: format }: JsonObject, text: string): unknown {
  const type = isObject(format) && isObject(format.format) ? format.format.type : undefined;
  if (type !== 'json_schema' && type !== 'json_object') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function functionInterrupt({ call_id, name, arguments: args }: JsonObject): JsonObject {
  const answer = { type: 'function_call_output', call_id, output: '<result>' };
  return { id: call_id, reason: 'function_call', name, arguments: args, continueWith: [{ input: [answer] }] };
}

function approvalInterrupt({ id, name, server, arguments: args }: ApprovalRequest): JsonObject {
  const answer = (approve: boolean): JsonObject => ({ input: [approvalAnswer(id, approve)] });
  return { id, reason: 'approval', name, server, arguments: args, continueWith: [answer(true), answer(false)] };
}

export const approvalAnswer = (id: string, approve: boolean): JsonObject => ({
  type: 'mcp_approval_response',
  approval_request_id: id,
  approve,
});

function approvalOf({ id, name, server_label, arguments: args }: JsonObject): ApprovalRequest {
  return { id: String(id), name: nameOf(name), server: nameOf(server_label), arguments: short(args) ?? '' };
}

const nameOf = (value: unknown): string => (typeof value === 'string' ? head(value, 128) : 'unnamed');

function short(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return head(typeof value === 'string' ? value : JSON.stringify(value), MAX_STEP_TEXT);
}

const imageType = (format: unknown): string => `image/${typeof format === 'string' && format !== '' ? format : 'png'}`;
