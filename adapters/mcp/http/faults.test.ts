import { createGzip } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { UpstreamError } from '../../../src/core/errors.ts';
import { codeOf, resultOf } from '../../cases.ts';
import { fakeCall, modernCaller } from '../../testing/call.ts';
import { connections, textOf, toolCall } from '../testing/connected.ts';
import { type Incoming, type Script, startScripted } from '../testing/scripted.ts';

const { connect, closing } = connections();

/** JSON that no recursive reader survives. */
const DEEP = `{"a":${'[{"b":'.repeat(20_000)}1${'}]'.repeat(20_000)}}`;

const content = { content: [{ type: 'text', text: 'fine' }] };

/** Connects to a server that answers tool calls like this; anything called `ok` is answered properly. */
async function answering(
  answer: (incoming: Incoming) => void,
  script: Partial<Script> & { answer?: (incoming: Incoming) => void } = {},
) {
  const server = closing(
    await startScripted({
      era: 'legacy',
      ...script,
      on: (incoming) => {
        if (incoming.message.method === undefined && script.answer) {
          script.answer(incoming);
          return true;
        }
        if (incoming.message.method !== 'tools/call') return false;
        if (incoming.message.params?.name === 'ok') incoming.result(content);
        else answer(incoming);
        return true;
      },
    }),
  );
  const { upstream, context } = await connect(server.url, { maxReplyBytes: 1024 * 1024 });
  const caller = script.era === 'modern' ? { caller: modernCaller() } : {};
  const call = async () => upstream.request(...toolCall('bad'), fakeCall(caller));
  return { server, upstream, context, call };
}

const error = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error('It succeeded.');
    },
    (thrown: Error) => thrown,
  );

const raw = (status: number, type: string, body: string) => (incoming: Incoming) => {
  incoming.response.writeHead(status, { 'content-type': type }).end(body);
};

