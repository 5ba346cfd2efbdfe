import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Call } from '../core/call.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Reply } from '../core/upstream.ts';
import { subscribe } from '../observe/events.ts';
import { type Deadline, unwatch, watch } from './deadlines.ts';
import { Relay } from './relay.ts';
import { fakeCaller, fakeChannel, fakeFederation, fakeServer, inbound, json, silent } from './testing/fakes.ts';

const raw = (text: string): Reply => ({ raw: Buffer.from(text) });
const legacy = fakeCaller('legacy');
const modern = fakeCaller('modern');

function setup(handler: (method: string, params: Record<string, unknown>, call: Call) => Promise<Reply>, config = {}) {
  const server = fakeServer('one', 'legacy', handler, config);
  const federation = fakeFederation([server]);
  const relay = new Relay({ federation, log: silent, drainMs: 200 });
  return { server, federation, relay, view: federation.all };
}

describe('a call through the relay', () => {
  it('reaches the server under its own tool name and passes the result’s bytes through', async () => {
    const seen: unknown[] = [];
    const text = '{"content":[{"type":"text","text":"hi","x":1.0,"big":12345678901234567890}]}';
    const { relay, view } = setup(async (method, params) => {
      seen.push([method, params]);
      return raw(text);
    });
    const request = inbound(view, legacy, 'tools/call', { name: 'one__echo', arguments: { a: 1 }, extra: true });
    const result = await relay.handle(request).result;
    expect(seen).toEqual([['tools/call', { name: 'echo', arguments: { a: 1 }, extra: true }]]);
    expect('raw' in result && result.raw.toString()).toBe(text);
    expect(request.request.params).toMatchObject({ name: 'one__echo' });
  });

  it('adds to a legacy result what a modern client needs, and changes nothing else', async () => {
    const { relay, view } = setup(async () => raw('{ "content": [] , "n": 1e400 }'));
    const result = await relay.handle(inbound(view, modern, 'tools/call', { name: 'one__x' })).result;
    const text = 'raw' in result ? (result.prefix ?? '') + result.raw.toString() : '';
    expect(text).toContain('"content": [] , "n": 1e400 }');
    expect(JSON.parse(text.replace('1e400', '1'))).toMatchObject({
      resultType: 'complete',
      _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'one' } },
    });
  });

  it.each([
    ['an unknown tool', 'tools/call', { name: 'two__x' }, 'SWB_UNKNOWN_TOOL', -32602],
    ['no name', 'tools/call', {}, 'SWB_INVALID_PARAMS', -32602],
    ['arguments that are no object', 'tools/call', { name: 'one__x', arguments: [1] }, 'SWB_INVALID_PARAMS', -32602],
    ['an unknown prompt', 'prompts/get', { name: 'nope' }, 'SWB_UNKNOWN_PROMPT', -32602],
    ['an unknown resource', 'resources/read', { uri: 'x:y' }, 'SWB_UNKNOWN_RESOURCE', -32002],
    ['an unknown method', 'no/such', {}, 'SWB_METHOD_NOT_FOUND', -32601],
    ['a modern method', 'server/discover', {}, 'SWB_METHOD_NOT_FOUND', -32601],
  ])('answers %s with a precise error', async (_what, method, params, code, rpcCode) => {
    const { relay, view } = setup(async () => raw('{}'));
    await expect(relay.handle(inbound(view, legacy, method, params)).result).rejects.toMatchObject({ code, rpcCode });
  });

  it('logs unforeseen errors, since the client’s error refers to the log', async () => {
    const error = vi.fn();
    const server = fakeServer('one', 'legacy', () => Promise.reject(new TypeError('of the adapter')));
    const federation = fakeFederation([server]);
    const relay = new Relay({ federation, log: { ...silent, error }, drainMs: 200 });
    const call = () => relay.handle(inbound(federation.all, legacy, 'tools/call', { name: 'one__x' })).result;
    await expect(call()).rejects.toThrow(TypeError);
    expect(error).toHaveBeenCalledExactlyOnceWith(
      { err: expect.any(TypeError), method: 'tools/call', principal: 'local' },
      expect.stringContaining('unforeseen'),
    );
  });

  it('is reported finished once when it is aborted, however its server ends it afterwards', async () => {
    const ends: unknown[] = [];
    const stop = subscribe('finished', ({ error }) => ends.push(error));
    const { promise, reject } = Promise.withResolvers<Reply>();
    const { relay, view } = setup(() => promise);
    const flight = relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__x' }));
    flight.cancel();
    await expect(flight.result).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
    reject(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'It is gone.'));
    await new Promise((resolve) => setImmediate(resolve));
    stop();
    expect(ends).toMatchObject([{ code: 'SWB_CANCELLED' }]);
  });

  it('names the server in the data of every error that is not the server’s own', async () => {
    const { relay, view } = setup(async () => {
      throw new SwitchboardError('SWB_UPSTREAM_HTTP', 'It answers with status 502.');
    });
    await expect(relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__x' })).result).rejects.toMatchObject({
      data: { code: 'SWB_UPSTREAM_HTTP', server: 'one' },
    });
  });

  it('fails at once, without waiting in a queue, when the server is away', async () => {
    const { relay, view, server } = setup(async () => raw('{}'));
    server.away = true;
    await expect(relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__x' })).result).rejects.toMatchObject({
      code: 'SWB_UPSTREAM_UNAVAILABLE',
    });
  });

  it('stamps the client’s own progress token, and sends no progress to a client that asked for none', async () => {
    const { relay, view } = setup(async (_m, _p, call) => {
      call.notify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1 } });
      return raw('{}');
    });
    const wanted = fakeChannel();
    await relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__x', _meta: { progressToken: 'p' } }, wanted))
      .result;
    expect(wanted.sent).toEqual([
      { jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1, progressToken: 'p' } },
    ]);
    const unwanted = fakeChannel();
    await relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__x' }, unwanted)).result;
    expect(unwanted.sent).toEqual([]);
  });

  it('sends no log messages to a modern client that named no level', async () => {
    const { relay, view } = setup(async (_m, _p, call) => {
      for (const level of ['debug', 'error']) {
        call.notify({ jsonrpc: '2.0', method: 'notifications/message', params: { level, data: 'x' } });
      }
      return raw('{}');
    });
    const levels = async (logLevel: string | undefined): Promise<unknown[]> => {
      const channel = fakeChannel();
      const caller = fakeCaller('modern', { logLevel });
      await relay.handle(inbound(view, caller, 'tools/call', { name: 'one__x' }, channel)).result;
      return channel.sent.map((n) => n.params?.level);
    };
    expect(await levels(undefined)).toEqual([]);
    expect(await levels('warning')).toEqual(['error']);
    expect(await levels('debug')).toEqual(['debug', 'error']);
  });
});

