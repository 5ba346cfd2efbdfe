/**
 * Child process that holds the servers of a run which are not under test: fixture upstreams, servers that accept a
 * connection and never answer, a server of agents, and a collector of telemetry.
 * @module
 */

import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { serveParent } from './child.ts';
import { startFakeAgents } from './fake-agents.ts';
import { startUpstream, type UpstreamOptions } from './upstream.ts';

/** `silent`: accepts connections and says nothing. `collector`: takes whatever OTLP brings. */
export type FleetMember = UpstreamOptions | 'silent' | 'agents' | 'collector';

export interface FleetRequest {
  members: FleetMember[];
}

export interface FleetReply {
  /** In the order of the members. */
  ports: number[];
}

async function startSilent(): Promise<number> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function startCollector(): Promise<number> {
  const server = createHttpServer((request, response) => {
    request.resume();
    request.on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function start(member: FleetMember): Promise<number> {
  switch (member) {
    case 'silent':
      return startSilent();
    case 'agents':
      return startFakeAgents();
    case 'collector':
      return startCollector();
    default:
      return (await startUpstream(member)).port;
  }
}

serveParent(
  async ({ members }: FleetRequest): Promise<FleetReply> => ({ ports: await Promise.all(members.map(start)) }),
);
