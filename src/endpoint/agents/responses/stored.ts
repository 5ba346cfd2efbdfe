/**
 * Responses that can be asked for and gone on from, by principal: another principal's does not exist. They are in the state, where
 * any replica finds them, also after a restart. What became of one whose connection is gone is asked of its run.
 * @module
 */
import { hash } from 'node:crypto';
import { SwitchboardError, toRpcError } from '../../../core/errors.ts';
import type { Identity } from '../../../core/identity.ts';
import type { JsonValue } from '../../../state/state.ts';
import { isObject, type JsonObject } from '../../../wire/jsonrpc.ts';
import type { Kept } from '../kept.ts';
import { type AgentRuns, AgentTurn, outcomeOf, type Question, type TurnEvent } from '../turn.ts';
import { annotationsOf, messageIdOf, messageItem, otherItems, questionItem, textOf, usageOf } from './response.ts';

export interface StoredResponse {
  response: JsonObject;
  threadId: string | undefined;
  /** The run it is of, while that can be answered or waited for. */
  run: string | undefined;
  /** The call by which the agent asks. */
  callId: string | undefined;
  /** The section of the run that it is of. */
  section: number;
  /** Where the pieces of its text ended as they were streamed; undefined where that is not known. `text`: where it is not that of the answer. */
  streamed: { cuts: number[]; text?: string } | undefined;
}

export const CLIENT = 'responses';

/** Of a text with more pieces only the whole is kept. */
const MAX_CUTS = 20_000;

export class StoredResponses {
  readonly #kept: Kept;
  readonly #runs: AgentRuns;
  /** Responses that are being sent, by principal and id: their connection ends them. */
  readonly #sending = new Map<string, StoredResponse>();

  constructor(kept: Kept, runs: AgentRuns) {
    this.#kept = kept;
    this.#runs = runs;
  }

