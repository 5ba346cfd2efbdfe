import type { RequestListener, ServerResponse } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { UpstreamError } from '../../../src/core/errors.ts';
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';
import { codeOf } from '../../cases.ts';
import { fakeCall } from '../../testing/call.ts';
import { readBody, startRawServer } from '../../testing/faults.ts';
import { connections, textOf, toolCall } from '../testing/connected.ts';

const { connect, closing } = connections();

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => new Error('It succeeded.'),
    (e) => e,
  );

interface Quirky {
  /** The endpoint it names. */
  endpoint?: (origin: string) => string;
  on?(message: JsonObject, send: (event: string, data: unknown) => void, stream: ServerResponse): boolean;
}

/** A server with the habits of the MQTTX SSE server: made-up bodies for POSTs, odd frames, 404 for POSTs to its stream. */
async function quirky({ endpoint, on }: Quirky = {}) {
  const streams: ServerResponse[] = [];
  const posted: JsonObject[] = [];
  const listener: RequestListener = async (request, response) => {
    const [path, query] = (request.url ?? '').split('?');
    if (request.method === 'GET' && path === '/sse') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(
        `event: endpoint\ndata: ${endpoint?.(`http://${request.headers.host}`) ?? `/messages?session=${streams.length}`}\n\n`,
      );
      response.write('event: heartbeat\ndata: 1\n\n');
      streams.push(response);
      return;
    }
    const message = JSON.parse((await readBody(request)) || '{}');
    const stream = path === '/messages' ? streams[Number(query?.split('=')[1])] : undefined;
    if (!stream) {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<pre>Cannot POST</pre>');
      return;
    }
    posted.push(message);
    // A made-up result, even for notifications.
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id ?? null, result: { ack: 'Received' } }));
    const send = (event: string, data: unknown) => stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    const reply = (body: object) => send('message', { jsonrpc: '2.0', id: message.id, ...body });
    if (on?.(message, send, stream)) return;
    if (message.method === 'initialize') {
      const capabilities = { tools: {}, prompts: { listChanged: true }, resources: {}, logging: {} };
      reply({ result: { protocolVersion: '2024-11-05', capabilities, serverInfo: { name: 'mqttx', version: '1' } } });
    } else if (message.method === 'tools/list') {
      reply({ result: { tools: [{ name: 't', inputSchema: { type: 'object' } }], count: 1 } });
    } else if (message.method === 'tools/call') {
      reply({ result: { content: [{ type: 'text', text: 'real' }] } });
    } else if (message.id !== undefined) {
      reply({ error: { code: -32601, message: 'Method not found' } });
    } else if (message.method === 'notifications/cancelled') {
      send('message', { jsonrpc: '2.0', error: { code: -32601, message: 'Method not found' } });
    }
  };
  const server = closing(await startRawServer(listener));
  return { url: `${server.origin}/sse`, streams, posted };
}

