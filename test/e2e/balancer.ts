/**
 * A balancer as simple as there are: every request goes to the next replica, whichever client sends it. One that cannot be reached, or
 * that ends before it has answered, is answered for with 502.
 * @module
 */
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Balancer {
  /** The merged endpoint behind it. */
  readonly url: string;
  at(path: string): URL;
  /** The replicas from now on, by the addresses of their endpoints. */
  use(urls: readonly (string | URL)[]): void;
  close(): Promise<void>;
}

export async function startBalancer(urls: readonly (string | URL)[]): Promise<Balancer> {
  const agent = new Agent({ keepAlive: true });
  let replicas = urls.map((url) => new URL(url));
  let turn = 0;
  const server = createServer((req, res) => {
    const replica = replicas[turn++ % replicas.length] as URL;
    const { method, headers, url: path } = req;
    const passed = request(
      { host: replica.hostname, port: replica.port, method, path, agent, headers: { ...headers, host: replica.host } },
      (reply) => {
        res.writeHead(reply.statusCode ?? 502, reply.headers);
        res.flushHeaders();
        reply.pipe(res);
        reply.on('error', () => res.destroy());
      },
    );
    passed.on('error', () => (res.headersSent ? res.destroy() : res.writeHead(502).end()));
    res.on('close', () => passed.destroy());
    req.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${origin}/mcp`,
    at: (path) => new URL(path, origin),
    use(next) {
      replicas = next.map((url) => new URL(url));
    },
    async close() {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
