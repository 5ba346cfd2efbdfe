/**
 * Child process that holds the servers of a run which are not under test: fixture upstreams, and servers that accept a
 * connection and never answer.
 * @module
 */

import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { serveParent } from './child.ts';
import { startUpstream, type UpstreamOptions } from './upstream.ts';

/** `silent`: accepts connections and says nothing. */
export type FleetMember = UpstreamOptions | 'silent';

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

serveParent(async ({ members }: FleetRequest): Promise<FleetReply> => {
  const ports = await Promise.all(
    members.map(async (member) => (member === 'silent' ? startSilent() : (await startUpstream(member)).port)),
  );
  return { ports };
});
