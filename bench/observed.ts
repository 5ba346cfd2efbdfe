/**
 * What it costs to be watched: metrics and traces, and policy's events with a listener, each beside the same gateway without.
 * @module
 */
import { BUDGET_CALLERS } from './blocks.ts';
import { Child } from './child.ts';
import { type Compared, type ComparedRow, compare, type Pace } from './compare.ts';
import type { FleetReply, FleetRequest } from './fleet.ts';
import { Gateway, type GatewayOptions } from './gateway.ts';
import { governedCalls } from './governed.ts';
import { LoadClient } from './load-client.ts';
import type { Layout } from './machine.ts';

const UPSTREAM = 'up';
const ADMIN_TOKEN = 'admin-token-of-the-bench';

interface Watched {
  label: string;
  /** What it stands beside. */
  beside?: WatchedName;
  /** Of the `gateway` section. `collector`: base address of one. */
  gateway?(collector: string): Record<string, unknown>;
  env?: Readonly<Record<string, string>>;
  /** For a grant, under the documents of the policy rows. */
  governed?: boolean;
  /** An operator reads the stream of calls that the pages read. */
  followed?: boolean;
}

export type WatchedName = 'off' | 'metrics' | 'sampled' | 'traced' | 'policy' | 'audit' | 'followed';

const traced = (collector: string) => ({ telemetry: { endpoint: collector } });
const TRACES_ALONE = { OTEL_METRICS_EXPORTER: 'none' };
const SAMPLED = { ...TRACES_ALONE, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' };

export const WATCHED: Readonly<Record<WatchedName, Watched>> = {
  off: { label: 'nothing on' },
  metrics: { label: 'metrics', beside: 'off', gateway: () => ({ metrics: { port: 0 } }) },
  sampled: { label: 'traces, one request in 100', beside: 'off', gateway: traced, env: SAMPLED },
  traced: { label: 'traces, every request', beside: 'off', gateway: traced, env: TRACES_ALONE },
  policy: { label: 'grant, 200 rules', governed: true },
  audit: { label: 'the same, audit', beside: 'policy', governed: true, gateway: () => ({ audit: {} }) },
  followed: {
    label: 'the same, calls followed by an operator',
    beside: 'policy',
    governed: true,
    followed: true,
    gateway: () => ({ adminToken: ADMIN_TOKEN }),
  },
};

export interface ObservedRow {
  name: WatchedName;
  row: ComparedRow;
}

export async function measureObserved(
  layout: Layout,
  pace: Pace,
  progress: (text: string) => void,
  names: readonly WatchedName[] = Object.keys(WATCHED) as WatchedName[],
): Promise<ObservedRow[]> {
  const fleet = new Child({ script: new URL('fleet.ts', import.meta.url), core: layout.loadCore, channel: true });
  const load = new LoadClient(layout.loadCore);
  const gateways: Gateway[] = [];
  const readers: AbortController[] = [];
  try {
    const request: FleetRequest = { members: [{ eras: ['modern'], tools: 2 }, 'collector'] };
    const [upstream = 0, collector = 0] = (await fleet.ask<FleetReply>(request)).ports;
    const targets: Compared[] = [];
    for (const name of names) {
      progress(`observed: ${WATCHED[name].label}`);
      const gateway = await Gateway.start(optionsOf(WATCHED[name], upstream, collector, layout), 2);
      gateways.push(gateway);
      if (WATCHED[name].followed) readers.push(await follow(gateway.port));
      targets.push(targetOf(name, gateway));
    }
    const rows = await compare(load, targets, pace, progress);
    return rows.map((row) => ({ name: row.name as WatchedName, row }));
  } finally {
    for (const reader of readers) reader.abort();
    await Promise.all([...gateways, fleet, load].map((one: { stop(): Promise<void> }) => one.stop()));
  }
}

function optionsOf(watched: Watched, upstream: number, collector: number, layout: Layout): GatewayOptions {
  const options: GatewayOptions = { upstreams: { [UPSTREAM]: upstream }, concurrency: 64, layout };
  if (watched.env) options.env = watched.env;
  const more = watched.gateway?.(`http://127.0.0.1:${collector}`) ?? {};
  if (!watched.governed) return { ...options, gateway: more };
  const { gateway, server, headers } = governedCalls([UPSTREAM]);
  const { audit: _, ...unaudited } = gateway;
  return { ...options, gateway: { ...unaudited, ...more }, server, headers };
}

function targetOf(name: WatchedName, { port, child, headers }: Gateway): Compared {
  const job = {
    port,
    path: '/mcp',
    era: 'modern' as const,
    operation: 'small' as const,
    tool: `${UPSTREAM}__echo`,
    tools: 1,
    callers: BUDGET_CALLERS,
    headers,
  };
  return { name, beside: WATCHED[name].beside, job, pids: [child.pid] };
}

/** Reads the stream of calls until it is aborted. */
async function follow(port: number): Promise<AbortController> {
  const reader = new AbortController();
  const reply = await fetch(`http://127.0.0.1:${port}/admin/api/events?only=calls`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    signal: reader.signal,
  });
  if (reply.status !== 200 || !reply.body) throw new Error(`the stream of calls answered with ${reply.status}`);
  void reply.body.pipeTo(new WritableStream()).catch(() => {});
  return reader;
}
