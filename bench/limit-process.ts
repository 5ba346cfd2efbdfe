/**
 * Child process that is one of the limits, in front of several upstreams, each on a port of its own; or a balancer over
 * several servers, on one port.
 * @module
 */
import { startAgentLimit } from './agent-limit.ts';
import { serveParent } from './child.ts';
import { type Limit, startBalancer, startLimit } from './limits.ts';

export interface LimitRequest {
  /** `agents`: limit (c) for calls of agents. */
  limit: Limit | 'agents' | 'balancer';
  upstreamPorts: number[];
}

export interface LimitReply {
  /** In the order of the upstreams. Of a balancer: its own. */
  ports: number[];
}

serveParent(async ({ limit, upstreamPorts }: LimitRequest): Promise<LimitReply> => {
  if (limit === 'balancer') return { ports: [(await startBalancer(upstreamPorts)).port] };
  const start = async (port: number): Promise<number> =>
    limit === 'agents' ? startAgentLimit(port) : (await startLimit(limit, port)).port;
  return { ports: await Promise.all(upstreamPorts.map(start)) };
});
