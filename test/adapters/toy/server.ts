/**
 * A server with an API of its own, for the toy kind: `/toy` names it, `/tools` lists, `/call` calls.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ToyServer {
  readonly url: string;
  /** Calls of `nap` that began, and those whose client went away. */
  readonly naps: { started: number; cancelled: number };
  /** Ends it at once; connections are reset. */
  stop(): Promise<void>;
}

const TOOLS = ['greet', 'break', 'nap'];

export async function startToyServer(): Promise<ToyServer> {
  const naps = { started: 0, cancelled: 0 };
  const server = createServer((request, response) => void serve(request, response, naps));
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    naps,
    stop: () =>
      new Promise((stopped) => {
        server.close(() => stopped());
        server.closeAllConnections();
      }),
  };
}

async function serve(request: IncomingMessage, response: ServerResponse, naps: ToyServer['naps']): Promise<void> {
  const send = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (request.url === '/toy') return send(200, { toy: '1.0' });
  if (request.url === '/tools') return send(200, TOOLS);
  if (request.url !== '/call') return send(404, {});
  let text = '';
  for await (const chunk of request) text += chunk;
  const { tool, greeting, words } = JSON.parse(text);
  if (tool === 'greet') return send(200, { text: `${greeting}, ${words}!` });
  if (tool === 'break') return send(500, { error: 'The toy is broken.', stack: 'at /home/toy/secret.js:1' });
  if (tool !== 'nap') return send(404, { error: 'There is no such toy.' });
  naps.started++;
  response.on('close', () => {
    naps.cancelled++;
  });
}
