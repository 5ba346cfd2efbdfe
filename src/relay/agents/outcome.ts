/**
 * One turn with an agent as its caller gets it, through `callAgent` or the agent's tool: the structured content, and the same
 * as text for models and for clients that show nothing else.
 * @module
 */
import { line } from '../../core/text.ts';
import { exposedName } from '../../federation/names/naming.ts';
import type { Route } from '../../federation/types.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

export type CalledAgent = Pick<Route, 'member' | 'original'>;

/**
 * `server/agent`: the one full spelling. A name of the server's that cannot be written on a line, or is too long to be, is
 * spelled as its tool is.
 */
export const agentId = ({ member: { name }, original }: CalledAgent): string =>
  `${name}/${isReadable(original) ? original : exposedName(false, name, original)}`;

const MAX_READABLE = 200;

/** What almost all names are: `callAgent` spells the ids of all agents at every call. */
const PLAIN = /^[!-~]{1,200}$/;

const isReadable = (name: string): boolean => PLAIN.test(name) || (name !== '' && name === line(name, MAX_READABLE));

/** The structured content; `core/agent-tool.ts` has its schema. */
export interface AgentOutcome {
  agent: string;
  server: string;
  status: 'completed' | 'interrupted';
  text: string;
  elapsedMs: number;
  threadId?: string;
  runId?: string;
  finishReason?: string;
  usage?: JsonObject;
  interrupts?: unknown[];
  output?: unknown;
  reasoning?: string;
  steps?: unknown[];
  omitted?: string[];
}

/** `result` is an `AgentCallResult`, as hooks and redaction have left it. */
export function agentOutcome(route: CalledAgent, result: JsonObject, elapsedMs: number): AgentOutcome {
  const made: AgentOutcome = {
    agent: agentId(route),
    server: route.member.name,
    status: result.status === 'interrupted' ? 'interrupted' : 'completed',
    text: typeof result.text === 'string' ? result.text : '',
    elapsedMs,
  };
  for (const key of ['threadId', 'runId', 'finishReason', 'reasoning'] as const) {
    const value = result[key];
    if (typeof value === 'string') made[key] = value;
  }
  for (const key of ['interrupts', 'steps'] as const) {
    const value = result[key];
    if (Array.isArray(value)) made[key] = value;
  }
  if (isObject(result.usage)) made.usage = result.usage;
  if (result.output !== undefined) made.output = result.output;
  if (Array.isArray(result.omitted)) made.omitted = result.omitted.filter((each) => typeof each === 'string');
  return made;
}

/** The content parts of an answer beside its text: images, audio, files, links. */
export function agentContent({ content }: JsonObject): JsonObject[] {
  return Array.isArray(content) ? content.filter((part) => isObject(part) && typeof part.type === 'string') : [];
}

/** The result of the agent's tool. */
export function agentToolResult(route: CalledAgent, result: JsonObject, elapsedMs: number): JsonObject {
  const made = agentOutcome(route, result, elapsedMs);
  const parts = agentContent(result);
  return {
    content: [{ type: 'text', text: outcomeText(made, parts.length) }, ...parts],
    structuredContent: made,
    ...(made.usage ? { _meta: { [USAGE_META]: made.usage } } : {}),
  };
}

/** Of a result, in `_meta`: the tokens of an agent's turn. */
export const USAGE_META = 'switchboard/usage';

/** The agent's own words; what they leave out is added in lines a model can use. */
export function outcomeText(made: AgentOutcome, otherParts = 0): string {
  const parts = made.text === '' ? [] : [made.text];
  if (made.status === 'interrupted') parts.push(interruptedText(made));
  else if (made.text === '') {
    // Clients that show the text only would otherwise show nothing of an agent that answers in data.
    const nothing =
      otherParts > 0 ? 'The agent answered without text; its answer is below.' : 'The agent answered without text.';
    parts.push(made.output === undefined ? nothing : line(compact(made.output), 4_000));
  }
  for (const omitted of (made.omitted ?? []).slice(0, MAX_LINES)) parts.push(line(omitted, 300));
  return parts.join('\n\n');
}

const MAX_LINES = 10;

function interruptedText({ agent, threadId, runId, interrupts = [] }: AgentOutcome): string {
  const where = [threadId && `thread ${threadId}`, runId && `run ${runId}`].filter(Boolean).join(', ');
  const lines = [`The agent ${agent} stopped to wait for an answer${where ? ` (${where})` : ''}.`];
  for (const interrupt of interrupts.slice(0, MAX_LINES)) {
    const { continueWith, ...rest } = isObject(interrupt) ? interrupt : { continueWith: undefined, interrupt };
    lines.push(`- ${line(compact(rest), 500)}`);
    for (const options of Array.isArray(continueWith) ? continueWith : []) {
      lines.push(`  goes on with options ${line(compact(options), 500)}`);
    }
  }
  if (interrupts.length > MAX_LINES) lines.push(`- and ${interrupts.length - MAX_LINES} more`);
  lines.push('The run goes on with another call of the same agent and thread, the answer in its options.');
  return lines.join('\n');
}

const compact = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