/** Resolves when every deadline that is due has expired, and what waits for that has gone on. */
async function deadlinesExpired(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const last: Deadline = { previous: undefined, next: undefined, dueAt: performance.now(), expire: resolve };
  watch(last);
  await promise;
  unwatch(last);
  await new Promise((next) => setImmediate(next));
}

describe('the end of a call', () => {
  afterEach(() => void vi.useRealTimers());

  const hanging = (_m: string, _p: object, call: Call): Promise<Reply> =>
    new Promise((_, reject) => {
      call.onAbort(reject);
    });

  it('comes at once when it is cancelled, even when the server never settles it', async () => {
    const { relay, view } = setup(() => new Promise(() => {}));
    const flight = relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__x' }));
    flight.cancel('changed my mind');
    await expect(flight.result).rejects.toMatchObject({ code: 'SWB_CANCELLED', message: 'Cancelled: changed my mind' });
  });

  it('frees its place for the next call when it is cancelled', async () => {
    const handler = vi.fn(hanging);
    const { relay, view } = setup(handler, { concurrency: 1 });
    const first = relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__x' }));
    const second = relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__y' }));
    first.result.catch(() => {});
    await vi.waitFor(() => expect(handler).toHaveBeenCalledTimes(1));
    first.cancel();
    await vi.waitFor(() => expect(handler).toHaveBeenCalledTimes(2));
    second.cancel();
    await expect(second.result).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
  });

  it('takes a waiting call out of the queue: the server never sees it', async () => {
    const handler = vi.fn(hanging);
    const { relay, view } = setup(handler, { concurrency: 1 });
    const first = relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__x' }));
    const waiting = relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__y' }));
    first.result.catch(() => {});
    waiting.cancel();
    await expect(waiting.result).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
    first.cancel();
    const third = relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__z' }));
    await vi.waitFor(() => expect(handler).toHaveBeenCalledTimes(2));
    expect(handler.mock.calls.map(([, params]) => (params as { name: string }).name)).toEqual(['x', 'z']);
    third.cancel();
    await expect(third.result).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
  });

  it('is an error with a retry hint when the queue is full', async () => {
    const { relay, view } = setup(hanging, { concurrency: 1, maxQueue: 1 });
    const flights = ['x', 'y', 'z'].map((n) =>
      relay.handle(inbound(view, legacy, 'tools/call', { name: `one__${n}` })),
    );
    await expect(flights[2]?.result).rejects.toMatchObject({
      code: 'SWB_QUEUE_FULL',
      data: { server: 'one', retryAfterMs: expect.any(Number) },
    });
    for (const flight of flights.slice(0, 2)) {
      flight.cancel();
      await expect(flight.result).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
    }
  });

  it('is an error when it waited too long, and it is not started', async () => {
    const handler = vi.fn(hanging);
    const { relay, view } = setup(handler, { concurrency: 1, queueTimeoutMs: 30 });
    const first = relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__x' }));
    const late = relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__y' }));
    await expect(late.result).rejects.toMatchObject({ code: 'SWB_QUEUE_TIMEOUT' });
    expect(handler).toHaveBeenCalledTimes(1);
    first.cancel();
    await expect(first.result).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
  });

  it('comes at its time limit, names the server and cancels upstream', async () => {
    let aborted: Error | undefined;
    const { relay, view } = setup(
      (_m, _p, call) =>
        new Promise((_, reject) => {
          call.onAbort((reason) => {
            aborted = reason;
            reject(reason);
          });
        }),
      { timeoutMs: 40 },
    );
    await expect(relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__x' })).result).rejects.toMatchObject({
      code: 'SWB_CALL_TIMEOUT',
      data: { server: 'one' },
    });
    expect(aborted).toMatchObject({ code: 'SWB_CALL_TIMEOUT' });
  });

  it('is put off by progress, but never beyond the ceiling', async () => {
    // The clock that deadlines go by; they are looked at as ever.
    vi.useFakeTimers({ toFake: ['performance'] });
    let running: Call | undefined;
    const { relay, view } = setup(
      (method, params, call) => {
        running = call;
        return hanging(method, params, call);
      },
      { timeoutMs: 100, maxTimeoutMs: 300 },
    );
    let ended: unknown;
    const flight = relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__x' }));
    flight.result.catch((error: unknown) => {
      ended = error;
    });
    await new Promise((next) => setImmediate(next));
    for (let at = 90; at < 300; at += 90) {
      vi.advanceTimersByTime(90);
      await deadlinesExpired();
      expect(ended).toBeUndefined();
      running?.notify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress: at } });
    }
    // Another hundred milliseconds from the last one would be beyond the ceiling.
    vi.advanceTimersByTime(31);
    await deadlinesExpired();
    expect(ended).toMatchObject({ code: 'SWB_CALL_TIMEOUT' });
  });

  it('comes when the relay closes, which refuses new calls', async () => {
    const { relay, view } = setup(hanging);
    const flight = relay.handle(inbound(view, legacy, 'tools/call', { name: 'one__x' }));
    const ended = expect(flight.result).rejects.toMatchObject({ code: 'SWB_SHUTTING_DOWN' });
    await relay.close();
    await ended;
    await expect(relay.handle(inbound(view, legacy, 'ping')).result).rejects.toMatchObject({
      code: 'SWB_SHUTTING_DOWN',
    });
  });
});

