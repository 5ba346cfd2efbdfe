/**
 * Between a client and a Redis: breaks connections at the moment a command is sent, before Redis gets it.
 * @module
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface BreakingProxy {
  readonly port: number;
  /** How many are still to be broken. */
  readonly left: number;
  /** Breaks all connections now, and the next ones that send this command, so many times. */
  breakOn(command: string, times: number): void;
  close(): Promise<void>;
}

export async function startBreaking(port: number): Promise<BreakingProxy> {
  const sockets = new Set<Socket>();
  let command = '';
  let left = 0;
  const server = createServer((client) => {
    const redis = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (left > 0 && bytes.toString('latin1').toLowerCase().includes(command)) {
        left--;
        client.destroy();
      } else redis.write(bytes);
    });
    redis.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    get left() {
      return left;
    },
    breakOn(next, times) {
      [command, left] = [next, times];
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