describe('an old SSE server with odd habits', () => {
  it('is found by falling back, and the bodies of its POST responses are ignored', async () => {
    const { url } = await quirky();
    const { upstream } = await connect(url);
    expect([upstream.transport, upstream.era, upstream.protocolVersion]).toEqual(['sse', 'legacy', '2024-11-05']);
    expect(textOf(await upstream.request(...toolCall('t'), fakeCall()))).toBe('real');
  });

  it('that advertises lists and serves none has empty lists, and counts as alive although it knows no ping', async () => {
    const { upstream } = await connect((await quirky()).url);
    const list = (kind: 'tools' | 'prompts' | 'resources') => upstream.catalog(kind, AbortSignal.timeout(30_000));
    expect((await list('tools')).entries.map(({ key }) => key)).toEqual(['t']);
    expect((await list('prompts')).entries).toEqual([]);
    expect((await list('resources')).entries).toEqual([]);
    await upstream.ping(AbortSignal.timeout(30_000));
  });

  it('has its log messages repaired, and its answers to notifications dropped', async () => {
    const { url, posted } = await quirky({
      on: ({ method }, send) => {
        if (method === 'tools/call') {
          send('message', { method: 'notifications/message', params: { topic: 'a/b', payload: '21' } });
          send('message', { method: 'notifications/message', params: { level: 'error', data: 'fine as it is' } });
        }
        return false;
      },
    });
    const { upstream, context } = await connect(url);
    await upstream.request(...toolCall('t'), fakeCall());
    expect(context.received.map(({ notification }) => notification)).toEqual([
      {
        jsonrpc: '2.0',
        method: 'notifications/message',
        params: { level: 'info', logger: 'upstream', data: { topic: 'a/b', payload: '21' } },
      },
      { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'error', data: 'fine as it is' } },
    ]);
    upstream.notify?.({ jsonrpc: '2.0', method: 'notifications/cancelled', params: {} }, fakeCall().caller);
    await vi.waitFor(() => expect(posted.at(-1)?.method).toBe('notifications/cancelled'));
    expect(textOf(await upstream.request(...toolCall('t'), fakeCall()))).toBe('real');
    expect(context.downs).toEqual([]);
  });

  it('has its JSON-RPC errors passed on unchanged', async () => {
    const { url } = await quirky({
      on: ({ method, id }, send) => {
        if (method !== 'tools/call') return false;
        send('message', {
          jsonrpc: '2.0',
          id,
          error: { code: -32000, message: 'MQTT operation error: Not connected' },
        });
        return true;
      },
    });
    const { upstream } = await connect(url);
    const thrown = await failure(upstream.request(...toolCall('t'), fakeCall()));
    expect(thrown).toBeInstanceOf(UpstreamError);
    expect(thrown).toMatchObject({ rpcCode: -32000, message: 'MQTT operation error: Not connected' });
  });

  it('that names a second endpoint has begun another session: ours is lost', async () => {
    const { url } = await quirky({
      on: ({ method }, _send, stream) => {
        if (method === 'tools/call') stream.write('event: endpoint\ndata: /messages?session=9\n\n');
        return method === 'tools/call';
      },
    });
    const { upstream, context } = await connect(url);
    const thrown = await failure(upstream.request(...toolCall('t'), fakeCall()));
    expect(codeOf(thrown)).toBe('SWB_UPSTREAM_SESSION_LOST');
    expect(context.downs.length).toBe(1);
  });

  it('is not followed to an endpoint on another origin', async () => {
    const { url } = await quirky({ endpoint: () => 'http://127.0.0.1:9/messages' });
    const failed = await failure(connect({ transport: 'sse', url, headers: {} }));
    expect(failed).toMatchObject({ code: 'SWB_UPSTREAM_PROTOCOL', message: /another origin/ });
  });

  it('may name its endpoint in full, or relative to the stream', async () => {
    for (const base of [(origin: string) => `${origin}/`, () => '']) {
      const { url } = await quirky({ endpoint: (origin) => `${base(origin)}messages?session=0` });
      const { upstream } = await connect({ transport: 'sse', url, headers: {} });
      expect(textOf(await upstream.request(...toolCall('t'), fakeCall()))).toBe('real');
    }
  });

  it('that drops its stream fails what is in flight and is down once', async () => {
    const { url, streams } = await quirky({ on: ({ method }) => method === 'tools/call' });
    const { upstream, context } = await connect(url);
    const running = failure(upstream.request(...toolCall('t'), fakeCall()));
    await vi.waitFor(() => expect(streams.length).toBe(1));
    setTimeout(() => streams[0]?.destroy(), 30);
    expect(codeOf(await running)).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect(context.downs.length).toBe(1);
  });

  it('that answers 404 has lost the session, and its body is not shown', async () => {
    const { url, streams } = await quirky();
    const { upstream, context } = await connect(url);
    // The server has forgotten the session, and keeps the stream.
    streams[0] = undefined as never;
    const thrown = await failure(upstream.request(...toolCall('t'), fakeCall()));
    expect(codeOf(thrown)).toBe('SWB_UPSTREAM_SESSION_LOST');
    expect(thrown.message).not.toMatch(/Cannot POST/);
    expect(context.downs.length).toBe(1);
  });
});
