/**
 * The connection to Redis. Every command has its answer within a bounded time; nothing is sent later than its caller
 * waits for it, and nothing is sent twice. A Redis that is away, or does not answer, costs that wait once: until it
 * answers again, commands fail at once.
 * @module
 */
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { SwitchboardError } from '../../core/errors.ts';
import { Listeners } from '../../core/listeners.ts';
import type { Log } from '../../core/log.ts';
import { clientOptions, clusterOptions, hostsOf, type RedisTarget } from './target.ts';

export type Client = Redis | Cluster;

/** Bytes of Redis's own: no key, no value and no script of a command that failed may get into a log. */
const MAX_CAUSE = 200;
/** A connection on which nothing comes for so long after a command is given up, and another one is made. */
const SILENT_MS = 10_000;
const RECONNECT_MS = { base: 50, cap: 2_000 };
/** Until a client that has given up connecting begins anew. */
const BEGIN_ANEW_MS = 1_000;
/** Commands without a waiting caller that have no answer yet, where Redis does not answer. */
const MAX_TOLD = 1_000;
/** When trying again makes sense, for callers of a state that is away. */
const RETRY_AFTER_MS = 1_000;

export class RedisConnection {
  readonly client: Client;
  readonly #waitMs: number;
  readonly #hosts: string;
  readonly #log: Log;
  readonly #recovered: Listeners<[]>;
  /** Of the two connections one reports for both. */
  readonly #reports: boolean;
  #ready = false;
  /** Connected, but a command got no answer in time. */
  #silent = false;
  /** Since when it is not connected. */
  #awaySince = performance.now();
  #isAway = false;
  #isClosed = false;
  #beginsAnew: NodeJS.Timeout | undefined;
  /** Commands without an answer and without a waiting caller. */
  #told = 0;
  #lastProblem = 'no answer';
  #waiting: { at: Promise<void>; arrived: () => void } | undefined;

