/**
 * Reads the events of one request to a Mastra agent: what it says goes into the answer, how it ends into the turn.
 *
 * 2xx is not success (measured): a failed run is a 200 with an `error` event and a stack in it, and a run that waits for
 * approval ends its stream without a `finish`.
 * @module
 */
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { publicMessage } from '../shared/sanitize.ts';
import type { Answer } from './answer.ts';

/** A tool call that waits: for approval, or for what the tool itself asked for. */
export interface Pending {
  type: 'tool-approval' | 'tool-suspended';
  runId: string;
  toolCallId: string;
  toolName: string;
  args: unknown;
  /** The payload with which a tool suspended. */
  payload: unknown;
  /** JSON Schema of what it waits for. */
  schema: JsonObject | undefined;
}

export interface AgentTurn {
  runId: string | undefined;
  finishReason: string | undefined;
  usage: JsonObject | undefined;
  /** Structured output. */
  output: unknown;
  pending: Pending[];
}

/** Why a run failed, in a text for clients. */
export interface Failure {
  failed: string;
}

/** Ends of a run that is not failed. */
const ENDED: ReadonlySet<string> = new Set(['stop', 'length', 'tool-calls', 'content-filter']);

const BLOCKED = 'a guardrail of the agent stopped it';

/** Reads the events of a stream one by one. */
export class TurnReader {
  readonly #answer: Answer;
  readonly #turn: AgentTurn = {
    runId: undefined,
    finishReason: undefined,
    usage: undefined,
    output: undefined,
    pending: [],
  };
  #failed: string | undefined;

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  /** Throws `SWB_REPLY_TOO_LARGE` when the answer grows beyond the limit. */
  read(event: unknown): void {
    if (!isObject(event)) return;
    const turn = this.#turn;
    if (typeof event.runId === 'string') turn.runId ??= event.runId;
    const payload = isObject(event.payload) ? event.payload : {};
    if (this.#answer.read(event.type, payload)) return;
    switch (event.type) {
      case 'object-result':
        turn.output = event.object;
        break;
      case 'tool-call-approval':
      case 'tool-call-suspended': {
        const type = event.type === 'tool-call-approval' ? 'tool-approval' : 'tool-suspended';
        const pending = turn.runId === undefined ? undefined : readPending(type, turn.runId, payload);
        if (pending) turn.pending.push(pending);
        else this.#failed ??= 'it waits for something it does not name';
        break;
      }
      case 'finish': {
        const output = isObject(payload.output) ? payload.output : {};
        const { reason } = isObject(payload.stepResult) ? payload.stepResult : {};
        turn.finishReason = typeof reason === 'string' ? reason : 'unknown';
        turn.usage = readUsage(output.usage);
        break;
      }
      case 'error':
        this.#failed ??= failureText(payload.error);
        break;
      case 'tripwire':
        this.#failed ??= blocked(payload.reason);
        break;
      case 'abort':
        this.#failed ??= 'it was stopped';
        break;
    }
  }

  /** After the last event. */
  end(): AgentTurn | Failure {
    const turn = this.#turn;
    const { finishReason } = turn;
    // An error does not fail a run that finished all the same (a fallback model answered).
    const recovered = finishReason !== undefined && ENDED.has(finishReason);
    if (this.#failed !== undefined && !recovered) return { failed: this.#failed };
    if (finishReason === 'error') return { failed: 'no reason given' };
    if (finishReason === undefined && turn.pending.length === 0) return { failed: 'its stream ended too early' };
    if (finishReason !== undefined) turn.pending = [];
    return turn;
  }
}

/** Reads the whole answer of a route that does not stream; its text goes into `answer`. */
export function readGenerate(body: JsonObject, answer: Answer): AgentTurn | Failure {
  const finishReason = typeof body.finishReason === 'string' ? body.finishReason : undefined;
  if (isObject(body.tripwire)) return { failed: blocked(body.tripwire.reason) };
  if (finishReason === 'error' || isObject(body.error)) return { failed: failureText(body.error) };
  if (finishReason === undefined) return { failed: 'its reply says nothing of how it ended' };
  const runId = typeof body.runId === 'string' ? body.runId : undefined;
  const turn: AgentTurn = { runId, finishReason, usage: readUsage(body.usage), output: body.object, pending: [] };
  if (finishReason === 'suspended') {
    const payload = isObject(body.suspendPayload) ? body.suspendPayload : {};
    const type = 'suspendPayload' in payload ? 'tool-suspended' : 'tool-approval';
    const pending = runId === undefined ? undefined : readPending(type, runId, payload);
    if (!pending) return { failed: 'it waits for something it does not name' };
    turn.pending.push(pending);
  }
  if (typeof body.text === 'string') answer.read('text-delta', { id: 'whole', text: body.text });
  return turn;
}

export function failureText(error: unknown): string {
  if (typeof error === 'string') return publicMessage(error);
  // The stack and whatever else the error has stay here.
  return publicMessage(isObject(error) && typeof error.message === 'string' ? error.message : '');
}

const blocked = (reason: unknown): string =>
  typeof reason === 'string' && reason !== '' ? `${BLOCKED}: ${publicMessage(reason)}` : BLOCKED;

/** The numbers of a usage; providers' raw objects are left out. */
export function readUsage(usage: unknown): JsonObject | undefined {
  if (!isObject(usage)) return undefined;
  const numbers = Object.entries(usage).filter(([, value]) => typeof value === 'number');
  return numbers.length > 0 ? Object.fromEntries(numbers) : undefined;
}

/** Also of a tool call as the server lists it among its suspended runs. */
export function readPending(type: Pending['type'], runId: string, payload: unknown): Pending | undefined {
  if (!isObject(payload) || typeof payload.toolCallId !== 'string' || typeof payload.toolName !== 'string') {
    return undefined;
  }
  return {
    type,
    runId,
    toolCallId: payload.toolCallId,
    toolName: payload.toolName,
    args: payload.args,
    payload: payload.suspendPayload,
    schema: readResumeSchema(payload.resumeSchema),
  };
}

function readResumeSchema(text: unknown): JsonObject | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const schema: unknown = JSON.parse(text);
    return isObject(schema) ? schema : undefined;
  } catch {
    return undefined;
  }
}
