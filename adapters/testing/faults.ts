/**
 * Small raw servers for faults that no real server makes on request: one that accepts and says nothing, one that
 * answers whatever a test wants, and an address where nothing listens.
 * @module
 */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';

export interface RawServer {
  /** `http://127.0.0.1:<port>`, without a path. */
  origin: string;
  /** Ends the server and every connection, at once. */
  close(): Promise<void>;
}

function started(server: Server, at = 0): Promise<RawServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      resolve({
        origin: `http://127.0.0.1:${port}`,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            for (const socket of sockets) socket.destroy();
          }),
      });
    });
  });
}

/** Passes bytes on to a server, until the connections there are at that moment are cut. `at`: its port; a free one by default. */
export async function startRelay(origin: string, at = 0): Promise<RawServer & { cut(): void }> {
  const { hostname, port } = new URL(origin);
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  };
  const relay = await started(
    createTcpServer((client) => {
      const server = connectTcp(Number(port), hostname);
      keep(client);
      keep(server);
      client.pipe(server).pipe(client);
      client.on('close', () => server.destroy());
      server.on('close', () => client.destroy());
    }),
    at,
  );
  return {
    ...relay,
    cut() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Accepts connections and never answers. */
export const startMuteServer = (): Promise<RawServer> => started(createTcpServer());

/** Answers with `listener`; the request's body is left to it (see {@link readBody}). */
export const startRawServer = (listener: RequestListener): Promise<RawServer> =>
  started(
    createServer(async (request, response) => {
      try {
        await listener(request, response);
      } catch (error) {
        // A client may leave in the middle of its request, as at the end of a test: that is no fault of the listener.
        if (!request.errored) throw error;
      }
    }),
  );

/** Answers everything as a web site would. */
export const startWebSite = (): Promise<RawServer> =>
  startRawServer((_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>A web site</title>');
  });

/**
 * An origin where nothing listens. The port is a reserved one: another process could be given one that was free a moment ago, and a
 * connection to a port of the range that the system hands out by itself can reach its own socket.
 */
export const absentOrigin = async (): Promise<string> => 'http://127.0.0.1:2';

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
