import { describe, expect, it, vi } from 'vitest';
import type { Change } from '../../../src/core/upstream.ts';
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';
import { startV1Http, startV1Sse, startV2Http } from '../../../test/fixtures/mcp/http.ts';
import { stdioFixture } from '../../../test/fixtures/mcp/stdio.ts';
import { COUNTER_URI, README_URI } from '../../../test/fixtures/mcp/world.ts';
import { fakeCall } from '../../testing/call.ts';
import { recordingLog } from '../../testing/context.ts';
import type { ServerHandshake } from '../session/handshake.ts';
import { connections, toolCall } from '../testing/connected.ts';
import { type ScriptedServer, startScripted } from '../testing/scripted.ts';
import { Changes } from './changes.ts';
import { ChangeHub } from './hub.ts';

const { connect, closing } = connections();

const servers = {
  'SDK v1 over HTTP': async () => closing(await startV1Http()).url,
  'SDK v2, legacy, over HTTP': async () => closing(await startV2Http('legacy')).url,
  'SDK v2, modern, over HTTP': async () => closing(await startV2Http('modern')).url,
  'SDK v1 over SSE': async () => closing(await startV1Sse()).url,
  'SDK v1 over stdio': async () => closing(stdioFixture('v1')).target,
  'SDK v2, modern, over stdio': async () => closing(stdioFixture('v2-modern')).target,
};

const TOOLS: Change = { type: 'list', kind: 'tools' };
const COUNTER: Change = { type: 'resource', uri: COUNTER_URI, params: { uri: COUNTER_URI } };

describe.each(Object.entries(servers))('changes of a real server: %s', (_name, start) => {
  it('reach their listeners, and no others', async () => {
    const { upstream } = await connect(await start());
    const lists: Change[] = [];
    const counter: Change[] = [];
    const readme: Change[] = [];
    upstream.listen({ lists: true }, (change) => lists.push(change));
    const subscription = upstream.listen({ resources: [COUNTER_URI] }, (change) => counter.push(change));
    upstream.listen({ resources: [README_URI] }, (change) => readme.push(change));

    // A subscription takes effect some time after it was asked for.
    await vi.waitFor(
      async () => {
        await upstream.request(...toolCall('touch'), fakeCall());
        expect(counter.length).toBeGreaterThan(0);
      },
      { timeout: 5_000, interval: 50 },
    );
    await upstream.request(...toolCall('change'), fakeCall());
    await vi.waitFor(() => expect(lists).toContainEqual(TOOLS), { timeout: 5_000 });
    expect(counter[0]).toEqual(COUNTER);
    expect(readme).toEqual([]);
    expect(lists.every(({ type }) => type === 'list')).toBe(true);
    const { entries } = await upstream.catalog('tools', AbortSignal.timeout(30_000));
    expect(entries.map(({ key }) => key)).toContain('added_1');

    subscription.close();
    const before = counter.length;
    await upstream.request(...toolCall('touch'), fakeCall());
    await upstream.request(...toolCall('echo', { text: 'after' }), fakeCall());
    expect(counter.length).toBe(before);
  });
});