describe.each(['legacy', 'modern'] as const)('a %s server that misbehaves over HTTP', (era) => {
  it.each<[string, (incoming: Incoming) => void, string, RegExp]>([
    ['a web page', raw(200, 'text/html', '<!doctype html><p>hi'), 'SWB_UPSTREAM_PROTOCOL', /web page/],
    ['an empty body', raw(200, 'application/json', ''), 'SWB_UPSTREAM_PROTOCOL', /empty body/],
    ['garbage', raw(200, 'application/json', 'hello'), 'SWB_UPSTREAM_PROTOCOL', /not JSON-RPC/],
    ['JSON that is no reply', raw(200, 'application/json', '{"ok":true}'), 'SWB_UPSTREAM_PROTOCOL', /no reply/],
    ['202 and nothing else', raw(202, 'text/plain', ''), 'SWB_UPSTREAM_PROTOCOL', /never answered/],
    [
      'half a JSON reply',
      ({ message, response }) =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(`{"jsonrpc":"2.0","id":${message.id},"result":{"content":[`),
      'SWB_UPSTREAM_PROTOCOL',
      /breaks off/,
    ],
    [
      'a result that is no object',
      ({ message, response }) => response.end(`{"jsonrpc":"2.0","id":${message.id},"result":7}`),
      'SWB_UPSTREAM_PROTOCOL',
      /no object/,
    ],
    [
      'the reply to another request',
      ({ message, response }) => response.end(`{"jsonrpc":"2.0","id":${Number(message.id) + 7},"result":{}}`),
      'SWB_UPSTREAM_PROTOCOL',
      /another request/,
    ],
    [
      'half an event',
      ({ message, response }) =>
        response
          .writeHead(200, { 'content-type': 'text/event-stream' })
          .end(`data: {"jsonrpc":"2.0","id":${message.id},"result":{`),
      'SWB_UPSTREAM_PROTOCOL',
      /without a reply/,
    ],
    [
      'an event that is no JSON',
      raw(200, 'text/event-stream', 'data: {"jsonrpc":\n\n'),
      'SWB_UPSTREAM_PROTOCOL',
      /not JSON-RPC/,
    ],
    ['a 9 MB line', raw(200, 'application/json', `"${'x'.repeat(9_000_000)}"`), 'SWB_REPLY_TOO_LARGE', /over/],
    [
      'a 9 MB event',
      raw(200, 'text/event-stream', `data: ${'x'.repeat(9_000_000)}\n\n`),
      'SWB_REPLY_TOO_LARGE',
      /over/,
    ],
    ['401', raw(401, 'text/plain', 'who are you'), 'SWB_UPSTREAM_AUTH', /credentials/],
    ['403', raw(403, 'text/html', '<p>no'), 'SWB_UPSTREAM_AUTH', /forbids/],
    ['500 with a stack', raw(500, 'text/html', '<pre>Error\n at /srv/x.js:1'), 'SWB_UPSTREAM_HTTP', /HTTP 500\.$/],
    ['a redirect', raw(302, 'text/plain', ''), 'SWB_UPSTREAM_HTTP', /redirect/],
    [
      'a connection that ends in the middle of the reply',
      ({ response }) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
        response.write('{"json');
        setImmediate(() => response.destroy());
      },
      'SWB_UPSTREAM_UNAVAILABLE',
      /middle of its reply/,
    ],
    [
      'a connection that ends without a reply',
      ({ response }) => response.destroy(),
      'SWB_UPSTREAM_UNAVAILABLE',
      /not reachable/,
    ],
  ])('%s is an error to that caller alone', async (_what, answer, code, says) => {
    const { call, upstream, server } = await answering(answer, { era });
    const thrown = await error(call());
    expect(codeOf(thrown)).toBe(code);
    expect(thrown.message).toMatch(says);
    expect(thrown.message).not.toMatch(/127\.0\.0\.1|srv|who are you/);
    expect(textOf(await upstream.request(...toolCall('ok'), fakeCall()))).toBe('fine');
    // However it failed, it was sent once: it may have run.
    expect(server.posted.filter(({ message }) => message.params?.name === 'bad').length).toBe(1);
  });

  it('passes on the JSON-RPC error of a failing status, without its stack', async () => {
    const { call } = await answering(
      ({ error: fail }) =>
        fail(-32077, 'Quota used up.\n    at Quota.take (file:///srv/app/quota.js:3:1)', 500, {
          limit: 3,
          stack: 'Error\n at /srv',
        }),
      { era },
    );
    const thrown = await error(call());
    expect(thrown).toBeInstanceOf(UpstreamError);
    expect(thrown).toMatchObject({ rpcCode: -32077, message: 'Quota used up.', data: { limit: 3 } });
    expect((thrown as UpstreamError).data).not.toHaveProperty('stack');
  });

  it('passes on when a busy server may be asked again', async () => {
    const { call } = await answering(({ response }) => response.writeHead(503, { 'retry-after': '7' }).end('busy'), {
      era,
    });
    expect(await error(call())).toMatchObject({
      code: 'SWB_UPSTREAM_HTTP',
      retryAfterMs: 7_000,
      data: { status: 503 },
    });
  });

  it('accepts odd but unmistakable replies', async () => {
    const { upstream } = await answering(
      ({ message, response }) =>
        response
          .writeHead(200, { 'content-type': 'text/plain' })
          .end(`[{"id":"${message.id}","error":null,"result":{"n":12345678901234567890,"content":[]}}]`),
      { era },
    );
    const reply = await upstream.request(...toolCall('bad'), fakeCall());
    expect('raw' in reply && reply.raw?.toString()).toBe('{"n":12345678901234567890,"content":[]}');
  });

  it('does not keep a cancelled call waiting', async () => {
    const call = fakeCall();
    let closed = false;
    const { upstream } = await answering(
      ({ response }) => {
        response.on('close', () => {
          closed = true;
        });
        call.abort();
      },
      { era },
    );
    expect(codeOf(await error(upstream.request(...toolCall('bad'), call)))).toBe('SWB_CANCELLED');
    await vi.waitFor(() => expect(closed).toBe(true));
  });

  it('reads a whole result from a stream that is cut into single bytes', async () => {
    const { upstream } = await answering(
      ({ message, response }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.flushHeaders();
        const body = `: hello\r\nevent: message\r\ndata: {"jsonrpc":"2.0","id":${message.id},\r\ndata: "result":{"ü":1}}\r\n\r\n`;
        for (const byte of Buffer.from(body)) response.write(Buffer.from([byte]));
        response.end();
      },
      { era },
    );
    expect(resultOf(await upstream.request(...toolCall('bad'), fakeCall()))).toEqual({ ü: 1 });
  });

  it.each([
    ['ping', 'event: ping\ndata: 2026-01-01T00:00:00+00:00\n\n'],
    ['heartbeat', 'event: heartbeat\ndata: {"broken\n\n'],
    ['endpoint', 'event: endpoint\ndata: /messages?sessionId=1\n\n'],
    ['a name no one knows', 'event: tick\ndata: 17\n\n'],
    ['no name', 'data: ping\n\ndata: [DONE]\n\n'],
    ['any name, as a JSON object', 'event: status\ndata: {"busy":true}\n\ndata: {"busy":true}\n\n'],
  ])('goes on with a call when its stream shows a sign of life called %s', async (_name, sign) => {
    const { call } = await answering(
      ({ message, response }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(sign);
        response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id: message.id, result: content })}\n\n`);
      },
      { era },
    );
    expect(textOf(await call())).toBe('fine');
  });

  it('skips and counts replies to other requests on a call’s stream, and gives them to no other call', async () => {
    const held: Incoming[] = [];
    const { upstream, context } = await answering((incoming) => void held.push(incoming), { era });
    const calls = [upstream.request(...toolCall('bad'), fakeCall()), upstream.request(...toolCall('bad'), fakeCall())];
    await vi.waitFor(() => expect(held.length).toBe(2));
    const reply = (id: unknown, text: string): string =>
      `data: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } })}\n\n`;
    const [first, second] = held as [Incoming, Incoming];
    first.response.writeHead(200, { 'content-type': 'text/event-stream' });
    first.response.write(reply(second.message.id, 'meant for the other') + reply('x', 'for no one'));
    first.response.end(reply(first.message.id, 'first'));
    second.response.end(
      JSON.stringify([
        { jsonrpc: '2.0', id: 0, result: {} },
        { id: second.message.id, result: content },
      ]),
    );
    const texts = (await Promise.all(calls)).map(textOf);
    expect(texts.sort()).toEqual(['fine', 'first']);
    const skipped = context.log.lines.filter((line) => JSON.stringify(line).includes('to other requests'));
    expect(skipped.length).toBe(1);
  });

  it.each([
    ['in one piece', (bytes: Buffer) => [bytes]],
    ['in bytes', (bytes: Buffer) => [...bytes].map((byte) => Buffer.from([byte]))],
  ])('reads a reply behind a byte order mark, %s', async (_how, split) => {
    const { call } = await answering(
      ({ message, response }) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const body = `\ufeff${JSON.stringify({ jsonrpc: '2.0', id: message.id, result: content })}`;
        for (const piece of split(Buffer.from(body))) response.write(piece);
        response.end();
      },
      { era },
    );
    expect(textOf(await call())).toBe('fine');
  });

  it('reads the error of a failing status behind a byte order mark', async () => {
    const { call } = await answering(
      ({ message, response }) =>
        response
          .writeHead(500)
          .end(`\ufeff{"jsonrpc":"2.0","id":${message.id},"error":{"code":-32077,"message":"no"}}`),
      { era },
    );
    expect(await error(call())).toMatchObject({ rpcCode: -32077, message: 'no' });
  });

  it('passes on a result of any depth as the bytes it is', async () => {
    const { call } = await answering(
      ({ message, response }) => response.end(`{"jsonrpc":"2.0","id":${message.id},"result":${DEEP}}`),
      { era },
    );
    const reply = await call();
    expect('raw' in reply && reply.raw?.toString() === DEEP).toBe(true);
  });

  it('passes on an error that is nested too deep without its data', async () => {
    const { call } = await answering(
      ({ message, response }) =>
        response.end(`{"jsonrpc":"2.0","id":${message.id},"error":{"code":-32077,"message":"no","data":${DEEP}}}`),
      { era },
    );
    expect(await error(call())).toMatchObject({ rpcCode: -32077, message: 'no', data: undefined });
  });

  it('drops a notification that is nested too deep, and goes on with the call', async () => {
    const { call, context } = await answering(
      ({ message, response }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(`data: {"jsonrpc":"2.0","method":"notifications/x","params":${DEEP}}\n\n`);
        response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id: message.id, result: content })}\n\n`);
      },
      { era },
    );
    expect(textOf(await call())).toBe('fine');
    expect(context.received).toEqual([]);
  });

  it('asks for replies that are not compressed, and reads those that are', async () => {
    const { call, server } = await answering(
      ({ message, response }) => {
        const packer = createGzip();
        response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' });
        packer.pipe(response);
        packer.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id: message.id, result: content })}\n\n`);
      },
      { era },
    );
    expect(textOf(await call())).toBe('fine');
    expect(server.posted.map(({ headers }) => headers['accept-encoding'])).toEqual(server.posted.map(() => 'identity'));
  });
});

describe('tokens and ids', () => {
  it('are the gateway’s own, fresh for every request, and reach no caller', async () => {
    const tokens: unknown[] = [];
    const { upstream, server } = await answering(({ message, response }) => {
      const { progressToken: token } = { ...(message.params?._meta as { progressToken?: number }) };
      tokens.push(token);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const progress = {
        jsonrpc: '2.0',
        method: 'notifications/progress',
        params: { progressToken: token, progress: 1 },
      };
      response.write(`data: ${JSON.stringify(progress)}\n\n`);
      response.end(`data: {"jsonrpc":"2.0","id":${message.id},"result":{}}\n\n`);
    });
    const calls = [fakeCall({ wantsProgress: true }), fakeCall({ wantsProgress: true })];
    await Promise.all(
      calls.map((call) => upstream.request(...toolCall('bad', {}, { progressToken: 'same', keep: 1 }), call)),
    );
    expect(new Set(tokens).size).toBe(2);
    expect(tokens).not.toContain('same');
    for (const call of calls) {
      expect(call.notifications).toEqual([
        { jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1 } },
      ]);
    }
    const ids = server.posted.map(({ message }) => message.id).filter((id) => id !== undefined);
    expect(new Set(ids).size).toBe(ids.length);
    const sent = server.posted.find(({ message }) => message.method === 'tools/call');
    expect(sent?.message.params?._meta).toMatchObject({ keep: 1 });
  });

  it('are not made up where the client sent no token', async () => {
    const { call, server } = await answering(({ result }) => result(content));
    await call();
    const sent = server.posted.find(({ message }) => message.method === 'tools/call');
    expect(sent?.message.params).toEqual({ name: 'bad', arguments: {} });
  });
});

describe('a legacy server that knows no bounds', () => {
  it('that fails with a body without an end is not read to its end', async () => {
    const { call } = await answering(({ response }) => {
      response.writeHead(500);
      const timer = setInterval(() => response.write('x'.repeat(65_536)), 1);
      response.on('close', () => clearInterval(timer));
    });
    expect(await error(call())).toMatchObject({ code: 'SWB_UPSTREAM_HTTP', data: { status: 500 } });
  });

  it('that sends more requests than it takes answers for does not use up the connections', async () => {
    const held: Incoming['response'][] = [];
    let reply = (): void => {};
    const { call } = await answering(
      ({ message, response }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (let id = 0; id < 2_000; id++) {
          response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', id: `q${id}`, method: 'no/such' })}\n\n`);
        }
        const last = { jsonrpc: '2.0', id: message.id, result: content };
        reply = () => response.end(`data: ${JSON.stringify(last)}\n\n`);
      },
      { answer: ({ response }) => held.push(response) },
    );
    const running = call();
    // As many as the gateway answers at one time. The reply stands behind all the requests, so no more come after it.
    await vi.waitFor(() => expect(held).toHaveLength(128));
    reply();
    expect(textOf(await running)).toBe('fine');
    expect(held).toHaveLength(128);
    for (const response of held) response.writeHead(202).end();
  });
});
