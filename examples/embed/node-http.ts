/** The gateway in a server of `node:http`, beside addresses of its own. Run it with `node examples/embed/node-http.ts`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startGateway } from './gateway.ts';

const gateway = await startGateway();

const server = createServer((req, res) => {
  if (req.url === '/hello') res.end('Hello.');
  else gateway.handler(req, res);
});

server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
});
