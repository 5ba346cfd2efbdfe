/**
 * The calls of one connection: each is a message on its tool's topic, and its answer comes to the connection's inbox.
 *
 * A call is published once. Whatever becomes of the connection, it is never published again, and with the message's expiry
 * the broker gives it to no server once its time is over.
 * @module
 */
import { randomFillSync } from 'node:crypto';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import type { Reply } from '../../src/core/upstream.ts';
import { memberText } from '../../src/wire/json/source.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import {
  type BrokerConnection,
  type BrokerMessage,
  NO_SUBSCRIBERS,
  type Publication,
} from '../../src/wire/mqtt/index.ts';
import { notAnAnswer, readAnswer, replyOf } from './answer.ts';
import type { ToolCard } from './cards.ts';
import { StreamReports } from './stream.ts';
import { streamedCall, type Topics } from './topics.ts';

const UNAUTHORIZED = 0x87;
const ID_BYTES = 12;

export interface InboxOptions {
  /** The server's name in the configuration. */
  server: string;
  topics: Topics;
  /** How long a call may wait for a server, in milliseconds. */
  expiryMs: number;
  /** Whose login the connection has: only then a refusal is about the caller. */
  ofCaller: boolean;
  log: Log;
  /** A tool has answered. */
  onAnswer(): void;
}

export class Inbox {
  readonly connection: BrokerConnection;
  /** Calls under way. A slot is in the call's id, so that its answer finds it without a table of ids. */
  readonly #slots: (Pending | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #options: InboxOptions;
  readonly #client: string;
  readonly #responses: string;
  readonly #expirySeconds: number;

