/**
 * Child process that is one of the limits, in front of several upstreams, each on a port of its own.
 * @module
 */
import { serveParent } from './child.ts';
import { type Limit, startLimit } from './limits.ts';

export interface LimitRequest {
  limit: Limit;
  upstreamPorts: number[];
}

export interface LimitReply {
  /** In the order of the upstreams. */
  ports: number[];
}

serveParent(async ({ limit, upstreamPorts }: LimitRequest): Promise<LimitReply> => {
  const servers = await Promise.all(upstreamPorts.map((port) => startLimit(limit, port)));
  return { ports: servers.map((server) => server.port) };
});