  /** As it stands now. Rejects with `SWB_STATE` when the state cannot be read. */
  async get(identity: Identity, id: string): Promise<StoredResponse | undefined> {
    const sending = this.#sending.get(keyOf(identity, id));
    if (sending) return sending;
    const stored = readStored(await this.#kept.get(identity.principal, id));
    return stored && this.#asItStands(identity, stored);
  }

  /** Never rejects: what the state does not take is known to this process alone. */
  async set({ principal }: Identity, stored: StoredResponse): Promise<void> {
    const { response, streamed, ...more } = stored;
    const encode = (shown: JsonObject, cuts?: StoredResponse['streamed']): JsonValue =>
      JSON.parse(JSON.stringify({ response: shown, ...more, streamed: cuts })) as JsonValue;
    const short = (bytes: number): JsonValue => {
      const says = `The answer has ${bytes} bytes: too long to be kept beyond the process that received it.`;
      return encode({ ...response, output: [messageItem(messageIdOf(String(response.id)), says)] });
    };
    await this.#kept.set(principal, String(response.id), encode(response, streamed), short);
  }

  delete({ principal }: Identity, id: string): Promise<void> {
    return this.#kept.delete(principal, id);
  }

  /** While it is sent it is known by its id. Returns what ends that. */
  sending(identity: Identity, stored: StoredResponse): () => void {
    const key = keyOf(identity, String(stored.response.id));
    this.#sending.set(key, stored);
    return () => void this.#sending.delete(key);
  }

  async #asItStands(identity: Identity, stored: StoredResponse): Promise<StoredResponse> {
    const { response, run } = stored;
    if (run === undefined || response.status !== 'in_progress') return stored;
    const turn = await AgentTurn.find(this.#runs, identity, CLIENT, run);
    let record: Awaited<ReturnType<AgentTurn['record']>>;
    try {
      record = await turn?.record();
      const question = await turn?.question();
      if (turn && question && (await turn.current()) === stored.section)
        return asking(stored, question, await turn.soFar());
    } finally {
      turn?.leave();
    }
    if (record && (record.status === 'working' || record.status === 'input_required')) return stored;
    const unknown = new SwitchboardError('SWB_UNKNOWN_TASK', 'What became of this response is not known any more.');
    const outcome: TurnEvent = record ? outcomeOf(record) : { type: 'failed', error: unknown };
    if (outcome.type !== 'ended' && outcome.type !== 'failed') return stored;
    const ended = over(stored, outcome);
    await this.set(identity, ended);
    return ended;
  }
}

/** A response whose turn asks. `pieces`: what was said before. */
export function asking(stored: StoredResponse, question: Question, pieces: readonly string[] = []): StoredResponse {
  const { response, run } = stored;
  // Every reader, in every process, sees one call.
  const callId = `call_${hash('sha256', JSON.stringify([run, question]), 'hex').slice(0, 32)}`;
  const text = pieces.join('');
  const said = text === '' ? [] : [messageItem(messageIdOf(String(response.id)), text)];
  const output = [...said, questionItem(callId, question.params)];
  return {
    ...stored,
    callId,
    streamed: streamedAs(pieces, text),
    response: { ...response, status: 'completed', output },
  };
}

/** A response whose turn is over. `pieces`: what was streamed of its text; undefined where that is not known. */
export function over(
  stored: StoredResponse,
  outcome: Extract<TurnEvent, { type: 'ended' | 'failed' }>,
  pieces?: readonly string[],
): StoredResponse {
  const { response } = stored;
  const next = { ...stored, run: undefined, callId: undefined };
  if (outcome.type === 'ended') {
    const { result } = outcome;
    const id = String(response.id);
    const text = textOf(result);
    const output = [...otherItems(id, result), messageItem(messageIdOf(id), text, annotationsOf(result, text))];
    const usage = usageOf(result) ?? null;
    const threadId = result.threadId ?? stored.threadId;
    const streamed = streamedAs(pieces, text);
    return { ...next, threadId, streamed, response: { ...response, status: 'completed', output, usage } };
  }
  const { error } = outcome;
  const { message } = toRpcError(error, 'legacy');
  const cancelled = error instanceof SwitchboardError && error.code === 'SWB_CANCELLED';
  const status = cancelled ? 'cancelled' : 'failed';
  return {
    ...next,
    streamed: streamedAs(pieces, ''),
    response: { ...response, status, error: { code: cancelled ? 'cancelled' : 'server_error', message } },
  };
}

function streamedAs(pieces: readonly string[] | undefined, text: string): StoredResponse['streamed'] {
  if (!pieces || pieces.length > MAX_CUTS) return undefined;
  const sent = pieces.join('');
  return { cuts: pieces.map(({ length }) => length), ...(text.startsWith(sent) ? {} : { text: sent }) };
}

/** The pieces in which the text of a response was streamed; undefined where that is not known. */
export function piecesOf({ response, streamed }: StoredResponse): string[] | undefined {
  if (!streamed) return undefined;
  const items = Array.isArray(response.output) ? response.output.filter(isObject) : [];
  const item = items.find(({ id }) => id === messageIdOf(String(response.id)));
  const [part] = Array.isArray(item?.content) ? item.content : [];
  const text = streamed.text ?? (isObject(part) && typeof part.text === 'string' ? part.text : '');
  const pieces: string[] = [];
  let at = 0;
  for (const length of streamed.cuts) {
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

function readStored(value: JsonValue | undefined): StoredResponse | undefined {
  if (!isObject(value) || !isObject(value.response)) return undefined;
  const text = (member: unknown): string | undefined => (typeof member === 'string' ? member : undefined);
  return {
    response: value.response,
    threadId: text(value.threadId),
    run: text(value.run),
    callId: text(value.callId),
    section: typeof value.section === 'number' ? value.section : 0,
    streamed: isObject(value.streamed) ? (value.streamed as unknown as StoredResponse['streamed']) : undefined,
  };
}

const keyOf = ({ principal }: Identity, id: string): string => `${principal}\n${id}`;
