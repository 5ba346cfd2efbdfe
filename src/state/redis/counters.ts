/**
 * Counters in Redis, exact over all replicas: a reservation is one script and one round trip, at the time of the server.
 * What is given back is sent without waiting. A reservation whose answer comes too late is given back.
 * @module
 */
import type { Log } from '../../core/log.ts';
import { amountOf, idOf, isTooMuch, refused, Taken } from '../counting.ts';
import type { CounterReading, Counters, CounterUse, Refusal, Reservation } from '../state.ts';
import type { Client, RedisConnection } from './connection.ts';

/** See {@link COUNTING_SCRIPT}. */
type Answer = [
  outcome: 'granted' | 'fits' | 'reached' | 'full',
  now: string,
  at: number,
  resetsAt: string,
  each: string[],
];

interface Scripts {
  swbCount(rows: string, ends: string, owned: string, ...values: (string | number)[]): Promise<Answer>;
}

export interface RedisCountersOptions {
  connection: RedisConnection;
  prefix: string;
  maxCounters: number;
  log: Log;
  /** Milliseconds since the epoch. Default: the server's. */
  clock?: (() => number) | undefined;
}

/** Of what calls had taken that ended while Redis was away. */
const MAX_OWED = 10_000;

const NOTHING_TAKEN: Reservation = { granted: true, commit() {}, rollback() {} };

export class RedisCounters implements Counters {
  readonly #connection: RedisConnection;
  readonly #keys: [string, string, string];
  readonly #maxCounters: number;
  readonly #log: Log;
  readonly #clock: (() => number) | undefined;
  #reportedFull = false;
  /** What is to be given back as soon as Redis is back. */
  readonly #owed: (readonly (string | number)[])[] = [];

  constructor({ connection, prefix, maxCounters, log, clock }: RedisCountersOptions) {
    this.#connection = connection;
    // One hash tag: a script of a cluster reaches the keys of one slot.
    this.#keys = [`${prefix}{counters}:rows`, `${prefix}{counters}:ends`, `${prefix}{counters}:owned`];
    this.#maxCounters = maxCounters;
    this.#log = log;
    this.#clock = clock;
    connection.onRecovered(() => {
      for (const values of this.#owed.splice(0)) this.#sendBack(values);
    });
  }

  reserve<Use extends CounterUse>(
    uses: readonly Use[],
    now: number | undefined = this.#clock?.(),
  ): Reservation | Refusal<Use> | Promise<Reservation | Refusal<Use>> {
    if (uses.length === 0) return NOTHING_TAKEN;
    const tooMuch = uses.find((use) => isTooMuch(use, uses));
    if (tooMuch) return refused(tooMuch, 'too-much', undefined, now ?? 0);
    const late = (answer: Answer): void => {
      if (answer[0] === 'granted') this.giveBack(uses, answer[4].map(Number));
    };
    return this.#connection
      .run((client) => this.#count(client, 'reserve', uses, now), late)
      .then((answer) => {
        if (answer[0] === 'granted') {
          if (answer[2] > 0) this.#reportedFull = false;
          return new Taken(this, uses, answer[4].map(Number));
        }
        return this.#refusal(uses, answer);
      });
  }

  read<Use extends CounterUse>(
    uses: readonly Use[],
    now: number | undefined = this.#clock?.(),
  ): CounterReading<Use> | Promise<CounterReading<Use>> {
    if (uses.length === 0) return { refusal: undefined, counts: [] };
    return this.#connection
      .run((client) => this.#count(client, 'read', uses, now))
      .then((answer) => {
        const tooMuch = uses.find((use) => isTooMuch(use, uses));
        const refusal = tooMuch
          ? refused(tooMuch, 'too-much', undefined, 0)
          : answer[0] === 'fits'
            ? undefined
            : this.#refusal(uses, answer);
        const counts = uses.map((use, at) => {
          const [used, endsAt] = (answer[4][at] as string).split(' ');
          return { use, used: Number(used), endsAt: endsAt ? Number(endsAt) : undefined };
        });
        return { refusal, counts };
      });
  }

  /**
   * Where it cannot be sent now it is sent when Redis is back. Where it was sent and has no answer, what was taken may stay counted
   * until its window is over: never too little.
   */
  giveBack(uses: readonly CounterUse[], tickets: readonly number[]): void {
    this.#sendBack(uses.flatMap((use, at) => [...valuesOf(use, uses, tickets[at] as number)]));
  }

  #sendBack(values: readonly (string | number)[]): void {
    const [rows, ends, owned] = this.#keys;
    this.#connection.tell(
      (client) =>
        (client as unknown as Scripts).swbCount(rows, ends, owned, 'give-back', '', this.#maxCounters, ...values),
      (problem, wasSent) => {
        if (!wasSent && this.#owed.length < MAX_OWED) this.#owed.push(values);
        else this.#log.debug({ problem }, 'What a call had taken of its limits could not be given back.');
      },
    );
  }

  #count(client: Client, mode: string, uses: readonly CounterUse[], now: number | undefined): Promise<Answer> {
    const [rows, ends, owned] = this.#keys;
    const values: (string | number)[] = [mode, now ?? '', this.#maxCounters];
    for (const use of uses) values.push(...valuesOf(use, uses, use.max));
    return (client as unknown as Scripts).swbCount(rows, ends, owned, ...values);
  }

  #refusal<Use extends CounterUse>(uses: readonly Use[], [why, now, at, resetsAt]: Answer): Refusal<Use> {
    if (why === 'full' && !this.#reportedFull) {
      this.#reportedFull = true;
      this.#log.warn({}, 'No more counts of limits can be kept: calls that need one are denied.');
    }
    const use = uses[at - 1] as Use;
    return refused(
      use,
      why === 'full' ? 'full' : 'reached',
      resetsAt === '' ? undefined : Number(resetsAt),
      Number(now),
    );
  }
}

/** `third`: the most that may count, or the ticket that is given back. */
function* valuesOf(use: CounterUse, uses: readonly CounterUse[], third: number): Iterable<string | number> {
  const id = idOf(use);
  yield id;
  yield use.windowMs;
  yield use.sliding ? 1 : 0;
  yield third;
  yield use.amount;
  yield uses.length === 1 ? use.amount : amountOf(id, uses);
  // Empty: none. A principal may be any text.
  yield use.sessionOf === undefined ? '' : `=${use.sessionOf}`;
}