describe('a list whose changes the server does not announce', () => {
  const polled = (capabilities: JsonObject, listens: boolean) => {
    let tools = ['a'];
    const read = async (kind: string) => ({
      entries: kind === 'tools' ? tools.map((key) => ({ key, value: { name: key } })) : [],
    });
    const handshake = { era: 'legacy', protocolVersion: '2025-11-25', capabilities } as ServerHandshake;
    const changes = closing(
      new Changes({
        name: 'fixture',
        log: recordingLog(),
        handshake,
        gatewaySession: () => undefined as never,
        listens: () => listens,
        ask: async () => Buffer.from('{}'),
        read,
        pollEveryMs: 20,
      }),
    );
    const heard: Change[] = [];
    changes.listen({ lists: true }, (change) => heard.push(change));
    return { heard, set: (next: string[]) => (tools = next), changes, read };
  };

  it.each([
    ['is not declared to change', { tools: {} }, true],
    ['could only arrive on a stream the server does not offer', { tools: { listChanged: true } }, false],
  ] as const)('is read again when it %s', async (_why, capabilities, listens) => {
    const { heard, set, changes, read } = polled(capabilities, listens);
    changes.seen('tools', await read('tools'));
    set(['a', 'b']);
    await vi.waitFor(() => expect(heard).toEqual([TOOLS]));
  });

  it('is not read again when its changes are announced', async () => {
    const { heard, set, changes, read } = polled({ tools: { listChanged: true } }, true);
    changes.seen('tools', await read('tools'));
    set(['a', 'b']);
    // By the time that another list, begun later, was read again twice, this one would have been.
    const other = polled({ tools: {} }, true);
    other.changes.seen('tools', await other.read('tools'));
    for (const [i, tools] of [['b'], ['c']].entries()) {
      other.set(tools);
      await vi.waitFor(() => expect(other.heard).toHaveLength(i + 1));
    }
    expect(heard).toEqual([]);
    changes.onNotification({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    expect(heard).toEqual([TOOLS]);
  });

  it('of resources is two: the resources and their templates', () => {
    const { heard, changes } = polled({ resources: { listChanged: true } }, true);
    changes.onNotification({ jsonrpc: '2.0', method: 'notifications/resources/list_changed' });
    expect(heard).toEqual([
      { type: 'list', kind: 'resources' },
      { type: 'list', kind: 'templates' },
    ]);
  });
});

describe('an update of a part of a resource', () => {
  it('reaches listeners of the whole resource', () => {
    const hub = new ChangeHub(() => {});
    const heard: string[] = [];
    hub.listen({ resources: ['file:///a'] }, ({ type }) => heard.push(type));
    for (const uri of ['file:///ab', 'file:///a/b', 'file:///a']) {
      hub.onNotification({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } });
    }
    expect(heard).toEqual(['resource', 'resource']);
  });
});

describe('a legacy subscription', () => {
  it('is shared by its listeners, and is made again in a new session', async () => {
    let session = 1;
    let gone = false;
    const server: ScriptedServer = closing(
      await startScripted({
        era: 'legacy',
        capabilities: { tools: {}, resources: { subscribe: true } },
        get sessionId() {
          return `session-${session}`;
        },
        on: ({ message, request, response, result }) => {
          if (gone && request.headers['mcp-session-id'] === 'session-1') {
            response.writeHead(404).end();
            return true;
          }
          if (message.id === undefined) return false;
          result({});
          return true;
        },
      }),
    );
    const { upstream } = await connect(server.url);
    const told = (method: string) =>
      server.posted
        .filter(({ message }) => message.method === method)
        .map(({ message, headers }) => [headers['mcp-session-id'], message.params?.uri]);
    const first = upstream.listen({ resources: ['a:1'] }, () => {});
    const second = upstream.listen({ resources: ['a:1', 'a:2'] }, () => {});
    await vi.waitFor(() =>
      expect(told('resources/subscribe')).toEqual([
        ['session-1', 'a:1'],
        ['session-1', 'a:2'],
      ]),
    );
    first.close();
    gone = true;
    session = 2;
    await upstream.ping(AbortSignal.timeout(30_000));
    await vi.waitFor(() =>
      expect(told('resources/subscribe').slice(2)).toEqual([
        ['session-2', 'a:1'],
        ['session-2', 'a:2'],
      ]),
    );
    second.close();
    await vi.waitFor(() => expect(told('resources/unsubscribe').length).toBe(2));
  });

  it('is not asked for where the server offers none', async () => {
    const server = closing(await startScripted({ era: 'legacy', capabilities: { resources: {} } }));
    const { upstream } = await connect(server.url);
    upstream.listen({ lists: true, resources: ['a:1'] }, () => {});
    await upstream.ping(AbortSignal.timeout(30_000));
    expect(server.posted.map(({ message }) => message.method)).not.toContain('resources/subscribe');
  });
});

describe('a modern stream of changes', () => {
  const listening = (answer: (response: import('node:http').ServerResponse, id: unknown, nth: number) => void) => {
    let nth = 0;
    return startScripted({
      era: 'modern',
      capabilities: { tools: { listChanged: true }, prompts: {}, resources: { subscribe: true } },
      on: ({ message, response }) => {
        if (message.method !== 'subscriptions/listen') return false;
        answer(response, message.id, ++nth);
        return true;
      },
    });
  };
  const event = (id: unknown, method: string, params: object = {}) =>
    `data: ${JSON.stringify({ jsonrpc: '2.0', method, params: { ...params, _meta: { 'io.modelcontextprotocol/subscriptionId': id } } })}\n\n`;

  it('asks only for what the server advertises, and for what is wanted', async () => {
    const server = closing(
      await listening((response, id) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(event(id, 'notifications/subscriptions/acknowledged', {}));
      }),
    );
    const { upstream } = await connect(server.url);
    upstream.listen({ lists: true, resources: ['a:1'] }, () => {});
    await vi.waitFor(() => expect(server.posted.at(-1)?.message.method).toBe('subscriptions/listen'));
    expect(server.posted.at(-1)?.message.params).toMatchObject({
      notifications: { toolsListChanged: true, resourceSubscriptions: ['a:1'] },
    });
    expect(server.posted.at(-1)?.message.params?.notifications).not.toHaveProperty('promptsListChanged');
    expect(server.posted.at(-1)?.headers).toMatchObject({
      'mcp-method': 'subscriptions/listen',
      'mcp-protocol-version': '2026-07-28',
    });
  });

  it('is opened again when it breaks, and what may have been missed is reported', async () => {
    const server = closing(
      await listening((response, id, nth) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(
          event(id, 'notifications/subscriptions/acknowledged', { notifications: { toolsListChanged: true } }),
        );
        if (nth === 1) setTimeout(() => response.destroy(), 20);
      }),
    );
    const { upstream, context } = await connect(server.url);
    const changes: Change[] = [];
    upstream.listen({ lists: true }, (change) => changes.push(change));
    await vi.waitFor(() => expect(changes).toEqual([TOOLS]), { timeout: 5_000 });
    expect(context.downs).toEqual([]);
  });

  it('strips its own id from what it passes on', async () => {
    const server = closing(
      await listening((response, id) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(event(id, 'notifications/subscriptions/acknowledged', {}));
        response.write(event(id, 'notifications/resources/updated', { uri: 'a:1', title: 'kept' }));
      }),
    );
    const { upstream } = await connect(server.url);
    const changes: Change[] = [];
    upstream.listen({ resources: ['a:1'] }, (change) => changes.push(change));
    await vi.waitFor(() =>
      expect(changes).toEqual([{ type: 'resource', uri: 'a:1', params: { uri: 'a:1', title: 'kept' } }]),
    );
  });

  it.each([
    [
      'is not known',
      (response: import('node:http').ServerResponse, id: unknown) =>
        response
          .writeHead(404, { 'content-type': 'application/json' })
          .end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } })),
    ],
    [
      'ends before it is acknowledged',
      (response: import('node:http').ServerResponse) =>
        response.writeHead(200, { 'content-type': 'text/event-stream' }).end(),
    ],
  ])('that %s is no fault of the server', async (_what, answer) => {
    const server = closing(await listening(answer));
    const { upstream, context } = await connect(server.url);
    upstream.listen({ lists: true }, () => {});
    await vi.waitFor(() => expect(server.posted.at(-1)?.message.method).toBe('subscriptions/listen'));
    await upstream.ping(AbortSignal.timeout(30_000));
    expect(context.downs).toEqual([]);
  });

  it('is closed with its last listener', async () => {
    let closed = 0;
    const server = closing(
      await listening((response, id) => {
        response.on('close', () => closed++);
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(event(id, 'notifications/subscriptions/acknowledged', {}));
      }),
    );
    const { upstream } = await connect(server.url);
    const subscriptions = [upstream.listen({ lists: true }, () => {}), upstream.listen({ lists: true }, () => {})];
    await vi.waitFor(() => expect(server.posted.at(-1)?.message.method).toBe('subscriptions/listen'));
    subscriptions[0]?.close();
    await upstream.ping(AbortSignal.timeout(30_000));
    expect(closed).toBe(0);
    subscriptions[1]?.close();
    await vi.waitFor(() => expect(closed).toBe(1));
  });
});