  constructor(client: Client, hosts: string, waitMs: number, log: Log, reports = true) {
    this.client = client;
    this.#hosts = hosts;
    this.#waitMs = waitMs;
    this.#log = log;
    this.#reports = reports;
    this.#recovered = new Listeners(log);
    client.on('ready', () => this.#arrived());
    for (const event of ['close', 'end', 'reconnecting'] as const) client.on(event, () => this.#left());
    client.on('end', () => this.#beginAnew());
    // The one node of a cluster that brings messages is chosen among all of them, and changes with them.
    if (client.isCluster) for (const event of ['+node', '-node']) client.on(event, () => this.#recovered.emit());
    client.on('error', (error: Error) => {
      this.#lastProblem = problemOf(error);
      log.debug({ redis: hosts, problem: this.#lastProblem }, 'The connection to Redis failed.');
    });
  }

  /** `listener` is called each time Redis is reached again after it was away. */
  onRecovered(listener: () => void): () => void {
    return this.#recovered.add(listener);
  }

  /** Rejects with `SWB_STATE` when Redis is not reached in this time. */
  async opened(withinMs: number): Promise<void> {
    const until = performance.now() + withinMs;
    while (!this.#ready && performance.now() < until) await this.#whenReady(until - performance.now());
    if (!this.#ready) {
      throw new SwitchboardError('SWB_STATE', `Redis at ${this.#hosts} cannot be used (${this.#lastProblem}).`);
    }
  }

  /**
   * Sends one command. Rejects with `SWB_STATE` when there is no answer in time: it may have run all the same, and `late`
   * receives its answer if one still comes. `atLeastMs`: for what no call waits for.
   */
  run<T>(send: (client: Client) => Promise<T>, late?: (value: T) => void, atLeastMs = 0): Promise<T> {
    if (this.#ready && !this.#silent) return this.#send(send, Math.max(this.#waitMs, atLeastMs), late);
    if (this.#silent || performance.now() - this.#awaySince > this.#waitMs) return Promise.reject(this.#unavailable());
    return this.#sendOnceReady(send, late);
  }

  /**
   * Sends a command without waiting for its answer, if it can be sent now; `failed` gets whether it was. One that does not answer is sent a
   * bounded number: they are kept here for as long as it stays silent.
   */
  tell(send: (client: Client) => Promise<unknown>, failed: (problem: string, wasSent: boolean) => void): void {
    if (!this.#ready) failed('not connected', false);
    else if (this.#silent && this.#told >= MAX_TOLD) failed('no answer', false);
    else {
      this.#told++;
      const over = (): void => void this.#told--;
      send(this.client).then(over, (error: unknown) => {
        over();
        failed(problemOf(error), true);
      });
    }
  }

  /** Waits for the answers of what was sent, as long as a command waits. */
  async flush(): Promise<void> {
    if (this.#ready && !this.#silent) await this.#send((client) => client.ping(), this.#waitMs).catch(() => {});
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#beginsAnew);
    this.client.disconnect();
  }

  /**
   * ioredis gives up for good where its own watch over a failover disconnects it while it asks a Sentinel for the master, which is just
   * when the master has changed: `retryStrategy` is not asked.
   */
  #beginAnew(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#beginsAnew);
    // How it fails is in its events.
    this.#beginsAnew = setTimeout(() => void this.client.connect().catch(() => {}), BEGIN_ANEW_MS);
  }

  async #sendOnceReady<T>(send: (client: Client) => Promise<T>, late?: (value: T) => void): Promise<T> {
    const begun = performance.now();
    await this.#whenReady(this.#waitMs - (begun - this.#awaySince));
    if (!this.#ready) throw this.#unavailable();
    return this.#send(send, Math.max(1, this.#waitMs - (performance.now() - begun)), late);
  }

  #send<T>(send: (client: Client) => Promise<T>, ms: number, late?: (value: T) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      let over = false;
      let answered = false;
      const giveUp = (): void => {
        if (answered) return;
        over = true;
        this.#becameSilent();
        reject(this.#unavailable());
      };
      // Where this process was busy for so long, the answer is there and has not been read yet.
      const timer = setTimeout(() => setImmediate(giveUp), ms);
      send(this.client).then(
        (value) => {
          answered = true;
          if (this.#silent) this.#answers();
          if (over) {
            late?.(value);
            return;
          }
          clearTimeout(timer);
          resolve(value);
        },
        (error: unknown) => {
          answered = true;
          // An error that Redis itself sent is an answer.
          if (this.#silent && isReply(error)) this.#answers();
          if (over) return;
          clearTimeout(timer);
          reject(this.#failed(error));
        },
      );
    });
  }

  /** Resolves when it is ready, or when the time is over. */
  async #whenReady(ms: number): Promise<void> {
    if (this.#waiting === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = { at: promise, arrived: resolve };
    }
    const waiting = this.#waiting.at;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, ms));
    });
    await Promise.race([waiting, over]);
    clearTimeout(timer);
  }

  #arrived(): void {
    this.#ready = true;
    this.#silent = false;
    this.#waiting?.arrived();
    this.#waiting = undefined;
    this.#answersAgain();
  }

  #left(): void {
    if (!this.#ready) return;
    this.#ready = false;
    this.#silent = false;
    this.#awaySince = performance.now();
    this.#report();
  }

  #becameSilent(): void {
    if (!this.#ready || this.#silent) return;
    this.#silent = true;
    this.#lastProblem = 'no answer';
    this.#report();
  }

  #answers(): void {
    this.#silent = false;
    this.#answersAgain();
  }

  #report(): void {
    if (this.#isAway) return;
    this.#isAway = true;
    const facts = { redis: this.#hosts, problem: this.#lastProblem };
    if (this.#reports) this.#log.warn(facts, 'Redis is away: what needs it is refused until it is back.');
  }

  #answersAgain(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    if (this.#reports) this.#log.info({ redis: this.#hosts }, 'Redis is back.');
    this.#recovered.emit();
  }

  #failed(error: unknown): SwitchboardError {
    const problem = problemOf(error);
    this.#log.debug({ redis: this.#hosts, problem }, 'A command of Redis failed.');
    return isReply(error) ? refused(problem) : this.#unavailable();
  }

  #unavailable(): SwitchboardError {
    return new SwitchboardError('SWB_STATE', 'The state that the replicas share is away at the moment.', {
      retryAfterMs: RETRY_AFTER_MS,
    });
  }
}

const refused = (problem: string): SwitchboardError =>
  new SwitchboardError('SWB_STATE', 'The state that the replicas share could not be read or written.', {
    // Not the error itself: it has the command with it, and so keys and values.
    cause: new Error(problem),
  });

const isReply = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError';

function problemOf(error: unknown): string {
  const { code, message = '', lastNodeError } = error as Error & { code?: string; lastNodeError?: Error };
  if (lastNodeError) return problemOf(lastNodeError);
  return code ?? message.slice(0, MAX_CAUSE);
}

export interface OpenOptions {
  target: RedisTarget;
  waitMs: number;
  log: Log;
}

/** A connection for commands and one for messages. Loads the client of Redis, which no other part needs. */
export async function connect({
  target,
  waitMs,
  log,
}: OpenOptions): Promise<{ commands: RedisConnection; messages: RedisConnection }> {
  const { Cluster, Redis } = await import('ioredis');
  const retry = (times: number): number =>
    Math.min(RECONNECT_MS.cap, RECONNECT_MS.base * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2);
  const common: RedisOptions = {
    // What could not be sent, or has no answer, is the caller's to know: it must not run later.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    socketTimeout: SILENT_MS,
    connectTimeout: SILENT_MS,
    retryStrategy: retry,
    // A master that became a replica (Sentinel, managed services) is left for the one that took its place.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
    disableClientInfo: true,
    connectionName: 'switchboard',
  };
  const hosts = hostsOf(target);
  const open = (forMessages: boolean): RedisConnection => {
    // The bus subscribes again with every new connection: where ioredis does, and that connection breaks before the answer, no caller
    // catches its rejection and the process ends.
    const own: RedisOptions = forMessages
      ? { enableOfflineQueue: true, socketTimeout: undefined, autoResubscribe: false }
      : {};
    if (typeof target === 'object' && 'cluster' in target) {
      const { nodes, options } = clusterOptions(target);
      const client = new Cluster(nodes, {
        ...options,
        redisOptions: { ...common, ...options.redisOptions, ...own },
        enableOfflineQueue: forMessages,
        clusterRetryStrategy: retry,
        slotsRefreshTimeout: SILENT_MS,
      });
      return new RedisConnection(client, hosts, waitMs, log, !forMessages);
    }
    const sentinel = { sentinelRetryStrategy: retry, sentinelMaxConnections: 3, failoverDetector: true };
    const client = new Redis({
      ...common,
      ...clientOptions(target),
      ...(typeof target === 'object' && sentinel),
      ...own,
    });
    return new RedisConnection(client, hosts, waitMs, log, !forMessages);
  };
  return { commands: open(false), messages: open(true) };
}
