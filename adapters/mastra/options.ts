/**
 * Reads the params of `agents/call` into a request to Mastra. By allow-list: the body of Mastra's agent routes can also replace the
 * model, the instructions and the tools, switch approval off, and set the request context by which servers decide
 * access. A client may set none of these. An option that is not on the list is refused, never dropped silently.
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { AgentCallParams } from '../../src/core/agent-call.ts';
import type { Caller } from '../../src/core/caller.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { LOCAL_PRINCIPAL } from '../../src/core/identity.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { partsOf } from '../shared/content.ts';
import { toMastra } from './content.ts';

/** How a run that waits for a person goes on. */
export type Continuation =
  | { action: 'approve'; runId: string; toolCallId: string }
  | { action: 'decline'; runId: string; toolCallId: string; reason?: string }
  | { action: 'resume'; runId: string; toolCallId: string; data: unknown };

export interface AgentRequest {
  agent: string;
  stream: boolean;
  /** As the client knows it. */
  threadId: string | undefined;
  /** The body of /generate and /stream; undefined when a run that waits is continued. */
  body: JsonObject | undefined;
  continuation: Continuation | undefined;
}

type Check = (value: unknown) => boolean;

const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isStrings: Check = (value) => Array.isArray(value) && value.every((item) => typeof item === 'string');

const MODEL_SETTINGS: Readonly<Record<string, Check>> = {
  temperature: isNumber,
  maxOutputTokens: isNumber,
  maxTokens: isNumber,
  topP: isNumber,
  topK: isNumber,
  presencePenalty: isNumber,
  frequencyPenalty: isNumber,
  seed: isNumber,
  stopSequences: isStrings,
};

const OPTIONS: Readonly<Record<string, Check>> = {
  maxSteps: isNumber,
  toolChoice: (value) =>
    value === 'auto' || value === 'none' || value === 'required' || (isObject(value) && value.type === 'tool'),
  activeTools: isStrings,
  // True only: false would switch off what the agent's author switched on.
  requireToolApproval: (value) => value === true,
};

const STRUCTURED_OUTPUT: Readonly<Record<string, Check>> = {
  schema: isObject,
  jsonPromptInjection: (value) => typeof value === 'boolean',
  errorStrategy: (value) => value === 'strict' || value === 'warn',
};

const CONTINUATIONS = ['approve', 'decline', 'resume'] as const;

/** All names `options` may have. */
const ACCEPTED_OPTIONS: readonly string[] = [
  ...Object.keys(OPTIONS),
  'modelSettings',
  ...Object.keys(MODEL_SETTINGS),
  'structuredOutput',
  'output',
  'memory',
  ...CONTINUATIONS,
];

/** As `threadId`: begin a conversation, and return its id. */
const NEW_THREAD = 'new';

/** Prefix of threads and resources that belong to a principal; only that principal can name them. */
const RESOURCE_PREFIX = 'switchboard:';

function invalid(message: string): SwitchboardError {
  return new SwitchboardError('SWB_INVALID_PARAMS', message);
}

/** Reads the params of `agents/call`; throws `SWB_INVALID_PARAMS` with what is wrong. */
export function agentRequest(params: AgentCallParams, caller: Caller): AgentRequest {
  const { agent, stream = false, options = {} } = params;
  if (typeof agent !== 'string') throw invalid('params.agent must be a string.');
  if (!isObject(options)) throw invalid('params.options must be an object.');
  const continuation = readContinuation(options);
  const memory = readMemory(params, options, caller);
  return {
    agent,
    stream: stream === true,
    threadId: memory?.threadId,
    // A run that waits has its messages; what else the client sends with its decision would not reach it.
    body: continuation
      ? undefined
      : {
          messages: readMessages(params.messages),
          ...readOptions(options),
          ...(memory ? { memory: memory.sent } : {}),
        },
    continuation,
  };
}

function readMessages(messages: unknown): JsonObject[] {
  if (!Array.isArray(messages) || messages.length === 0) throw invalid('params.messages must be a list of messages.');
  return messages.map((message, i) => {
    const { role, content } = isObject(message) ? message : {};
    if (role !== 'user' && role !== 'assistant') {
      throw invalid(
        `params.messages[${i}].role is ${JSON.stringify(role)}; allowed are user and assistant (instructions and tools are the agent's own).`,
      );
    }
    // Mastra takes an object for an empty message, without a word (measured).
    const parts = partsOf(content);
    if (parts === undefined) throw invalid(`params.messages[${i}].content must be a text or a list of parts.`);
    return { role, content: typeof parts === 'string' ? parts : parts.map(toMastra) };
  });
}

