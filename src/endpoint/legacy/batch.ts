/**
 * JSON-RPC batches, which revision 2025-03-26 had and no other (2025-03-26 basic, "Batching"): many messages in one
 * array, their replies in another.
 * @module
 */

import { SwitchboardError, toRpcError } from '../../core/errors.ts';
import type { CallResult } from '../../relay/types.ts';
import { type JsonObject, kindOf, type Notification, type Request, type RequestId } from '../../wire/jsonrpc.ts';
import type { Pieces } from '../../wire/pieces.ts';
import { encodeError, encodeReply, idOf, invalidMessage } from '../messages.ts';
import type { MessageSink, ReplySink } from '../open-request.ts';
import type { LegacySession } from './session.ts';

const BATCH_REVISION = '2025-03-26';

/** Messages in one batch. */
const MAX_BATCH = 100;

const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

export function batchRefused(): SwitchboardError {
  return new SwitchboardError(
    'SWB_BATCH_REFUSED',
    `Batches are part of revision ${BATCH_REVISION} only. Send each message by itself.`,
  );
}

/**
 * Throws when this session's revision has no batches or the batch is not one. `initialize` opens sessions and cannot
 * be in one.
 */
export function requireBatch(session: LegacySession, batch: readonly unknown[]): void {
  if (session.caller.protocolVersion !== BATCH_REVISION) throw batchRefused();
  if (batch.length === 0 || batch.length > MAX_BATCH) {
    throw new SwitchboardError('SWB_INVALID_REQUEST', `A batch holds 1 to ${MAX_BATCH} messages.`);
  }
}

/** The ids of a batch's requests. */
export function requestIdsOf(batch: readonly unknown[]): RequestId[] {
  return batch.filter((item) => kindOf(item) === 'request').map((item) => (item as Request).id);
}

/**
 * Hands every message of a batch to the session. `done` gets all replies as one JSON array once the last is known, or
 * `undefined` when none is due.
 */
export function handleBatch(
  session: LegacySession,
  batch: readonly unknown[],
  sink: MessageSink,
  done: (replies: Pieces | undefined) => void,
): void {
  const replies = new BatchReplies(sink, done);
  // Counted before any is handled: one with its reply at once must not end the batch.
  const due: (() => void)[] = [];
  for (const item of batch) {
    switch (kindOf(item)) {
      case 'request':
        due.push(() => handleOne(session, item as Request, replies));
        break;
      case 'notification':
        session.receive(item as Notification);
        break;
      case 'response':
        session.receiveResponse(item as JsonObject);
        break;
      case 'invalid':
        due.push(() => replies.fail(idOf(item), invalidMessage()));
        break;
    }
  }
  replies.expect(due.length);
  for (const start of due) start();
}

function handleOne(session: LegacySession, request: Request, replies: ReplySink): void {
  if (request.method !== 'initialize') session.handle(request, replies);
  else replies.fail(request.id, new SwitchboardError('SWB_INVALID_REQUEST', 'initialize must not be in a batch.'));
}

class BatchReplies implements ReplySink {
  readonly #sink: MessageSink;
  readonly #done: (replies: Pieces | undefined) => void;
  readonly #parts: Buffer[] = [];
  #missing = 0;

  constructor(sink: MessageSink, done: (replies: Pieces | undefined) => void) {
    this.#sink = sink;
    this.#done = done;
  }

  expect(count: number): void {
    this.#missing = count;
    if (count === 0) this.#done(undefined);
  }

  send(message: Notification | Request): boolean {
    return this.#sink.send(message);
  }

  reply(id: RequestId, result: CallResult): void {
    this.#add(encodeReply(id, result));
  }

  fail(id: RequestId | null, error: unknown): void {
    this.#add([Buffer.from(encodeError(id, toRpcError(error, 'legacy')))]);
  }

  release(): void {
    this.#add(undefined);
  }

  #add(part: Pieces | undefined): void {
    if (part) this.#parts.push(this.#parts.length === 0 ? OPEN : COMMA, ...part);
    if (--this.#missing > 0) return;
    this.#done(this.#parts.length === 0 ? undefined : [...this.#parts, CLOSE]);
  }
}
