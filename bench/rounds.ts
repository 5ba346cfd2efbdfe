/**
 * The measuring: warm-up, then rounds, each of which runs every configuration once, so that whatever else the machine
 * does hits all of them alike.
 * @module
 */
import type { AgentEffort } from './agents.ts';
import { type Block, GATEWAY_TARGETS, rotated, type Target } from './blocks.ts';
import type { Pace } from './compare.ts';
import { RowFailed } from './load-client.ts';
import type { LoadJob } from './load-types.ts';
import { processCpuNs } from './machine.ts';
import type { Operation } from './messages.ts';
import type { RedisEffort } from './redis.ts';
import { type Endpoint, LISTED_TOOLS, type Topology } from './topology.ts';

export interface Effort {
  rounds: number;
  /** Length of one measured window. */
  windowMs: number;
  /** Small calls to each target and era before anything else, at 64 callers. */
  sustainedCalls: number;
  /** Calls to each target in each era before the first round: compilers need thousands. */
  warmup: Readonly<Record<Operation, number>>;
  /** Calls right before each window, on the connections and sessions it uses. */
  rewarm: Readonly<Record<Operation, number>>;
}

/** With that of the rows beside other rows of the gateway's. What watching costs is little: it takes more rounds to see. */
export interface RunEffort extends Effort {
  agents: AgentEffort;
  observed: Pace;
  redis: RedisEffort;
  replicas: Pace;
}

export const FULL_EFFORT: RunEffort = {
  rounds: 3,
  windowMs: 700,
  sustainedCalls: 200_000,
  warmup: { small: 8_000, large: 3_000, both: 2_000, logs: 1_500, list: 400 },
  rewarm: { small: 200, large: 100, both: 100, logs: 100, list: 16 },
  agents: { rounds: 3, windowMs: 700, warmup: 3_000, rewarm: 100, longCalls: 300 },
  observed: { rounds: 7, windowMs: 600, warmup: 12_000, rewarm: 200 },
  redis: { rounds: 3, windowMs: 600, warmup: 8_000, rewarm: 200, countedCalls: 2_000 },
  replicas: { rounds: 3, windowMs: 600, warmup: 12_000, rewarm: 200 },
};

export const QUICK_EFFORT: RunEffort = {
  rounds: 2,
  windowMs: 450,
  sustainedCalls: 20_000,
  warmup: { small: 3_000, large: 800, both: 600, logs: 800, list: 150 },
  rewarm: { small: 100, large: 50, both: 50, logs: 50, list: 16 },
  agents: { rounds: 2, windowMs: 450, warmup: 1_000, rewarm: 50, longCalls: 100 },
  observed: { rounds: 4, windowMs: 400, warmup: 6_000, rewarm: 100 },
  redis: { rounds: 2, windowMs: 400, warmup: 3_000, rewarm: 100, countedCalls: 1_000 },
  replicas: { rounds: 2, windowMs: 400, warmup: 4_000, rewarm: 100 },
};

/** One configuration in one round. Latencies in milliseconds. */
export interface Sample {
  block: string;
  target: Target;
  round: number;
  calls: number;
  perSecond: number;
  p50: number;
  p99: number;
  /** CPU seconds of the process under test per 1,000 calls. */
  cpuPer1k: number | undefined;
  requestsPerCall: number;
}

export interface Failure {
  block: string;
  target: Target;
  error: string;
}

export interface Measured {
  samples: Sample[];
  failures: Failure[];
  /** Checked replies, warm-up included. */
  requests: number;
}

/** Callers during the warm-up. */
const WARMUP_CALLERS = 16;

/** In gateways of their own, which see none of the calls of other rows. */
const ALONE: ReadonlySet<Target> = new Set<Target>(['policy', 'redacted']);
const WARMUP_ALONE = 2;

export class Rounds {
  readonly #topology: Topology;
  readonly #effort: Effort;
  readonly #progress: (text: string) => void;
  readonly #measured: Measured = { samples: [], failures: [], requests: 0 };

  constructor(topology: Topology, effort: Effort, progress: (text: string) => void) {
    this.#topology = topology;
    this.#effort = effort;
    this.#progress = progress;
  }

  async run(blocks: readonly Block[]): Promise<Measured> {
    await this.#warmUp(blocks);
    for (let round = 0; round < this.#effort.rounds; round++) {
      for (const block of blocks) {
        this.#progress(`round ${round + 1}/${this.#effort.rounds}: ${block.id}`);
        for (const target of rotated(block.targets, round)) await this.#sample(block, target, round);
      }
    }
    return this.#measured;
  }

  /** Once per kind of block: the number of callers makes no difference to what gets compiled. */
  async #warmUp(blocks: readonly Block[]): Promise<void> {
    const seen = new Set<string>();
    for (const block of blocks) {
      for (const target of block.targets) {
        const key = `${block.operation}/${block.era}/${target}`;
        if (seen.has(key)) continue;
        seen.add(key);
        this.#progress(`warm-up: ${key}`);
        const warm = { ...block, callers: WARMUP_CALLERS };
        const calls = this.#effort.warmup[block.operation] * (ALONE.has(target) ? WARMUP_ALONE : 1);
        await this.#row(block, target, (endpoint) => this.#prepare(warm, endpoint, calls));
      }
    }
  }

  async #sample(block: Block, target: Target, round: number): Promise<void> {
    await this.#row(block, target, async (endpoint) => {
      await this.#prepare(block, endpoint, this.#effort.rewarm[block.operation]);
      const cpuBefore = cpuOf(endpoint);
      const window = await this.#topology.measure(this.#effort.windowMs);
      const cpuAfter = cpuOf(endpoint);
      this.#measured.requests += window.calls * window.requestsPerCall;
      this.#measured.samples.push({
        block: block.id,
        target,
        round,
        calls: window.calls,
        perSecond: window.calls / window.seconds,
        p50: window.p50,
        p99: window.p99,
        // A nanosecond per call is a microsecond per 1,000 calls.
        cpuPer1k:
          cpuBefore === undefined || cpuAfter === undefined ? undefined : (cpuAfter - cpuBefore) / window.calls / 1e6,
        requestsPerCall: window.requestsPerCall,
      });
    });
  }

  async #prepare(block: Block, endpoint: Endpoint, warmupCalls: number): Promise<void> {
    const { operation, era, callers } = block;
    const { port, tool, headers } = endpoint;
    const job: LoadJob = {
      port,
      path: '/mcp',
      era,
      operation,
      tool,
      tools: LISTED_TOOLS,
      callers,
      warmupCalls,
      headers,
    };
    await this.#topology.prepare(job);
    this.#measured.requests += warmupCalls;
  }

  /** One wrong reply ends a row: it is not tried again in later rounds. */
  async #row(block: Block, target: Target, work: (endpoint: Endpoint) => Promise<void>): Promise<void> {
    const { failures } = this.#measured;
    if (failures.some((failure) => failure.target === target && failure.block === block.id)) return;
    const endpoint = this.#topology.endpoint(block, target);
    if (!endpoint) {
      if (!GATEWAY_TARGETS.has(target)) throw new Error(`no endpoint for ${target}`);
      return;
    }
    try {
      await work(endpoint);
    } catch (error) {
      if (!(error instanceof RowFailed)) throw error;
      failures.push({ block: block.id, target, error: error.message });
    } finally {
      await this.#topology.finish();
    }
  }
}

const cpuOf = (endpoint: Endpoint): number | undefined =>
  endpoint.pid === undefined ? undefined : processCpuNs(endpoint.pid);
