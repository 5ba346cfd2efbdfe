import { describe, expect, it, vi } from 'vitest';
import { startV1Http, startV2Http } from '../../../test/fixtures/mcp/http.ts';
import { codeOf } from '../../cases.ts';
import { fakeCall } from '../../testing/call.ts';
import { connections, textOf, toolCall } from '../testing/connected.ts';
import { type Incoming, type Script, startScripted } from '../testing/scripted.ts';

const { connect, closing } = connections();

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => new Error('It succeeded.'),
    (e) => e,
  );

describe('a legacy session over HTTP', () => {
  it('is named in every message after it was opened, with its revision, and ended with DELETE', async () => {
    const server = closing(
      await startScripted({
        era: 'legacy',
        sessionId: 'session-1',
        on: ({ message, result }) => {
          if (message.method !== 'tools/call') return false;
          result({ content: [] });
          return true;
        },
        other: (request, response) => response.writeHead(request.method === 'DELETE' ? 200 : 405).end(),
      }),
    );
    const { upstream } = await connect(server.url);
    await upstream.request(...toolCall('x'), fakeCall());
    await upstream.close();
    const [discover, initialize, initialized, call] = server.posted;
    expect(discover?.message.method).toBe('server/discover');
    expect(initialize?.message.method).toBe('initialize');
    expect(initialize?.headers).not.toHaveProperty('mcp-session-id');
    expect(initialize?.headers).not.toHaveProperty('mcp-protocol-version');
    for (const { headers } of [initialized, call].map((one) => ({ headers: one?.headers }))) {
      expect(headers).toMatchObject({ 'mcp-session-id': 'session-1', 'mcp-protocol-version': '2025-11-25' });
    }
    // It is not waited for beyond a moment.
    await vi.waitFor(() => expect(server.others.map(({ method }) => method)).toEqual(['GET', 'DELETE']));
    expect(server.others[1]?.headers['mcp-session-id']).toBe('session-1');
  });

  it('is opened again once when the server has forgotten it, however many calls notice, and none is lost', async () => {
    const fixture = closing(await startV2Http('legacy'));
    const { upstream, context } = await connect(fixture.url);
    expect(fixture.ledger.count('session:opened')).toBe(1);
    await fixture.forgetSessions();
    const replies = await Promise.all(
      ['a', 'b', 'c'].map((text) => upstream.request(...toolCall('echo', { text }), fakeCall())),
    );
    expect(replies.map(textOf)).toEqual(['a', 'b', 'c']);
    expect(fixture.ledger.count('session:opened')).toBe(2);
    expect(context.downs).toEqual([]);
  });

  it.each([
    [404, -32001, 'Session not found'],
    [400, -32000, 'Bad Request: No valid session ID provided'],
  ])('counts as forgotten on %i %i, and the call is sent once more and no more', async (status, code, text) => {
    let calls = 0;
    const server = closing(
      await startScripted({
        era: 'legacy',
        sessionId: 'session-1',
        on: ({ message, response }) => {
          if (message.method !== 'tools/call') return false;
          calls++;
          response.writeHead(status, { 'content-type': 'application/json' });
          response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message: text } }));
          return true;
        },
      }),
    );
    const { upstream } = await connect(server.url);
    const thrown = await failure(upstream.request(...toolCall('x'), fakeCall()));
    expect(codeOf(thrown)).toBe('SWB_UPSTREAM_SESSION_LOST');
    expect(calls).toBe(2);
    const sent = server.posted.filter(({ message }) => message.method === 'tools/call');
    expect(new Set(sent.map(({ message }) => message.id)).size).toBe(2);
  });

  it('is not opened again for a 404 that answers the request itself', async () => {
    const server = closing(
      await startScripted({
        era: 'legacy',
        sessionId: 'session-1',
        on: ({ message, error }) => {
          if (message.method !== 'tools/call') return false;
          error(-32601, 'No such thing', 404);
          return true;
        },
      }),
    );
    const { upstream } = await connect(server.url);
    await expect(upstream.request(...toolCall('x'), fakeCall())).rejects.toMatchObject({ rpcCode: -32601 });
    expect(server.posted.filter(({ message }) => message.method === 'initialize').length).toBe(1);
  });

  it('brings the upstream down when it cannot be opened again', async () => {
    const server = closing(
      await startScripted({
        era: 'legacy',
        sessionId: 'session-1',
        on: ({ message, response }) => {
          if (message.method !== 'tools/call') return false;
          // It says that the session is gone with its last breath.
          response.writeHead(404, { connection: 'close' }).end(() => void server.close());
          return true;
        },
      }),
    );
    const { upstream, context } = await connect(server.url);
    expect(codeOf(await failure(upstream.request(...toolCall('x'), fakeCall())))).toBe('SWB_UPSTREAM_UNAVAILABLE');
    await vi.waitFor(() => expect(context.downs.length).toBe(1));
  });
});

