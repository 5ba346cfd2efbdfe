/**
 * What an operator does at one replica, done by the others as well. It reaches them over the bus; each acts once and answers how it
 * went, so that the operator reads what holds where.
 *
 * A message counts only with a code made with the admin token: a writer of the state that does not know the token cannot act
 * as an operator. Replicas with another admin token are other gateways to this one, as they are for sessions of browsers. A message
 * that was recorded is worth nothing later: the code covers when it was sent, and each is acted on once while it is young enough.
 * @module
 */
import { createHmac, randomUUID } from 'node:crypto';
import { tokenCheck } from '../../auth/bearer.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { Quiet } from '../../core/quiet.ts';
import type { ReplicaId } from '../../state/replica.ts';
import type { JsonValue, State } from '../../state/state.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { Once } from './once.ts';

/** Does its part and says how it went. Rejects with `SwitchboardError` for what the operator gets to read. */
export type Act = (params: JsonObject) => Promise<JsonObject>;

export interface ReplicaReply {
  replica: ReplicaId;
  /** What the action gave there. */
  result?: JsonObject;
  /** Why it failed there. */
  problem?: string;
}

export interface Elsewhere {
  replies: ReplicaReply[];
  /** Replicas that are there and have not answered in time. They may still act. */
  silent: number;
}

export interface ReplicaActionsOptions {
  replica: ReplicaId;
  bus: State['bus'];
  /** The admin token. */
  token: string;
  /** The other replicas that are known. */
  others(): readonly ReplicaId[];
  log: Log;
  /** How long answers are waited for. */
  waitMs?: number;
}

const TOPIC = 'admin-actions';
/** As long as connecting to a server may reasonably take. */
const WAIT_MS = 15_000;
const NOT_OF_NOW =
  'It was left out there: by the clock of that replica it was not sent within the last minute, or before the replica started. Clocks of replicas must agree within a minute.';

interface Waiting {
  replies: Map<ReplicaId, ReplicaReply>;
  heard(): void;
  /** Nothing more is waited for. */
  end(): void;
}

export class ReplicaActions {
  readonly #replica: ReplicaId;
  readonly #bus: State['bus'];
  readonly #key: Buffer;
  readonly #others: () => readonly ReplicaId[];
  readonly #log: Log;
  readonly #waitMs: number;
  readonly #acts = new Map<string, Act>();
  /** Messages from before were for the process that listened then. */
  readonly #once = new Once(Date.now());
  readonly #quiet = new Quiet();
  readonly #waiting = new Map<string, Waiting>();
  readonly #stopListening: () => void;
  #closed = false;

  constructor({ replica, bus, token, others, log, waitMs = WAIT_MS }: ReplicaActionsOptions) {
    this.#replica = replica;
    this.#bus = bus;
    this.#key = createHmac('sha256', token).update('actions of operators').digest();
    this.#others = others;
    this.#log = log;
    this.#waitMs = waitMs;
    this.#stopListening = bus.subscribe(TOPIC, (message, from) => {
      if (from !== replica) this.#heard(message, from);
    });
  }

  close(): void {
    this.#closed = true;
    this.#stopListening();
    for (const { end } of this.#waiting.values()) end();
  }

  /** What this replica does when an operator has done it at another one. */
  on(action: string, act: Act): void {
    this.#acts.set(action, act);
  }

  /** Has the others do it. Resolves when all that are known have answered, or the time is over; never rejects. */
  async elsewhere(action: string, params: JsonObject): Promise<Elsewhere> {
    const id = randomUUID();
    const expected = this.#others();
    if (this.#closed) return { replies: [], silent: expected.length };
    const replies: Waiting['replies'] = new Map();
    const { promise, resolve } = Promise.withResolvers<void>();
    // By name: the answer of one that has joined meanwhile does not stand in for one that hangs.
    const silent = (): number => expected.filter((replica) => !replies.has(replica)).length;
    const heard = (): void => {
      if (silent() === 0) resolve();
    };
    const deadline = setTimeout(resolve, expected.length === 0 ? 0 : this.#waitMs);
    this.#waiting.set(id, { replies, heard, end: resolve });
    this.#say({ id, at: Date.now(), action, params });
    await promise;
    clearTimeout(deadline);
    this.#waiting.delete(id);
    return { replies: [...replies.values()], silent: silent() };
  }

  #say(message: JsonObject): void {
    const text = JSON.stringify(message);
    this.#bus.publish(TOPIC, { text, code: this.#codeOf(text, this.#replica) });
  }

  /** A code is of one sender: what a replica has said is worth nothing under another name. */
  #codeOf(text: string, from: ReplicaId): string {
    return createHmac('sha256', this.#key).update(`${from}\n${text}`).digest('base64url');
  }

  #heard(message: JsonValue, from: ReplicaId): void {
    if (!isObject(message)) return;
    const { text, code } = message;
    if (typeof text !== 'string' || typeof code !== 'string' || !tokenCheck(this.#codeOf(text, from))(code)) {
      this.#warn('An action of an operator at another replica is left out: its admin token is another one.', from);
      return;
    }
    const said: unknown = JSON.parse(text);
    if (!isObject(said)) return;
    const { id, at, action, params, answers, result, problem } = said;
    if (typeof answers === 'string') {
      const waiting = this.#waiting.get(answers);
      waiting?.replies.set(from, {
        replica: from,
        ...(isObject(result) ? { result } : {}),
        ...(typeof problem === 'string' ? { problem } : {}),
      });
      waiting?.heard();
    } else if (typeof id === 'string' && typeof action === 'string' && isObject(params)) {
      if (!this.#once.isOfNow(at)) {
        this.#warn('An action of an operator at another replica is left out: its time.', from);
        this.#say({ answers: id, problem: NOT_OF_NOW });
      } else if (this.#once.isNew(id, at)) void this.#act(id, action, params, from);
    }
  }

  /** A writer of the state can send as many as it likes: lines of one kind are few. */
  #warn(text: string, replica: ReplicaId): void {
    const skipped = this.#quiet.skippedBefore(text);
    if (skipped !== undefined) this.#log.warn({ replica, ...(skipped === 0 ? {} : { alsoLeftOut: skipped }) }, text);
  }

  async #act(id: string, action: string, params: JsonObject, from: ReplicaId): Promise<void> {
    try {
      const act = this.#acts.get(action);
      if (!act)
        throw new SwitchboardError('SWB_NOT_SUPPORTED', 'This replica is of another version and does not know this.');
      this.#log.info({ action, replica: from }, 'An operator has acted at another replica.');
      this.#say({ answers: id, result: await act(params) });
    } catch (error) {
      const known = error instanceof SwitchboardError;
      if (!known) this.#log.error({ err: error, action }, 'An action of an operator at another replica failed here.');
      this.#say({ answers: id, problem: known ? error.message : 'It failed there. The log of that replica says why.' });
    }
  }
}
