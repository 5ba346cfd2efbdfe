/**
 * The processes of the call and list rows: one fleet of upstreams, the two limits, the gateways, the load generator, and
 * where each block finds each target.
 * @module
 */
import type { Era } from '../src/wire/eras.ts';
import type { Block, Target } from './blocks.ts';
import { Child, type Collections } from './child.ts';
import type { FleetReply, FleetRequest } from './fleet.ts';
import { Gateway, type GatewayOptions, GatewayUnavailable } from './gateway.ts';
import { governedCalls, governedLists, redactingCalls } from './governed.ts';
import type { LimitReply, LimitRequest } from './limit-process.ts';
import { LIMIT_PREFIX, type Limit } from './limits.ts';
import { LoadClient } from './load-client.ts';
import type { LoadJob, Window } from './load-types.ts';
import { type Layout, residentBytes } from './machine.ts';

export const LISTED_TOOLS = 1_000;

/** As many as the most callers, so that the gateway's queue orders calls but holds none back, like the limits. */
const CONCURRENCY = 64;
/** Six pages for the whole list, which by default is on one, as the upstream and so the limits send it. */
const SMALL_PAGE = 200;

/** In the order the fleet is asked for them. */
const UPSTREAMS = ['legacy', 'modern', 'legacyList', 'modernList'] as const;
type UpstreamName = (typeof UPSTREAMS)[number];
type Ports = Record<UpstreamName, number>;

/** Where a load goes, and which process its CPU time is read from. */
export interface Endpoint {
  port: number;
  tool: string;
  /** Undefined for `direct`: nothing is under test. */
  pid: number | undefined;
  /** What its clients have to send to be let in. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** The gateways of one run: for calls and for lists, without policy and with it. */
interface Gateways {
  calls: Gateway;
  onePage: Gateway;
  paged: Gateway;
  policy: Gateway;
  redacted: Gateway;
  policyList: Gateway;
}

export class Topology {
  readonly #load: LoadClient;
  readonly #fleet: Child;
  readonly #limits: Record<Limit, Child>;
  #ports!: Ports;
  #limitPorts!: Record<Limit, Ports>;
  #gateways: Gateways | undefined;
  /** Why there are no gateway rows. */
  gatewayMissing: string | undefined;

  private constructor(layout: Layout) {
    const script = (name: string): URL => new URL(name, import.meta.url);
    this.#load = new LoadClient(layout.loadCore);
    this.#fleet = new Child({ script: script('fleet.ts'), core: layout.loadCore, channel: true });
    const limit = (): Child =>
      new Child({ script: script('limit-process.ts'), core: layout.gatewayCore, channel: true, traceGc: true });
    this.#limits = { b: limit(), c: limit() };
  }

  static async start(layout: Layout, inspect: boolean): Promise<Topology> {
    const topology = new Topology(layout);
    try {
      await topology.#startServers();
      await topology.#startGateways(layout, inspect);
      return topology;
    } catch (error) {
      await topology.stop();
      throw error;
    }
  }

