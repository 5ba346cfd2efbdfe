/**
 * A server that answers as a test scripts it, for what no real LangGraph server does on request: faults, and what the
 * Python server is documented to do. Everything not scripted is answered as a healthy server would.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SwitchboardError } from '../../../src/core/errors.ts';
import type { Upstream } from '../../../src/core/upstream.ts';
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';
import { resultOf } from '../../cases.ts';
import { type FakeCallOptions, fakeCall } from '../../testing/call.ts';
import { type ContextOverrides, fakeContext } from '../../testing/context.ts';
import { readBody, startRawServer } from '../../testing/faults.ts';
import { langgraphAdapter } from '../index.ts';

export type Answer = (response: ServerResponse, request: IncomingMessage, body: string) => void;

export const json =
  (value: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
  };
export const text =
  (body: string, status: number, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(body);
  };
export const frame = (event: string, data: unknown): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
export const streamed =
  (body: string, end: (response: ServerResponse) => void = (response) => response.end()): Answer =>
  (response, { url }) => {
    const thread = url?.split('/')[2];
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'content-location': `/threads/${thread}/runs/run-1`,
    });
    response.write(body, () => end(response));
  };
export const assistant = (i: number): JsonObject => ({
  assistant_id: `id-${i}`,
  graph_id: `graph-${i}`,
  name: `graph-${i}`,
  metadata: { created_by: 'system' },
});

/** Keys are the method and the path, ids as `*`. */
export type Routes = Record<string, Answer>;
const HEALTHY: Routes = {
  'GET /info': json({ version: '9.9.9', langgraph_js_version: '1.0.0', flags: { assistants: true } }),
  'POST /assistants/search': json([assistant(1)]),
  'GET /threads/*/runs/*': json({ status: 'success' }),
  'POST /threads/*/runs/*/cancel': (response) => {
    response.writeHead(202).end();
  },
};
export const STREAM = 'POST /threads/*/runs/stream';

const ends: (() => Promise<unknown>)[] = [];
/** Ends all servers and upstreams made here; for `afterEach`. */
export const endAll = async (): Promise<void> => {
  await Promise.all(ends.splice(0).map((end) => end()));
};

export async function serve(routes: Routes): Promise<Scripted> {
  const seen: string[] = [];
  const bodies: JsonObject[] = [];
  const table = { ...HEALTHY, ...routes };
  const server = await startRawServer(async (request, response) => {
    const body = await readBody(request);
    const path = (request.url ?? '')
      .replace(/\/threads\/[^/]+/, '/threads/*')
      .replace(/\/runs\/(?!stream)[^/]+/, '/runs/*');
    const key = `${request.method} ${path}`;
    seen.push(key);
    if (key === STREAM) bodies.push(JSON.parse(body));
    (table[key] ?? text('404 Not Found', 404))(response, request, body);
  });
  ends.push(() => server.close());
  return { url: server.origin, seen, bodies };
}

export interface Scripted {
  url: string;
  /** What was asked for, in order, as keys of {@link Routes}. */
  seen: string[];
  /** Bodies of the runs asked for. */
  bodies: JsonObject[];
}

export async function connect(
  routes: Routes,
  overrides: ContextOverrides = {},
): Promise<Scripted & { upstream: Upstream }> {
  const server = await serve(routes);
  const upstream = await langgraphAdapter.connect(
    fakeContext({ transport: 'http', url: server.url, headers: {} }, overrides),
  );
  ends.push(() => upstream.close());
  return { ...server, upstream };
}

export const call = (upstream: Upstream, more: JsonObject = {}, options: FakeCallOptions = {}): Promise<JsonObject> =>
  upstream
    .request(
      'agents/call',
      { agent: 'graph-1', messages: [{ role: 'user', content: 'private words' }], ...more },
      fakeCall(options),
    )
    .then(resultOf);

export const failure = (promise: Promise<unknown>): Promise<SwitchboardError> =>
  promise.then(
    () => {
      throw new Error('It succeeded.');
    },
    (error: SwitchboardError) => error,
  );

export const cancels = (seen: string[]): number => seen.filter((key) => key.endsWith('/cancel')).length;
export const sends = (seen: string[]): number => seen.filter((key) => key === STREAM).length;
