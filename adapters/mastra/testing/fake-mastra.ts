/**
 * A server that answers as Mastra would, or as it never should: for faults a real one does not make on request.
 * @module
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Adapter } from '../../../src/core/adapter.ts';
import { SwitchboardError } from '../../../src/core/errors.ts';
import type { Upstream } from '../../../src/core/upstream.ts';
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';
import { resultOf } from '../../cases.ts';
import { fakeCall } from '../../testing/call.ts';
import { type ContextOverrides, type FakeContext, fakeContext } from '../../testing/context.ts';
import { type RawServer, readBody, startRawServer } from '../../testing/faults.ts';
import { mastraAdapter } from '../index.ts';

/** Answers one line, `GET /path?query`. */
export type Route = (request: IncomingMessage, response: ServerResponse) => void;

export interface Sent {
  line: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export const AGENT = { id: 'a', name: 'A', instructions: 'SECRET', tools: {} };

export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Route =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };

export const page: Route = (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<html>welcome</html>');
};

export const events =
  (...chunks: string[]): Route =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const chunk of chunks) response.write(chunk);
    response.end();
  };

export const event = (type: string, payload: JsonObject = {}): string =>
  `data: ${JSON.stringify({ type, runId: 'run-1', from: 'AGENT', payload })}\n\n`;

export const DONE = 'data: [DONE]\n\n';
export const finish = event('finish', { stepResult: { reason: 'stop' }, output: { usage: { totalTokens: 3 } } });

/** A turn that says this and stops. */
export const saying = (text: string): Route => events(event('text-delta', { text }), finish, DONE);

const closing: (() => Promise<void>)[] = [];

/** Ends what the helpers here have opened. For `afterEach`. */
export async function closeAll(): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close();
}

/** A server with these routes besides those a connect needs. */
export async function fakeMastra(routes: Record<string, Route>): Promise<{ server: RawServer; sent: Sent[] }> {
  const sent: Sent[] = [];
  const all: Record<string, Route> = {
    'GET /api/agents?partial=true': json({ a: AGENT }),
    'GET /api/system/packages': json({ packages: [{ name: '@mastra/core', version: '1.71.0' }] }),
    ...routes,
  };
  const server = await startRawServer(async (request, response) => {
    const line = `${request.method} ${request.url}`;
    sent.push({ line, headers: request.headers, body: await readBody(request) });
    (all[line] ?? json({ error: 'Not Found' }, 404))(request, response);
  });
  closing.push(() => server.close());
  return { server, sent };
}

export async function connect(
  url: string,
  overrides: ContextOverrides = {},
  adapter: Adapter = mastraAdapter,
  headers: Record<string, string> = {},
): Promise<{ upstream: Upstream; context: FakeContext }> {
  const context = fakeContext({ transport: 'http', url, headers }, overrides);
  const upstream = await adapter.connect(context);
  closing.push(() => upstream.close());
  return { upstream, context };
}

export const ask = (upstream: Upstream, stream: boolean): Promise<JsonObject> =>
  upstream
    .request('agents/call', { agent: 'a', messages: [{ role: 'user', content: 'hi' }], stream }, fakeCall())
    .then(resultOf);

export const failureOf = async (promise: Promise<unknown>): Promise<SwitchboardError> => {
  const failure = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(failure instanceof SwitchboardError)) throw new Error(`It did not fail as it should: ${failure}`);
  return failure;
};

export function page502(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad gateway at 10.0.0.1</html>');
}
