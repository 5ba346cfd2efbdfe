/** The gateway in an Express application, below `/gateway`. Run it with `node examples/embed/express.ts`. */
import type { AddressInfo } from 'node:net';
import express from 'express';
import { startGateway } from './gateway.ts';

const gateway = await startGateway();

const app = express();
// Before `express.json()`: the gateway reads request bodies itself, and passes them on byte for byte.
app.use('/gateway', gateway.handler);
app.use(express.json());
app.get('/hello', (_req, res) => void res.send('Hello.'));

const server = app.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/gateway/mcp`);
});
