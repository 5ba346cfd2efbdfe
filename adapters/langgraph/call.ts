/**
 * `agents/call`: one turn with an agent: a run, and one more after each round of input requests.
 * @module
 */

import type { AgentCallResult } from '../../src/core/agent-call.ts';
import type { Call, LentAccess } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { handedOver, LENT_NAME } from '../shared/lent.ts';
import type { WholeReply } from '../shared/origin.ts';
import type { LanggraphApi } from './api.ts';
import { type AttachedRun, refOf } from './attach.ts';
import { unknownAgent } from './describe.ts';
import { httpFailure, reasonOf } from './failure.ts';
import type { RunInput } from './input.ts';
import { type Interrupt, messageOf, questionFor, resumeValue } from './interrupts.ts';
import { unknownThread } from './owners.ts';
import { type Pieces, progressOf } from './progress.ts';
import { readState } from './result.ts';
import { type FollowedRun, Run, type RunEnd } from './run.ts';

/** Rounds of input requests in one call. A graph that interrupts more often is continued with another call. */
const MAX_ROUNDS = 8;
/** Input requests at the same time. */
const MAX_QUESTIONS = 10;
const MAX_INTERRUPT_BYTES = 16_384;
const CHECK_TIMEOUT_MS = 5_000;
const BUSY_RETRY_MS = 1_000;

export interface CallContext {
  api: LanggraphApi;
  log: Log;
  /** The assistant's id for the agent's key. */
  assistant: string;
  /** Runs in flight, for the upstream to end when it is closed. */
  runs: Set<FollowedRun>;
  /** What is still to be done at the server for calls that are over. */
  tidying: Set<Promise<void>>;
  /** Receives the final state of a run that has completed. */
  onState?(values: unknown): void;
  /** Called when the thread does not exist; undefined where the first run creates a missing thread. */
  onThreadGone: (() => void) | undefined;
}

/** A run of the turn that another process began, and what is still said in the turn. */
export interface Attached {
  run: AttachedRun;
  pieces: Pieces | undefined;
}

/** Runs one turn, and deletes the thread made for it unless the client receives its id. */
export async function callAgent(
  context: CallContext,
  turn: RunInput,
  call: Call,
  attached?: Attached,
): Promise<AgentCallResult> {
  const ran: FollowedRun[] = [];
  let result: AgentCallResult | undefined;
  try {
    result = await runTurn(context, turn, call, ran, attached);
    return result;
  } finally {
    const isOver = ran.length > 0 && !ran.some(({ isLeft }) => isLeft);
    if (!turn.thread.wanted && result?.status !== 'interrupted' && isOver) {
      const tidied = discard(context, turn.thread.server, ran).finally(() => context.tidying.delete(tidied));
      context.tidying.add(tidied);
    }
  }
}

/** Removes a thread that was made for one call, once its last run has ended or is cancelled. Never rejects. */
async function discard({ api, log }: CallContext, thread: string, ran: readonly FollowedRun[]): Promise<void> {
  try {
    await ran.at(-1)?.over();
    await api.reply('DELETE', `/threads/${thread}`, undefined, AbortSignal.timeout(CHECK_TIMEOUT_MS));
  } catch (error) {
    log.debug({ server: api.name, thread, error }, 'the thread of a call could not be removed');
  }
}

async function runTurn(
  context: CallContext,
  turn: RunInput,
  call: Call,
  ran: FollowedRun[],
  attached?: Attached,
): Promise<AgentCallResult> {
  const pieces = attached ? attached.pieces : turn.stream ? progressOf(call) : undefined;
  let work = turn.first;
  for (let round = 0; ; round++) {
    const end = await followed(round === 0 && attached ? attached.run : newRun(round));
    pieces?.ended();
    if (!end.stopped) {
      context.onState?.(end.values);
      return completed(turn, end);
    }
    const answers = round < MAX_ROUNDS ? await ask(call, end.interrupts) : undefined;
    const resume = answers && resumeValue(end.interrupts, answers);
    if (resume === undefined) return interrupted(turn, end);
    work = { command: { resume } };
  }

  async function followed(run: Run | AttachedRun): Promise<RunEnd> {
    context.runs.add(run);
    ran.push(run);
    return run.follow(call).finally(() => context.runs.delete(run));
  }

  function newRun(round: number): Run {
    return new Run(context.api, context.log, {
      agent: turn.agent,
      thread: turn.thread.server,
      body: {
        ...(call.lent ? withKey(turn.options, call.lent) : turn.options),
        ...work,
        assistant_id: context.assistant,
        // A thread to be resumed has to be there; one to be talked on is made.
        if_not_exists: turn.resumes || round > 0 || context.onThreadGone ? 'reject' : 'create',
      },
      pieces,
      refused: (reply) => refusal(context, turn, reply),
      began: (runId, place) => call.began?.(refOf(turn.thread, runId, place)),
      sent: turn.sent,
    });
  }
}

/**
 * A lent key stands in the context where the call gives one, and otherwise in `config.configurable`: Python servers refuse a run that
 * has both.
 */