  async #startServers(): Promise<void> {
    const request: FleetRequest = {
      members: [
        { eras: ['legacy'], tools: 2 },
        { eras: ['modern'], tools: 2 },
        { eras: ['legacy'], tools: LISTED_TOOLS },
        { eras: ['modern'], tools: LISTED_TOOLS },
      ],
    };
    this.#ports = named((await this.#fleet.ask<FleetReply>(request)).ports);
    const start = async (limit: Limit): Promise<Ports> => {
      const ask: LimitRequest = { limit, upstreamPorts: UPSTREAMS.map((name) => this.#ports[name]) };
      return named((await this.#limits[limit].ask<LimitReply>(ask)).ports);
    };
    this.#limitPorts = { b: await start('b'), c: await start('c') };
  }

  async #startGateways(layout: Layout, inspect: boolean): Promise<void> {
    const started: Gateway[] = [];
    const start = async (
      upstreams: Record<string, number>,
      tools: number,
      more: Pick<GatewayOptions, 'gateway' | 'server' | 'headers'> = {},
    ): Promise<Gateway> => {
      const one = await Gateway.start({ upstreams, concurrency: CONCURRENCY, ...more, layout, inspect }, tools);
      started.push(one);
      return one;
    };
    const { legacy, modern, modernList } = this.#ports;
    const lists = governedLists('upstream', 1);
    try {
      this.#gateways = {
        calls: await start({ legacy, modern }, 4),
        onePage: await start({ upstream: modernList }, LISTED_TOOLS),
        paged: await start({ upstream: modernList }, LISTED_TOOLS, { gateway: { limits: { pageSize: SMALL_PAGE } } }),
        policy: await start({ legacy, modern }, 4, governedCalls(['legacy', 'modern'])),
        redacted: await start({ legacy, modern }, 4, redactingCalls(['legacy', 'modern'])),
        policyList: await start({ upstream: modernList }, LISTED_TOOLS, {
          gateway: lists.gateway,
          headers: lists.headers[0] ?? {},
        }),
      };
    } catch (error) {
      await Promise.all(started.map((gateway) => gateway.stop()));
      if (!(error instanceof GatewayUnavailable)) throw error;
      this.gatewayMissing = error.message;
    }
  }

  /** The process that serves a target's calls, for profiles. */
  processOf(target: Target): Child | undefined {
    if (!this.#gateways) return undefined;
    const { calls, policy, redacted } = this.#gateways;
    return (target === 'policy' ? policy : target === 'redacted' ? redacted : calls).child;
  }

  /** Collections of the process under a target's load since it started. */
  collections(target: Target): Collections | undefined {
    if (target === 'b' || target === 'c') return this.#limits[target].collections;
    return this.processOf(target)?.collections;
  }

  /** Undefined when there is no gateway to ask. */
  endpoint(block: Pick<Block, 'operation' | 'era'>, target: Target): Endpoint | undefined {
    const raw = block.operation === 'small' || block.operation === 'list' ? 'echo' : 'big';
    const upstream: UpstreamName = block.operation === 'list' ? `${block.era}List` : block.era;
    switch (target) {
      case 'direct':
        return { port: this.#ports[upstream], tool: raw, pid: undefined };
      case 'b':
        return { port: this.#limitPorts.b[upstream], tool: raw, pid: this.#limits.b.pid };
      case 'c':
        return { port: this.#limitPorts.c[upstream], tool: LIMIT_PREFIX + raw, pid: this.#limits.c.pid };
      case 'gateway':
      case 'cross':
      case 'paged':
      case 'policy':
      case 'redacted':
        return this.#gatewayEndpoint(block, target, raw);
    }
  }

  #gatewayEndpoint(block: Pick<Block, 'operation' | 'era'>, target: GatewayTarget, raw: string): Endpoint | undefined {
    if (!this.#gateways) return undefined;
    const { port, child, headers } = this.#gateways[gatewayFor(block, target)];
    const upstream: Era = target === 'cross' ? other(block.era) : block.era;
    return { port, tool: `${upstream}__${raw}`, pid: child.pid, headers };
  }

  /** Resident megabytes of the processes under test, now. */
  residentMegabytes(): Record<string, number> {
    const pids: [string, number | undefined][] = [
      ['(b)', this.#limits.b.pid],
      ['(c)', this.#limits.c.pid],
      ['gateway', this.#gateways?.calls.child.pid],
    ];
    const sizes: Record<string, number> = {};
    for (const [name, pid] of pids) {
      const bytes = pid === undefined ? undefined : residentBytes(pid);
      if (bytes !== undefined) sizes[name] = bytes / 1e6;
    }
    return sizes;
  }

  prepare(job: LoadJob): Promise<void> {
    return this.#load.prepare(job);
  }

  measure(durationMs: number): Promise<Window> {
    return this.#load.measure(durationMs);
  }

  measureCalls(calls: number): Promise<Window> {
    return this.#load.measureCalls(calls);
  }

  finish(): Promise<void> {
    return this.#load.finish();
  }

  async stop(): Promise<void> {
    const gateways = this.#gateways ? Object.values(this.#gateways) : [];
    const children = [this.#load, this.#fleet, ...Object.values(this.#limits)];
    await Promise.all([...gateways, ...children].map((one: { stop(): Promise<void> }) => one.stop()));
  }
}

type GatewayTarget = 'gateway' | 'cross' | 'paged' | 'policy' | 'redacted';

function gatewayFor({ operation }: Pick<Block, 'operation'>, target: GatewayTarget): keyof Gateways {
  if (target === 'paged') return 'paged';
  const lists = operation === 'list';
  if (target === 'policy') return lists ? 'policyList' : 'policy';
  if (target === 'redacted') return 'redacted';
  return lists ? 'onePage' : 'calls';
}

const other = (era: Era): Era => (era === 'legacy' ? 'modern' : 'legacy');

function named(ports: number[]): Ports {
  return Object.fromEntries(UPSTREAMS.map((name, i) => [name, ports[i]])) as Ports;
}