function readOptions(options: JsonObject): JsonObject {
  const body: JsonObject = {};
  const settings: JsonObject = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || name === 'memory') continue;
    if (name === 'modelSettings') Object.assign(settings, pick(value, MODEL_SETTINGS, 'options.modelSettings'));
    else if (name === 'structuredOutput') body.structuredOutput = pick(value, STRUCTURED_OUTPUT, `options.${name}`);
    else if (name === 'output') body.structuredOutput = pick({ schema: value }, STRUCTURED_OUTPUT, 'options.output');
    else if (Object.hasOwn(MODEL_SETTINGS, name))
      settings[name] = pick({ [name]: value }, MODEL_SETTINGS, 'options')[name];
    else if (Object.hasOwn(OPTIONS, name)) body[name] = pick({ [name]: value }, OPTIONS, 'options')[name];
    else
      throw invalid(`options.${name} is not accepted for Mastra agents; accepted are ${ACCEPTED_OPTIONS.join(', ')}.`);
  }
  if (Object.keys(settings).length > 0) body.modelSettings = settings;
  return body;
}

function pick(value: unknown, checks: Readonly<Record<string, Check>>, at: string): JsonObject {
  if (!isObject(value)) throw invalid(`${at} must be an object.`);
  for (const [name, member] of Object.entries(value)) {
    if (!Object.hasOwn(checks, name)) {
      throw invalid(`${at}.${name} is not accepted; accepted are ${Object.keys(checks).join(', ')}.`);
    }
    if (!checks[name]?.(member)) throw invalid(`${at}.${name} has a value that is not accepted.`);
  }
  return value;
}

/**
 * Mastra needs both a thread and the resource (the owner) it belongs to, in `memory`; at the top level of the body they
 * are ignored (measured). Without a resource the owner is the caller's principal; without a thread a new one is made.
 *
 * Threads and resources of a grant carry the grant's name on the server, so that two grants never share one, and no grant
 * reaches those of the local user or of the server's other clients. The client sees its own ids only.
 */
function readMemory(
  params: AgentCallParams,
  options: JsonObject,
  { principal }: Caller,
): { threadId: string; sent: { thread: string; resource: string } } | undefined {
  const given = isObject(options.memory) ? options.memory : {};
  const thread = params.threadId ?? given.thread;
  const resource = params.resourceId ?? given.resource;
  if (thread === undefined && resource === undefined) return undefined;
  if (thread !== undefined && (typeof thread !== 'string' || thread === '')) throw invalid('threadId must be a text.');
  if (resource !== undefined && (typeof resource !== 'string' || resource === '')) {
    throw invalid('resourceId must be a text.');
  }
  // A colon in a name must not make one principal's ids read as another's.
  const own = ownResource(principal);
  if (resource?.startsWith(RESOURCE_PREFIX) && resource !== own) {
    throw invalid(`resourceId may not start with '${RESOURCE_PREFIX}': those belong to callers of the gateway.`);
  }
  const threadId = thread === undefined || thread === NEW_THREAD ? randomUUID() : thread;
  return {
    threadId,
    sent: { thread: ownedId(threadId, principal), resource: ownedResource(resource, principal) },
  };
}

/** The resource of a principal's threads. */
export const ownResource = (principal: string): string => `${RESOURCE_PREFIX}${encodeURIComponent(principal)}`;

/** The id of a thread on the server. */
export const ownedId = (id: string, principal: string): string =>
  principal === LOCAL_PRINCIPAL ? id : `${ownResource(principal)}:${id}`;

/** The resource on the server for one that the client names, or none. */
export function ownedResource(resource: string | undefined, principal: string): string {
  const own = ownResource(principal);
  return resource === undefined || resource === own ? own : ownedId(resource, principal);
}

function readContinuation(options: JsonObject): Continuation | undefined {
  const named = CONTINUATIONS.filter((action) => options[action] !== undefined);
  const [action] = named;
  if (action === undefined) return undefined;
  if (named.length > 1) throw invalid(`options may hold one of ${CONTINUATIONS.join(', ')}, not several.`);
  const { runId, toolCallId, reason, data } = isObject(options[action]) ? options[action] : {};
  if (typeof runId !== 'string' || typeof toolCallId !== 'string') {
    throw invalid(`options.${action} must hold the runId and toolCallId of the interrupt.`);
  }
  if (action === 'approve') return { action, runId, toolCallId };
  if (action === 'decline')
    return typeof reason === 'string' ? { action, runId, toolCallId, reason } : { action, runId, toolCallId };
  if (data === undefined) throw invalid('options.resume.data must hold what the tool waits for.');
  return { action, runId, toolCallId, data };
}
