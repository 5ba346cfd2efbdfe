/**
 * Reads `agents/call` into the input and the options of a run. By allow-list, because other options of the LangGraph API
 * can do harm from behind a gateway: `webhook` makes the server call addresses,
 * `assistant_id` would run another agent than the one the call was allowed for, and how a run is streamed, threaded and
 * kept is the adapter's business.
 * @module
 */

import type { AgentCallParams } from '../../src/core/agent-call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { toLangchain } from './content.ts';
import { type ThreadId, threadFor } from './threads.ts';

/** Passed on as they are, under these names or in camel case as LangGraph's JavaScript client spells them. */
const RUN_OPTIONS = [
  'config',
  'context',
  'metadata',
  'checkpoint',
  'checkpoint_id',
  'interrupt_before',
  'interrupt_after',
  'multitask_strategy',
  'stream_subgraphs',
  'durability',
] as const;

/** The input of a run, one of these or messages. */
const INPUT_OPTIONS = ['input', 'resume', 'command'] as const;

const CANONICAL = new Map<string, string>(
  [...RUN_OPTIONS, ...INPUT_OPTIONS].flatMap((name) => [
    [name, name],
    [name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()), name],
  ]),
);

export interface RunInput {
  agent: string;
  thread: ThreadId;
  stream: boolean;
  /** Run options without input, command and assistant: what every round of the call repeats. */
  options: JsonObject;
  /** `{input}` or `{command}` of the first round. */
  first: JsonObject;
  /** It brings messages and nothing else: an agent whose input is data would not see them. */
  speaks: boolean;
  /** The data it brings; undefined for none. */
  data: unknown;
  /** It continues an interrupted thread, which has to exist. */
  resumes: boolean;
  /** What the client sent; it must not appear in error texts. */
  sent: unknown;
}

/** Reads `agents/call`, or rejects it with `SWB_INVALID_PARAMS` and what is allowed. */
export function readTurn(params: JsonObject, principal: string): RunInput {
  const { agent, messages = [], threadId, resourceId, stream, options = {} } = params as Partial<AgentCallParams>;
  if (typeof agent !== 'string' || agent === '') throw invalid('agent must name an agent.');
  if (!Array.isArray(messages)) throw invalid('messages must be an array.');
  if (!isObject(options)) throw invalid('options must be an object.');

  const known: JsonObject = {};
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) known[canonical(name)] = value;
  }
  if (params.input !== undefined) {
    if ('input' in known) throw invalid('input and options.input are the same: give one.');
    // An agent may take both; `options.input` is the whole input as it is.
    const both = messages.length > 0 && isObject(params.input) && !('messages' in params.input);
    known.input = both ? { ...(params.input as JsonObject), messages: toLangchain(messages) } : params.input;
  }
  const data = known.input;
  const { input, resume, command, ...run } = known;
  if (resourceId !== undefined) {
    run.metadata = { resource_id: resourceId, ...(isObject(run.metadata) ? run.metadata : {}) };
  }
  const given = INPUT_OPTIONS.filter((name) => name in known);
  if (given.length > 1) throw invalid(`options.${given.join(' and options.')} exclude each other.`);

  const resumes = 'resume' in known || 'command' in known;
  if (resumes && threadId === undefined)
    throw invalid(`options.${given[0]} needs the threadId of the thread it is for.`);
  if (given.length === 0 && messages.length === 0) {
    throw invalid('Say something: messages is empty, and there is neither input nor options.resume.');
  }
  return {
    agent,
    thread: threadFor(threadId, principal),
    stream: stream === true,
    options: run,
    first: firstRound(known, toLangchain(messages)),
    speaks: given.length === 0,
    data,
    resumes,
    sent: { messages, input, resume, command },
  };
}

function firstRound(known: JsonObject, messages: unknown[]): JsonObject {
  if ('resume' in known) return { command: { resume: known.resume } };
  if ('command' in known) return { command: known.command };
  // `input: null` is a value of its own: go on from the thread's checkpoint.
  return { input: 'input' in known ? known.input : { messages } };
}

function canonical(name: string): string {
  const option = CANONICAL.get(name);
  if (option) return option;
  if (name === 'assistantId' || name === 'assistant_id') {
    throw invalid(`options.${name} is not accepted: call the other assistant by its own agent name.`);
  }
  throw invalid(
    `options.${name.slice(0, 60)} is not accepted. Known: ${[...INPUT_OPTIONS, ...RUN_OPTIONS].join(', ')}.`,
  );
}

const invalid = (message: string): SwitchboardError => new SwitchboardError('SWB_INVALID_PARAMS', message);
