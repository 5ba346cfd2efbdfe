/**
 * A connection to a server that is held back until a test lets it through: a server that takes long to start.
 * @module
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Gated {
  /** The server's address through the gate. */
  readonly url: string;
  /** How many connections wait. */
  waiting(): number;
  /** Lets those that wait through, and all that come. */
  open(): void;
  /** Breaks off every connection; new ones come through as before. */
  drop(): void;
  close(): Promise<void>;
}

export async function gated(target: string): Promise<Gated> {
  const { hostname, port, pathname } = new URL(target);
  const sockets = new Set<Socket>();
  const held: Socket[] = [];
  let isOpen = false;
  const pass = (socket: Socket): void => {
    const through = connect(Number(port), hostname);
    sockets.add(through);
    through.on('error', () => socket.destroy());
    socket.on('close', () => through.destroy());
    through.on('close', () => socket.destroy());
    socket.pipe(through).pipe(socket);
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    if (isOpen) pass(socket);
    else held.push(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    waiting: () => held.length,
    open() {
      isOpen = true;
      for (const socket of held.splice(0)) pass(socket);
    },
    drop() {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
