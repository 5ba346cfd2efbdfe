/**
 * One, two and three replicas on one Redis behind a balancer that sends every request to the next one. They share one core, as
 * the process under test does in all rows: the rows show what a further replica costs, not how much more it can do.
 * @module
 */
import { type RedisServer, startRedis } from '../src/state/testing/redis-server.ts';
import type { Era } from '../src/wire/eras.ts';
import { BUDGET_CALLERS } from './blocks.ts';
import { Child } from './child.ts';
import { type Compared, type ComparedRow, compare, type Pace } from './compare.ts';
import type { FleetReply, FleetRequest } from './fleet.ts';
import { Gateway } from './gateway.ts';
import type { LimitReply, LimitRequest } from './limit-process.ts';
import { LoadClient } from './load-client.ts';
import type { Layout } from './machine.ts';

const ERAS: readonly Era[] = ['modern', 'legacy'];
export const REPLICA_COUNTS: readonly number[] = [1, 2, 3];

export interface ReplicaRow {
  replicas: number;
  era: Era;
  /** Beside the row of the fewest. */
  row: ComparedRow;
}

/** `counts`: ascending. */
export async function measureReplicas(
  layout: Layout,
  pace: Pace,
  progress: (text: string) => void,
  counts: readonly number[] = REPLICA_COUNTS,
): Promise<ReplicaRow[]> {
  const child = (script: string): Child =>
    new Child({ script: new URL(script, import.meta.url), core: layout.loadCore, channel: true });
  const fleet = child('fleet.ts');
  const balancers: Child[] = [];
  const gateways: Gateway[] = [];
  const load = new LoadClient(layout.loadCore);
  let redis: RedisServer | undefined;
  try {
    redis = await startRedis();
    const request: FleetRequest = {
      members: [
        { eras: ['modern'], tools: 2 },
        { eras: ['legacy'], tools: 2 },
      ],
    };
    const [modern = 0, legacy = 0] = (await fleet.ask<FleetReply>(request)).ports;
    const targets: Compared[] = [];
    for (const count of counts) {
      progress(`replicas: ${count}`);
      const options = {
        upstreams: { modern, legacy },
        // The places of a server are divided among the replicas.
        concurrency: 64 * count,
        gateway: { state: redis.url, redis: { prefix: `of${count}:` } },
        layout,
      };
      const group = await Promise.all(Array.from({ length: count }, () => Gateway.start(options, 4)));
      gateways.push(...group);
      const balancer = child('limit-process.ts');
      balancers.push(balancer);
      const ask: LimitRequest = { limit: 'balancer', upstreamPorts: group.map(({ port }) => port) };
      const [port = 0] = (await balancer.ask<LimitReply>(ask)).ports;
      const pids = group.map((one) => one.child.pid);
      for (const era of ERAS) targets.push(targetOf(era, count, counts[0] as number, { port, pids }));
    }
    const rows = await compare(load, targets, pace, progress);
    return rows.map((row) => {
      const [era, replicas] = row.name.split(' ') as [Era, string];
      return { era, replicas: Number(replicas), row };
    });
  } finally {
    await Promise.all([...gateways, ...balancers, fleet, load].map((one: { stop(): Promise<void> }) => one.stop()));
    await redis?.close();
  }
}

function targetOf(era: Era, count: number, fewest: number, at: { port: number; pids: number[] }): Compared {
  const job = {
    port: at.port,
    path: '/mcp',
    era,
    operation: 'small' as const,
    tool: `${era}__echo`,
    tools: 1,
    callers: BUDGET_CALLERS,
  };
  return { name: `${era} ${count}`, beside: count === fewest ? undefined : `${era} ${fewest}`, job, pids: at.pids };
}