describe('a stream that is closed before the reply', () => {
  it('is polled again when the time the server asks for is over, from its last event', async () => {
    let closedAt = 0;
    let polledAt = 0;
    let id: unknown;
    const server = closing(
      await startScripted({
        era: 'legacy',
        sessionId: 'session-1',
        on: ({ message, response }) => {
          if (message.method !== 'tools/call') return false;
          id = message.id;
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.end('id: event-7\nretry: 300\ndata:\n\n', () => {
            closedAt = performance.now();
          });
          return true;
        },
        other: (request, response) => {
          if (request.headers['last-event-id'] === undefined) {
            response.writeHead(405).end();
            return;
          }
          polledAt = performance.now();
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.end(`id: event-8\ndata: {"jsonrpc":"2.0","id":${id},"result":{"polled":true}}\n\n`);
        },
      }),
    );
    const { upstream } = await connect(server.url);
    const call = fakeCall();
    const reply = await upstream.request(...toolCall('x'), call);
    expect('raw' in reply && reply.raw?.toString()).toBe('{"polled":true}');
    expect(call.pauses).toEqual([300]);
    const poll = server.others.find(({ headers }) => headers['last-event-id'] !== undefined);
    expect(poll?.headers).toMatchObject({ 'last-event-id': 'event-7', 'mcp-session-id': 'session-1' });
    expect(polledAt - closedAt).toBeGreaterThanOrEqual(295);
    expect(server.posted.filter(({ message }) => message.method === 'tools/call').length).toBe(1);
  });

  it('delivers the result of a real server that closes it mid-call', async () => {
    const fixture = closing(await startV2Http('legacy', 100));
    const { upstream } = await connect(fixture.url);
    expect(textOf(await upstream.request(...toolCall('nap'), fakeCall()))).toBe('rested');
  });

  it('fails the call when it cannot be resumed, and never sends the request again', async () => {
    const server = closing(
      await startScripted({
        era: 'legacy',
        sessionId: 'session-1',
        on: ({ message, response }) => {
          if (message.method !== 'tools/call') return false;
          response.writeHead(200, { 'content-type': 'text/event-stream' }).end('id: e\nretry: 10\ndata:\n\n');
          return true;
        },
        other: (_request, response) => response.writeHead(404).end(),
      }),
    );
    const { upstream } = await connect(server.url);
    const thrown = await failure(upstream.request(...toolCall('x'), fakeCall()));
    expect(codeOf(thrown)).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect(thrown.message).toMatch(/cannot resume/);
    expect(server.posted.filter(({ message }) => message.method === 'tools/call').length).toBe(1);
  });

  it('is not polled on by a call that was cancelled meanwhile', async () => {
    const polled: unknown[] = [];
    const server = closing(
      await startScripted({
        era: 'legacy',
        sessionId: 'session-1',
        on: ({ message, response }) => {
          if (message.method !== 'tools/call') return false;
          const event = `id: ${String(message.params?.name)}\nretry: 200\ndata:\n\n`;
          response.writeHead(200, { 'content-type': 'text/event-stream' }).end(event);
          return true;
        },
        other: (request, response) => {
          if (request.headers['last-event-id'] !== undefined) polled.push(request.headers['last-event-id']);
          response.writeHead(405).end();
        },
      }),
    );
    const { upstream } = await connect(server.url);
    const call = fakeCall();
    const running = failure(upstream.request(...toolCall('cancelled'), call));
    await vi.waitFor(() => expect(server.posted.some(({ message }) => message.method === 'tools/call')).toBe(true));
    call.abort();
    expect(codeOf(await running)).toBe('SWB_CANCELLED');
    await vi.waitFor(() =>
      expect(server.posted.some(({ message }) => message.method === 'notifications/cancelled')).toBe(true),
    );
    const told = server.posted.find(({ message }) => message.method === 'notifications/cancelled');
    const sent = server.posted.find(({ message }) => message.method === 'tools/call');
    expect(told?.message.params?.requestId).toBe(sent?.message.id);
    // A later call with the same pause: when it is polled, the cancelled one would have been.
    await failure(upstream.request(...toolCall('later'), fakeCall()));
    expect(polled).toEqual(['later']);
  });
});

describe('the GET stream', () => {
  it('is opened again after it broke, from its last event', async () => {
    let streams = 0;
    const server = closing(
      await startScripted({
        era: 'legacy',
        capabilities: { tools: { listChanged: true } },
        sessionId: 'session-1',
        other: (request, response) => {
          if (request.method === 'DELETE') {
            response.writeHead(200).end();
            return;
          }
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.flushHeaders();
          if (streams++ === 0) response.end('id: one\nretry: 10\ndata:\n\n');
          else response.write('data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n');
        },
      }),
    );
    const { upstream } = await connect(server.url);
    const changes: unknown[] = [];
    upstream.listen({ lists: true }, (change) => changes.push(change));
    await vi.waitFor(() => expect(changes).toEqual([{ type: 'list', kind: 'tools' }]), { timeout: 5_000 });
    const gets = server.others.filter(({ method }) => method === 'GET');
    expect(gets.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, 'one']);
  });

  it('answered with 404 has the session opened again, and all lists count as changed', async () => {
    const fixture = closing(await startV1Http());
    const { upstream, context } = await connect(fixture.url);
    const changes: unknown[] = [];
    upstream.listen({ lists: true }, (change) => changes.push(change));
    // A stream that never stood is one that is not offered.
    await fixture.streams();
    await fixture.forgetSessions();
    await vi.waitFor(() => expect(fixture.ledger.count('session:opened')).toBe(2), { timeout: 8_000 });
    await vi.waitFor(() => expect(changes).toContainEqual({ type: 'list', kind: 'tools' }));
    expect(context.downs).toEqual([]);
    expect(textOf(await upstream.request(...toolCall('echo', { text: 'again' }), fakeCall()))).toBe('again');
  });
});