  /** Asks the broker for answers to `client`. Rejects when it refuses. */
  static async open(connection: BrokerConnection, client: string, options: InboxOptions): Promise<Inbox> {
    const inbox = new Inbox(connection, client, options);
    connection.on(inbox.#responses, (message) => inbox.#answered(message));
    connection.on(options.topics.streams, (message) => inbox.#streamed(message));
    await connection.subscribe(inbox.#responses);
    return inbox;
  }

  private constructor(connection: BrokerConnection, client: string, options: InboxOptions) {
    this.connection = connection;
    this.#options = options;
    this.#client = client;
    this.#responses = options.topics.responses(client);
    this.#expirySeconds = Math.max(1, Math.floor(options.expiryMs / 1_000));
  }

  /** Resolves when the broker answers. Asking again for what it sends already changes nothing. */
  async confirm(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, reject } = Promise.withResolvers<never>();
    const aborted = (): void => reject(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    try {
      await Promise.race([this.connection.subscribe(this.#responses), promise]);
    } finally {
      signal.removeEventListener('abort', aborted);
    }
  }

  /** Calls under way. */
  get size(): number {
    return this.#slots.length - this.#free.length;
  }

  call(card: ToolCard, params: JsonObject, call: Call): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const slot = this.#free.pop() ?? this.#slots.length;
      const pending = new Pending(this, slot, card, call, resolve, reject);
      this.#slots[slot] = pending;
      pending.unlisten = call.onAbort((reason) => pending.fail(reason));
      if (pending.isOver) return;
      if (call.wantsProgress && card.streams) void this.#callStreaming(pending, params);
      else this.#publish(pending, params);
    });
  }

  /** Listens first, so that no report is missed. A broker that refuses the stream does not refuse the call. */
  async #callStreaming(pending: Pending, params: JsonObject): Promise<void> {
    pending.reports = new StreamReports(pending.call);
    try {
      await this.connection.subscribe(this.#options.topics.stream(pending.card.name, pending.id), { qos: 0 });
    } catch (error) {
      this.#options.log.debug(
        { server: this.#options.server, err: error },
        'the stream of a call could not be subscribed to',
      );
    }
    if (!pending.isOver) this.#publish(pending, params);
  }

  #publish(pending: Pending, params: JsonObject): void {
    const { topics } = this.#options;
    const id = JSON.stringify(pending.id);
    const client = JSON.stringify(this.#client);
    const args = memberText(params, 'arguments') ?? '{}';
    const now = new Date().toISOString();
    const payload = `{"call_id":${id},"arguments":${args},"client":${client},"timestamp":"${now}","response_topic":${JSON.stringify(this.#responses)}}`;
    const properties = {
      responseTopic: this.#responses,
      correlationData: Buffer.from(pending.id),
      contentType: 'application/json',
      messageExpiryInterval: this.#expirySeconds,
    };
    this.connection.publish(topics.call(pending.card.name), payload, { properties }, pending);
  }

  /** The call is over: its answer is dropped. */
  release(pending: Pending): void {
    if (this.#slots[pending.slot] !== pending) return;
    this.#slots[pending.slot] = undefined;
    this.#free.push(pending.slot);
    if (pending.reports) this.connection.unsubscribe(this.#options.topics.stream(pending.card.name, pending.id));
  }

  /** Fails calls that are under way, all or those of some tools. */
  fail(reason: SwitchboardError, isMeant: (tool: string) => boolean = () => true): void {
    for (const pending of this.#slots) if (pending && isMeant(pending.card.name)) pending.fail(reason);
  }

  #pendingOf(id: string | undefined): Pending | undefined {
    if (id === undefined) return undefined;
    const pending = this.#slots[Number.parseInt(id, 36)];
    return pending?.id === id ? pending : undefined;
  }

  #answered(message: BrokerMessage): void {
    const { server } = this.#options;
    const correlated = this.#pendingOf(message.properties?.correlationData?.toString('latin1'));
    if (message.truncated) {
      const id = /"call_id"\s*:\s*"([\w-]+)"/.exec(message.payload.toString('latin1'))?.[1];
      (correlated ?? this.#pendingOf(id))?.fail(tooLarge(server));
      return;
    }
    const answer = readAnswer(message.payload);
    const pending = answer?.callId === undefined ? correlated : this.#pendingOf(answer.callId);
    if (!pending) {
      // Late answers, and those to other connections with the same login.
      this.#options.log.debug({ server, bytes: message.payload.length }, 'an answer that no call waits for');
      return;
    }
    this.#options.onAnswer();
    const { name, hasOutputSchema } = pending.card;
    try {
      if (!answer) throw notAnAnswer(server, name);
      pending.succeed(replyOf(server, name, message.payload, answer, hasOutputSchema));
    } catch (error) {
      pending.fail(error instanceof SwitchboardError ? error : notAnAnswer(server, name));
    }
  }

  #streamed(message: BrokerMessage): void {
    const pending = this.#pendingOf(streamedCall(message.topic));
    if (!message.truncated) pending?.reports?.read(message.payload);
  }

  /** Why the broker did not take a call, in words about the call. */
  refused(failure: SwitchboardError, reasonCode: number, tool: string): SwitchboardError {
    const { server, ofCaller } = this.#options;
    if (reasonCode !== UNAUTHORIZED) return failure;
    const who = ofCaller ? 'this caller' : 'the gateway';
    const sentence = `unauthorized: The broker does not allow ${who} to call the tool '${tool}' of server '${server}'.`;
    return new SwitchboardError('SWB_UPSTREAM_AUTH', sentence, {
      data: { server, tool, reason: 'unauthorized', reasonCode },
    });
  }

  unserved(tool: string): SwitchboardError {
    return unserved(this.#options.server, tool, { reasonCode: NO_SUBSCRIBERS });
  }
}

/** One call under way. */
class Pending implements Publication {
  readonly slot: number;
  readonly id: string;
  readonly card: ToolCard;
  readonly call: Call;
  reports: StreamReports | undefined;
  unlisten: (() => void) | undefined;
  isOver = false;
  readonly #inbox: Inbox;
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (error: Error) => void;

  constructor(
    inbox: Inbox,
    slot: number,
    card: ToolCard,
    call: Call,
    resolve: (reply: Reply) => void,
    reject: (error: Error) => void,
  ) {
    this.#inbox = inbox;
    this.slot = slot;
    this.id = `${slot.toString(36)}-${randomId()}`;
    this.card = card;
    this.call = call;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** A call that was given up in the meantime has no waiting caller: it stays here. */
  leaves(): boolean {
    if (this.isOver) return false;
    this.call.left?.();
    return true;
  }

  published(failure: SwitchboardError | undefined, reasonCode: number): void {
    if (failure) this.fail(this.#inbox.refused(failure, reasonCode, this.card.name));
    else if (reasonCode === NO_SUBSCRIBERS) this.fail(this.#inbox.unserved(this.card.name));
  }

  succeed(reply: Reply): void {
    if (this.#end()) this.#resolve(reply);
  }

  fail(reason: Error): void {
    if (this.#end()) this.#reject(reason);
  }

  #end(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.unlisten?.();
    this.#inbox.release(this);
    return true;
  }
}

const tooLarge = (server: string): SwitchboardError =>
  new SwitchboardError('SWB_REPLY_TOO_LARGE', `Server '${server}' answered with more than the gateway accepts.`, {
    data: { server },
  });

export const unserved = (server: string, tool: string, data: JsonObject = {}): SwitchboardError =>
  new SwitchboardError(
    'SWB_UPSTREAM_UNAVAILABLE',
    `unavailable: No server on the broker of '${server}' serves the tool '${tool}' now.`,
    {
      data: { server, tool, reason: 'unavailable', ...data },
    },
  );

/** The error of a call whose tool's servers have all gone. */
export const stopped = (server: string): SwitchboardError =>
  new SwitchboardError(
    'SWB_UPSTREAM_UNAVAILABLE',
    `unavailable: The server on the broker of '${server}' that ran the tool has stopped, or was lost, before it answered.`,
    { data: { server, reason: 'unavailable' } },
  );

/** Random bytes for many ids: asking for those of each call would cost more than the rest of it. */
const pool = Buffer.alloc(ID_BYTES * 256);
let used = pool.length;

/** A client of the broker that knows ids of other calls cannot guess this one, and answer in place of its tool. */
function randomId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += ID_BYTES;
  return pool.toString('hex', used - ID_BYTES, used);
}
