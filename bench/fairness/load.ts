/**
 * Child process of the fairness bench: callers of one or several principals, each with one request after the other.
 * @module
 */
import { setPriority } from 'node:os';
import { serveParent } from '../child.ts';
import { percentile } from '../statistics.ts';
import { FairnessClient } from './client.ts';
import { KINDS, type Kind } from './kinds.ts';

export interface LoadRequest {
  kind: string;
  port: number;
  /** Each principal's headers. */
  keys: Readonly<Record<string, string>>[];
  /** Whether they are greedy: then each has all of the kind's callers. */
  greedy: boolean;
  /** Before anything is measured. */
  warmupMs: number;
  durationMs: number;
}

export interface LoadReply {
  calls: number;
  /** Milliseconds; null when no call of the window succeeded. */
  p50: number | null;
  p99: number | null;
  /** Calls that failed, with the first reason. */
  refused: number;
  why: string;
}

class Loop {
  readonly latencies: number[] = [];
  refused = 0;
  why = '';
  readonly #request: LoadRequest;
  readonly #kind: Kind;
  #n = 0;

  constructor(request: LoadRequest) {
    this.#request = request;
    this.#kind = KINDS.find(({ name }) => name === request.kind) as Kind;
  }

  async run(): Promise<void> {
    const { keys, greedy, port } = this.#request;
    const clients = keys.flatMap((key) =>
      Array.from({ length: greedy ? this.#kind.callers : 1 }, () => new FairnessClient(port, key)),
    );
    // What is done once for a kind of caller, such as reading the lists it may see, is no part of what is measured.
    await Promise.all(clients.map((client) => this.#kind.modest(client).catch(() => {})));
    const begin = performance.now() + this.#request.warmupMs;
    const end = begin + this.#request.durationMs;
    await Promise.all(clients.map((client) => this.#caller(client, begin, end)));
    await Promise.all(clients.map((client) => client.close()));
  }

  async #caller(client: FairnessClient, begin: number, end: number): Promise<void> {
    for (let start = performance.now(); start < end; start = performance.now()) {
      try {
        await (this.#request.greedy ? this.#kind.greedy(client, this.#n++) : this.#kind.modest(client));
        if (start >= begin) this.latencies.push(performance.now() - start);
      } catch (error) {
        this.refused++;
        this.why ||= (error as Error).message;
        // A refused caller that asks again at once is not yet the worst: it does not wait.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
}

// The greedy one's generator leaves the core to the others': what they wait for is the gateway.
if (process.argv[2] === 'yields') setPriority(10);

serveParent(async (request: LoadRequest): Promise<LoadReply> => {
  const loop = new Loop(request);
  await loop.run();
  const sorted = loop.latencies.sort((a, b) => a - b);
  const { refused, why } = loop;
  return { calls: sorted.length, refused, why, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
});