function withKey(options: JsonObject, lent: LentAccess): JsonObject {
  const key = { [LENT_NAME]: handedOver(lent) };
  if (isObject(options.context)) return { ...options, context: { ...options.context, ...key } };
  const config = isObject(options.config) ? options.config : {};
  const configurable = isObject(config.configurable) ? config.configurable : {};
  return { ...options, config: { ...config, configurable: { ...configurable, ...key } } };
}

/** Sends all input requests at once. Undefined unless every one was answered. */
async function ask(call: Call, interrupts: readonly Interrupt[]): Promise<unknown[] | undefined> {
  if (interrupts.length === 0 || interrupts.length > MAX_QUESTIONS) return undefined;
  if (!call.canAsk('elicitation/create')) return undefined;
  const withdraw = new AbortController();
  const answers = await Promise.all(
    interrupts.map(async (interrupt) => {
      const answer = await askOne(call, interrupt, withdraw.signal);
      if (!answer) withdraw.abort();
      return answer;
    }),
  );
  return answers.every((answer) => answer !== undefined) ? answers.map((answer) => answer.resume) : undefined;
}

async function askOne(call: Call, interrupt: Interrupt, signal: AbortSignal): Promise<{ resume: unknown } | undefined> {
  const { message, requestedSchema, read } = questionFor(interrupt);
  try {
    const result = await call.ask({ method: 'elicitation/create', params: { message, requestedSchema }, signal });
    return result.action === 'accept' && isObject(result.content) ? read(result.content) : undefined;
  } catch (error) {
    if (signal.aborted) return undefined;
    if (error instanceof SwitchboardError && error.code === 'SWB_ASK_REFUSED') return undefined;
    throw error;
  }
}

function completed(turn: RunInput, end: RunEnd): AgentCallResult {
  const { thread } = turn;
  const where = thread.wanted ? { threadId: thread.client } : {};
  return { status: 'completed', ...readState(end.values), ...where, runId: end.runId };
}

function interrupted(turn: RunInput, end: RunEnd): AgentCallResult {
  const { output } = readState(end.values);
  return {
    status: 'interrupted',
    text: howToResume(turn, end.interrupts),
    threadId: turn.thread.client,
    runId: end.runId,
    finishReason: 'interrupted',
    interrupts: end.interrupts.map(bounded),
    ...(output === undefined ? {} : { output }),
  };
}

function bounded({ id, value }: Interrupt): JsonObject {
  const shown: JsonObject = id === undefined ? {} : { id };
  const bytes = Buffer.byteLength(JSON.stringify(value) ?? '');
  if (bytes <= MAX_INTERRUPT_BYTES) return { ...shown, value };
  return {
    ...shown,
    message: messageOf(value),
    omitted: `${bytes} bytes; at most ${MAX_INTERRUPT_BYTES} are passed on`,
  };
}

function howToResume({ agent, thread }: RunInput, interrupts: readonly Interrupt[]): string {
  const again = `call '${agent}' again with threadId '${thread.client}'`;
  if (interrupts.length === 0) return `The agent stopped at a breakpoint. To go on, ${again} and options.input null.`;
  const questions = interrupts.map(({ value }) => messageOf(value) ?? 'see interrupts').join('; ');
  const answer =
    interrupts.length === 1 ? 'options.resume set to the answer' : 'options.resume set to the answers by interrupt id';
  return `The agent waits for an answer: ${questions}\nTo go on, ${again} and ${answer}.`;
}

/**
 * Why a run was not made. An unknown thread and a busy one get the same 422 in the same words (both versions, measured),
 * so the thread itself is looked at. The Python server says 409 for busy and uses 422 for what does not validate.
 */
async function refusal(context: CallContext, turn: RunInput, reply: WholeReply): Promise<Error> {
  const { api, onThreadGone } = context;
  const mustExist = turn.resumes || onThreadGone !== undefined;
  const said = reasonOf(reply, turn.sent) ?? '';
  const plain = !reply.headers['content-type']?.includes('json');
  if (reply.status === 409 || (reply.status === 422 && plain) || (reply.status === 404 && mustExist)) {
    const path = `/threads/${turn.thread.server}`;
    const thread = await api.reply('GET', path, undefined, AbortSignal.timeout(CHECK_TIMEOUT_MS));
    if (thread.status === 404 && onThreadGone) {
      onThreadGone();
      return unknownThread(api.name, turn.thread);
    }
    if (thread.status === 404) {
      return new SwitchboardError(
        'SWB_INVALID_PARAMS',
        `Server '${api.name}' has no thread '${turn.thread.client}', so there is nothing to resume.`,
      );
    }
    if (reply.status !== 404) {
      return new SwitchboardError(
        'SWB_UPSTREAM_HTTP',
        `Thread '${turn.thread.client}' is busy with another run. Wait for it, or set options.multitaskStrategy.`,
        { data: { status: reply.status }, retryAfterMs: BUSY_RETRY_MS },
      );
    }
  }
  if (reply.status === 404 && /assistant|graph/i.test(said)) return unknownAgent(api.name, turn.agent);
  return httpFailure(api.name, reply, turn.sent);
}
