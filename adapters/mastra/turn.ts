/**
 * Reads the outcome of one request to a Mastra agent, a reply of /generate or the events of /stream, into one shape.
 *
 * 2xx is not success (measured): a failed run is a 200 with an `error` event and a stack in it, and a run that waits for
 * approval ends its stream without a `finish`.
 * @module
 */
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { publicMessage } from '../shared/sanitize.ts';

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
  text: string;
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

/** Reads a reply of /generate, /approve-tool-call-generate or /decline-tool-call-generate. */
export function readGenerate(body: JsonObject): AgentTurn | Failure {
  const finishReason = typeof body.finishReason === 'string' ? body.finishReason : undefined;
  if (isObject(body.tripwire)) return { failed: blocked(body.tripwire.reason) };
  if (finishReason === 'error' || isObject(body.error)) return { failed: failureText(body.error) };
  const runId = typeof body.runId === 'string' ? body.runId : undefined;
  const turn: AgentTurn = {
    text: typeof body.text === 'string' ? body.text : '',
    runId,
    finishReason,
    usage: readUsage(body.usage),
    output: body.object,
    pending: [],
  };
  if (finishReason === 'suspended') {
    const pending = runId === undefined ? undefined : readPending(undefined, runId, body.suspendPayload);
    if (!pending) return { failed: 'it waits for something it does not name' };
    turn.pending.push(pending);
  } else if (finishReason === undefined) {
    return { failed: 'its reply says nothing of how it ended' };
  }
  return turn;
}

/** Reads the events of a stream one by one. */
export class TurnReader {
  readonly #onText: (text: string) => void;
  readonly #onActivity: () => void;
  readonly #maxTextBytes: number;
  readonly #turn: AgentTurn = {
    text: '',
    runId: undefined,
    finishReason: undefined,
    usage: undefined,
    output: undefined,
    pending: [],
  };
  #bytes = 0;
  #failed: string | undefined;

  /** `onActivity` is called for events that show progress and hold no text. */
  constructor(handlers: { onText(text: string): void; onActivity(): void }, maxTextBytes: number) {
    this.#onText = handlers.onText;
    this.#onActivity = handlers.onActivity;
    this.#maxTextBytes = maxTextBytes;
  }

  /** Throws `SWB_REPLY_TOO_LARGE` when the text grows beyond the limit. */
  read(event: unknown): void {
    if (!isObject(event)) return;
    const turn = this.#turn;
    if (typeof event.runId === 'string') turn.runId ??= event.runId;
    const payload = isObject(event.payload) ? event.payload : {};
    switch (event.type) {
      case 'text-delta':
        if (typeof payload.text === 'string' && payload.text !== '') this.#add(payload.text);
        break;
      case 'object-result':
        turn.output = event.object;
        break;
      case 'tool-call':
      case 'tool-result':
      case 'tool-error':
        this.#onActivity();
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

  #add(text: string): void {
    this.#bytes += Buffer.byteLength(text);
    if (this.#bytes > this.#maxTextBytes) {
      throw new SwitchboardError('SWB_REPLY_TOO_LARGE', `The agent's text is over ${this.#maxTextBytes} bytes.`);
    }
    this.#turn.text += text;
    this.#onText(text);
  }
}

function failureText(error: unknown): string {
  if (typeof error === 'string') return publicMessage(error);
  // The stack and whatever else the error has stay here.
  return publicMessage(isObject(error) && typeof error.message === 'string' ? error.message : '');
}

const blocked = (reason: unknown): string =>
  typeof reason === 'string' && reason !== '' ? `${BLOCKED}: ${publicMessage(reason)}` : BLOCKED;

/** The numbers of a usage; providers' raw objects are left out. */
function readUsage(usage: unknown): JsonObject | undefined {
  if (!isObject(usage)) return undefined;
  const numbers = Object.entries(usage).filter(([, value]) => typeof value === 'number');
  return numbers.length > 0 ? Object.fromEntries(numbers) : undefined;
}

/**
 * Streams say which of the two it is; /generate does not, but only approvals have a schema that asks for `approved` and
 * nothing a tool itself said (measured).
 */
function readPending(type: Pending['type'] | undefined, runId: string, payload: unknown): Pending | undefined {
  if (!isObject(payload) || typeof payload.toolCallId !== 'string' || typeof payload.toolName !== 'string') {
    return undefined;
  }
  const schema = readResumeSchema(payload.resumeSchema);
  const asksApproval = isObject(schema?.properties) && 'approved' in schema.properties;
  return {
    type: type ?? (asksApproval && !('suspendPayload' in payload) ? 'tool-approval' : 'tool-suspended'),
    runId,
    toolCallId: payload.toolCallId,
    toolName: payload.toolName,
    args: payload.args,
    payload: payload.suspendPayload,
    schema,
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