type Stream = Parameters<NonNullable<Script['other']>>[1];

/** Connects to a server that has one GET stream and answers calls as `onCall` says, with that stream at hand. */
async function replyingElsewhere(
  onCall: (incoming: Incoming, stream: Stream) => void,
  onGet?: (count: number) => number,
) {
  const streams: Stream[] = [];
  let gets = 0;
  const server = closing(
    await startScripted({
      era: 'legacy',
      sessionId: 'session-1',
      on: (incoming) => {
        if (incoming.message.method !== 'tools/call') return false;
        onCall(incoming, streams.at(-1) as Stream);
        return true;
      },
      other: (request, response) => {
        const status = request.method === 'GET' ? (onGet?.(++gets) ?? 200) : 405;
        if (status !== 200) {
          response.writeHead(status).end();
          return;
        }
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.flushHeaders();
        streams.push(response);
      },
    }),
  );
  const { upstream } = await connect(server.url, { maxReplyBytes: 64 * 1024 });
  // The gateway waits for the stream, but not for long.
  await vi.waitFor(() => expect(server.others.map(({ method }) => method)).toContain('GET'));
  return { server, streams, call: (name = 'x') => upstream.request(...toolCall(name), fakeCall()) };
}

const replyEvent = (id: unknown, text: string): string =>
  `data: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } })}\n\n`;

describe('a reply on the GET stream', () => {
  it.each<[string, (incoming: Incoming, stream: Stream) => void]>([
    [
      'after the request was accepted (Ruby SDK 0.8 to 0.10)',
      ({ message, response }, stream) => {
        response.writeHead(202).end();
        setTimeout(() => stream.write(replyEvent(message.id, 'fine')), 30);
      },
    ],
    [
      'before the request is accepted',
      ({ message, response }, stream) => {
        stream.write(replyEvent(message.id, 'fine'));
        setTimeout(() => response.writeHead(202).end(), 30);
      },
    ],
    [
      'after a body that is no JSON-RPC (Ruby SDK 0.2 to 0.7)',
      ({ message, response }, stream) => {
        stream.write(replyEvent(String(message.id), 'fine'));
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"accepted":true}');
      },
    ],
  ])('is the reply of its call, %s', async (_when, onCall) => {
    const { call } = await replyingElsewhere(onCall);
    expect(textOf(await call())).toBe('fine');
    expect(textOf(await call())).toBe('fine');
  });

  it('goes to the call with its id, whatever the order', async () => {
    const waiting: Incoming[] = [];
    const { call } = await replyingElsewhere((incoming, stream) => {
      incoming.response.writeHead(202).end();
      waiting.push(incoming);
      if (waiting.length < 3) return;
      stream.write(replyEvent(999_999, 'no one’s'));
      for (const { message } of waiting.toReversed())
        stream.write(replyEvent(message.id, String(message.params?.name)));
    });
    expect((await Promise.all([call('a'), call('b'), call('c')])).map(textOf)).toEqual(['a', 'b', 'c']);
  });

  it('that is over the limit fails its call alone', async () => {
    const { call } = await replyingElsewhere(({ message, response }, stream) => {
      response.writeHead(202).end();
      stream.write(replyEvent(message.id, message.params?.name === 'large' ? 'x'.repeat(100_000) : 'fine'));
    });
    expect(codeOf(await failure(call('large')))).toBe('SWB_REPLY_TOO_LARGE');
    expect(textOf(await call())).toBe('fine');
  });

  it('that can no longer come fails the call at once', async () => {
    const { call } = await replyingElsewhere(({ response }, stream) => {
      response.writeHead(202).end();
      setTimeout(() => stream.end(), 30);
    });
    const failed = await failure(call());
    expect(codeOf(failed)).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect(failed.message).toMatch(/closed the stream its reply was to come on/);
  });

  it('comes on the next stream where the last one was still counted (409)', async () => {
    const { call, streams } = await replyingElsewhere(
      ({ message, response }, stream) => {
        response.writeHead(202).end();
        stream.write(replyEvent(message.id, 'fine'));
      },
      (count) => (count === 2 ? 409 : 200),
    );
    streams[0]?.end();
    await vi.waitFor(() => expect(streams.length).toBe(2), { timeout: 8_000 });
    expect(textOf(await call())).toBe('fine');
  });

  it('is not waited for where there is no such stream', async () => {
    const { call } = await replyingElsewhere(
      ({ response }) => response.writeHead(202).end(),
      () => 405,
    );
    expect((await failure(call())).message).toMatch(/accepted the request but never answered it/);
  });
});
