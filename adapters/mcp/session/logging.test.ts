import { describe, expect, it, vi } from 'vitest';
import { startV1Http, startV2Http } from '../../../test/fixtures/mcp/http.ts';
import { stdioFixture } from '../../../test/fixtures/mcp/stdio.ts';
import { type FakeCall, fakeCall, modernCaller } from '../../testing/call.ts';
import { connections, toolCall } from '../testing/connected.ts';
import { startScripted } from '../testing/scripted.ts';

const { connect, closing } = connections();

const levels = (call: { notifications: { params?: Record<string, unknown> }[] }) =>
  call.notifications.map(({ params }) => params?.level);

describe('log messages', () => {
  it('of a legacy server come at the level of the caller, to the caller', async () => {
    const { upstream, context } = await connect(closing(await startV1Http()).url, { isolation: 'caller' });
    const quiet = fakeCall({ caller: { key: 'one', logLevel: 'warning' } });
    await upstream.request(...toolCall('log', { aside: true }), quiet);
    const loud = fakeCall({ caller: { key: 'two', logLevel: 'debug' } });
    await upstream.request(...toolCall('log', { aside: true }), loud);
    // The server sends them on a stream of their own, where they may come before or after the reply.
    const to = (key: string, call: FakeCall) => [
      ...levels(call),
      ...context.received
        .filter(({ callerKey }) => callerKey === key)
        .map(({ notification }) => notification.params?.level),
    ];
    await vi.waitFor(() => expect(to('two', loud)).toEqual(['debug', 'warning']));
    await vi.waitFor(() => expect(to('one', quiet)).toEqual(['warning']));
  });

  it('on the stream of a call belong to that call', async () => {
    const { upstream, context } = await connect(closing(await startV1Http()).url);
    const call = fakeCall({ caller: { logLevel: 'debug' } });
    await upstream.request(...toolCall('log'), call);
    expect(levels(call)).toEqual(['debug', 'warning']);
    expect(context.received).toEqual([]);
  });

  it('of a shared legacy session come at the most verbose level that a caller asked for', async () => {
    const server = closing(
      await startScripted({
        era: 'legacy',
        capabilities: { tools: {}, logging: {} },
        on: ({ message, result }) => {
          if (message.id === undefined) return false;
          result({});
          return true;
        },
      }),
    );
    const { upstream } = await connect(server.url);
    const call = (key: string, logLevel: string | undefined) =>
      upstream.request(...toolCall('x'), fakeCall({ caller: { key, logLevel } }));
    await call('one', 'error');
    await call('one', 'error');
    await call('two', 'info');
    await call('one', 'error');
    await call('three', undefined);
    upstream.release?.('two');
    await call('three', undefined);
    const set = () =>
      server.posted
        .filter(({ message }) => message.method === 'logging/setLevel')
        .map(({ message }) => message.params?.level);
    await vi.waitFor(() => expect(set()).toEqual(['error', 'info', 'error']));
  });

  it.each([
    ['over HTTP', async () => closing(await startV2Http('modern')).url],
    ['over stdio', async () => closing(stdioFixture('v2-modern')).target],
  ] as const)('of a modern server come where the request asked for them: %s', async (_name, start) => {
    const { upstream } = await connect(await start());
    const loud = fakeCall({ caller: modernCaller({ logLevel: 'debug' }) });
    await upstream.request(...toolCall('log'), loud);
    expect(levels(loud)).toEqual(['debug', 'warning']);
    const none = fakeCall({ caller: modernCaller() });
    await upstream.request(...toolCall('log'), none);
    expect(none.notifications).toEqual([]);
  });

  it('that belong to no call go to the owner of the session, or to all callers', async () => {
    const fixture = closing(await startV1Http());
    const shared = await connect(fixture.url);
    for (const instance of fixture.world.instances) instance.log('warning', 'to all');
    await vi.waitFor(() => expect(shared.context.received.length).toBe(1));
    expect(shared.context.received[0]).toMatchObject({
      callerKey: undefined,
      notification: { params: { data: 'to all' } },
    });
    await shared.upstream.close();

    const own = await connect(fixture.url, { isolation: 'caller' });
    const gatewaySession = [...fixture.world.instances];
    await own.upstream.request(...toolCall('echo', { text: 'x' }), fakeCall({ caller: { key: 'one' } }));
    for (const instance of fixture.world.instances)
      if (!gatewaySession.includes(instance)) instance.log('warning', 'to one');
    await vi.waitFor(() => expect(own.context.received.map(({ callerKey }) => callerKey)).toEqual(['one']));
  });

  it('are not requested twice of a server that refuses levels, and its calls go on', async () => {
    const server = closing(
      await startScripted({
        era: 'legacy',
        capabilities: { tools: {}, logging: {} },
        on: ({ message, result }) => {
          if (message.method !== 'tools/call') return false;
          result({});
          return true;
        },
      }),
    );
    const { upstream } = await connect(server.url);
    await upstream.request(...toolCall('x'), fakeCall({ caller: { logLevel: 'info' } }));
    await upstream.request(...toolCall('x'), fakeCall({ caller: { logLevel: 'debug' } }));
    expect(server.posted.filter(({ message }) => message.method === 'logging/setLevel').length).toBe(1);
  });
});

describe('unknown notifications', () => {
  it('reach the owner of the session they came on, or the call on whose stream they came', async () => {
    const channel = '{"method":"notifications/claude/channel","params":{"content":"hi"}}';
    const server = closing(
      await startScripted({
        era: 'legacy',
        sessionId: 's',
        on: ({ message, response }) => {
          if (message.method !== 'tools/call') return false;
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.end(`data: ${channel}\n\ndata: {"jsonrpc":"2.0","id":${message.id},"result":{}}\n\n`);
          return true;
        },
        other: (request, response) => {
          if (request.method !== 'GET') response.writeHead(200).end();
          else response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${channel}\n\n`);
        },
      }),
    );
    const { upstream, context } = await connect(server.url, { isolation: 'caller' });
    const call = fakeCall({ caller: { key: 'one' } });
    await upstream.request(...toolCall('x'), call);
    const expected = { jsonrpc: '2.0', method: 'notifications/claude/channel', params: { content: 'hi' } };
    expect(call.notifications).toEqual([expected]);
    await vi.waitFor(() => expect(context.received).toContainEqual({ notification: expected, callerKey: 'one' }));
  });
});