describe('notifications outside calls', () => {
  const session = (id: string, principal = 'local') => {
    const sent: unknown[] = [];
    const { federation, relay, server } = shared;
    return {
      sent,
      session: {
        id,
        view: federation.all,
        caller: fakeCaller('legacy', { key: id, principal }),
        notify: (n: { method: string; params?: unknown }) => sent.push([n.method, n.params]),
      },
      relay,
      server,
    };
  };
  const shared = setup(async () => raw('{}'));

  it('report list changes to a session until it is closed', () => {
    const { session: one, sent, relay } = session('s1');
    relay.openSession(one);
    shared.federation.changeList('templates');
    shared.federation.changeList('agents');
    relay.closeSession(one);
    shared.federation.changeList('tools');
    expect(sent).toEqual([['notifications/resources/list_changed', undefined]]);
  });

  it('report updates of subscribed resources only, under the client’s URI', async () => {
    const { session: one, sent, relay, server } = session('s2');
    relay.openSession(one);
    const ask = (method: string) =>
      relay.handle(inbound(one.view, one.caller, method, { uri: 'one+file:///a' }, fakeChannel(), one)).result;
    await ask('resources/subscribe');
    server.touch('file:///a');
    server.touch('file:///b');
    await ask('resources/unsubscribe');
    server.touch('file:///a');
    expect(sent).toEqual([['notifications/resources/updated', { uri: 'one+file:///a' }]]);
    expect(server.listening()).toEqual([]);
    relay.closeSession(one);
  });

  it('of an upstream session go to its owner only', () => {
    const a = session('a', 'alice');
    const b = session('b', 'bob');
    shared.relay.openSession(a.session);
    shared.relay.openSession(b.session);
    const sent = { jsonrpc: '2.0' as const, method: 'notifications/claude/channel', params: { content: 'x' } };
    shared.federation.announce(shared.server.member, sent, 'a');
    shared.federation.announce(shared.server.member, sent);
    expect(a.sent).toEqual([['notifications/claude/channel', { content: 'x' }]]);
    expect(b.sent).toEqual([]);
    shared.relay.closeSession(b.session);
    shared.federation.announce(shared.server.member, sent);
    expect(a.sent).toHaveLength(2);
    shared.relay.closeSession(a.session);
  });

  it('begin with the acknowledgment of a modern listener, carry its id, and end gracefully at shutdown', async () => {
    const own = setup(async () => raw('{}'));
    const channel = fakeChannel();
    const request = inbound(
      own.view,
      modern,
      'subscriptions/listen',
      {
        notifications: {
          toolsListChanged: true,
          promptsListChanged: true,
          resourceSubscriptions: ['one+file:///a', 'nobody+x'],
        },
      },
      channel,
    );
    const id = request.request.id;
    const flight = own.relay.handle(request);
    own.federation.changeList('tools');
    own.federation.changeList('resources');
    own.server.touch('file:///a');
    await own.relay.close();
    const stamp = { 'io.modelcontextprotocol/subscriptionId': id };
    expect(channel.sent.map((n) => [n.method, n.params])).toEqual([
      [
        'notifications/subscriptions/acknowledged',
        { notifications: { toolsListChanged: true, resourceSubscriptions: ['one+file:///a'] }, _meta: stamp },
      ],
      ['notifications/tools/list_changed', { _meta: stamp }],
      ['notifications/resources/updated', { uri: 'one+file:///a', _meta: stamp }],
    ]);
    expect(json(await flight.result)).toEqual({ resultType: 'complete', _meta: stamp });
    expect(own.server.listening()).toEqual([]);
  });
});
