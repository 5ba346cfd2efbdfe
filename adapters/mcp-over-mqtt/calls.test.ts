/** Calls of tools on a real broker: what is sent, what answers and errors become, and what reports do. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Upstream } from '../../src/core/upstream.ts';
import { keepSource } from '../../src/wire/json/source.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { hasMosquitto, type Mosquitto, startMosquitto } from '../../test/fixtures/mosquitto.ts';
import { type FakeCall, fakeCall } from '../testing/call.ts';
import { type ContextOverrides, fakeContext } from '../testing/context.ts';
import { codeOf, resultOf, until } from '../testing/outcome.ts';
import { mcpOverMqttAdapter } from './index.ts';
import { connectHandle, type Handle } from './testing/handle.ts';
import { type RawCall, startRawTool } from './testing/raw-tool.ts';
import { startToolServer, type ToolServer } from './testing/servers.ts';

describe.runIf(hasMosquitto())('a call of a tool on a broker', () => {
  let broker: Mosquitto;
  let tools: ToolServer;
  const handles: Handle[] = [];
  const upstreams: Upstream[] = [];

  beforeAll(async () => {
    broker = await startMosquitto();
    tools = await startToolServer(broker.url);
  });
  afterEach(async () => {
    await Promise.all(upstreams.splice(0).map((upstream) => upstream.close()));
    await Promise.all(handles.splice(0).map((handle) => handle.disconnect()));
  });
  afterAll(async () => {
    await tools?.stop();
    await broker?.stop();
  });

  const connect = async (overrides: ContextOverrides = {}): Promise<Upstream> => {
    const target = {
      transport: 'mqtt' as const,
      url: broker.url,
      headers: {},
      broker: { version: 'auto' as const, keepaliveSeconds: 30 },
    };
    const options = { topicNamespace: 'a2a/v1' };
    const upstream = await mcpOverMqttAdapter.connect(fakeContext(target, { options, ...overrides }));
    upstreams.push(upstream);
    return upstream;
  };
  const raw = async (tool: string, onCall: (call: RawCall) => unknown, card?: object): Promise<Handle> => {
    const handle = await connectHandle(broker.url);
    handles.push(handle);
    await startRawTool(handle, tool, onCall, card);
    return handle;
  };
  const request = (upstream: Upstream, name: string, args: JsonObject = {}, call: FakeCall = fakeCall()) =>
    upstream.request('tools/call', { name, arguments: args }, call);
  const errorOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  it('sends what the protocol says, and the arguments as their bytes', async () => {
    const seen: RawCall[] = [];
    await raw('wire', (call) => {
      seen.push(call);
      return call.answer({ call_id: call.request.call_id, status: 'ok', result: 'ok' });
    });
    const upstream = await connect({ timeoutMs: 7_900 });
    const text = '{"params":{"name":"wire","arguments":{"n":12345678901234567890,"x":1.0}}}';
    const message = JSON.parse(text);
    keepSource(message, text);
    let left = 0;
    await upstream.request('tools/call', message.params, { ...fakeCall(), left: () => void left++ });
    const [call] = seen;
    expect(call?.text).toContain('"arguments":{"n":12345678901234567890,"x":1.0}');
    const { call_id, client, response_topic } = call?.request ?? {};
    expect(response_topic).toBe(`a2a/v1/mcp/clients/${client}/responses`);
    expect(call?.packet.qos).toBe(1);
    expect(call?.packet.properties).toMatchObject({
      responseTopic: response_topic,
      correlationData: Buffer.from(String(call_id)),
      contentType: 'application/json',
    });
    expect(call?.packet.properties?.messageExpiryInterval).toBeLessThanOrEqual(7);
    expect(left).toBe(1);
    expect(upstream.answered).toBe(true);
  });

  it('gives texts, objects, nothing, and whole results of MCP as results', async () => {
    const big = '{"n":12345678901234567890,"list":[1.0]}';
    const content = [{ type: 'text', text: 'mine' }];
    const results: Record<string, string> = {
      object: big,
      list: '[1,2]',
      number: '5',
      mcp: JSON.stringify({ content, structuredContent: { a: 1 } }),
      looks: JSON.stringify({ content: [{ kind: 'page' }] }),
    };
    await raw('shapes', (call) => {
      const { shape } = call.request.arguments as { shape: string };
      return call.answer(`{"call_id":"${call.request.call_id}","status":"ok","result":${results[shape]}}`);
    });
    const upstream = await connect();
    const rawOf = async (shape: string): Promise<string> => {
      const reply = await request(upstream, 'shapes', { shape });
      return 'raw' in reply && reply.raw ? reply.raw.toString() : JSON.stringify(resultOf(reply));
    };
    expect(await rawOf('object')).toBe(
      `{"content":[{"type":"text","text":${JSON.stringify(big)}}],"structuredContent":${big}}`,
    );
    expect(JSON.parse(await rawOf('list'))).toEqual({ content: [{ type: 'text', text: '[1,2]' }] });
    expect(JSON.parse(await rawOf('number'))).toEqual({ content: [{ type: 'text', text: '5' }] });
    expect(await rawOf('mcp')).toBe(results.mcp);
    expect(JSON.parse(await rawOf('looks'))).toMatchObject({ structuredContent: { content: [{ kind: 'page' }] } });
    expect(resultOf(await request(upstream, 'say', { text: 'hi' }))).toEqual({
      content: [{ type: 'text', text: 'hi' }],
    });
    expect(resultOf(await request(upstream, 'nothing'))).toEqual({ content: [] });
  });

  it('structures what a tool with an output schema returns, whatever its type', async () => {
    await raw('typed', (call) => call.answer({ call_id: call.request.call_id, status: 'ok', result: ['a'] }), {
      output_schema: { type: 'array' },
    });
    expect(resultOf(await request(await connect(), 'typed'))).toEqual({
      content: [{ type: 'text', text: '["a"]' }],
      structuredContent: ['a'],
    });
  });

  it('makes a tool that failed a result, without what its machine is', async () => {
    const result = resultOf(await request(await connect(), 'fail'));
    expect(result).toEqual({
      content: [{ type: 'text', text: 'the database at [address] is away' }],
      isError: true,
      _meta: { 'switchboard/error': { type: 'tool_error' } },
    });
  });

  it('makes every other error one of the gateway', async () => {
    await raw('errors', (call) => {
      const { type } = call.request.arguments as { type: string };
      const error = { type, message: 'because', code: 'E_1' };
      return call.answer({ call_id: call.request.call_id, status: 'error', error });
    });
    const upstream = await connect();
    const codes: Record<string, string> = {
      invalid_arguments: 'SWB_INVALID_PARAMS',
      unauthorized: 'SWB_UPSTREAM_AUTH',
      unavailable: 'SWB_UPSTREAM_UNAVAILABLE',
      timeout: 'SWB_CALL_TIMEOUT',
    };
    for (const [type, code] of Object.entries(codes)) {
      expect(await errorOf(request(upstream, 'errors', { type }))).toMatchObject({
        code,
        message: expect.stringMatching(new RegExp(`^${type}: .*because`)),
        data: { reason: type, tool: 'errors', toolCode: 'E_1' },
      });
    }
    expect(resultOf(await request(upstream, 'errors', { type: 'constructor' }))).toMatchObject({ isError: true });
  });

  it.each([
    ['no JSON', 'nonsense'],
    ['no status', { result: 1 }],
    ['no object', '[]'],
  ])('that answers with %s fails at once', async (_, payload) => {
    await raw('broken', (call) => call.answer(payload));
    expect(codeOf(await errorOf(request(await connect(), 'broken')))).toBe('SWB_UPSTREAM_PROTOCOL');
  });

  it('is answered once, whatever else comes to the inbox', async () => {
    await raw('twice', async (call) => {
      const answer = (result: string, id = call.request.call_id) => call.answer({ call_id: id, status: 'ok', result });
      await call.answer({ call_id: 'another-call', status: 'ok', result: 'not mine' });
      await call.answer({ call_id: '0-0123456789abcdef01234567', status: 'ok', result: 'guessed' }, null);
      await call.answer('garbage', null);
      await answer('first');
      await answer('second');
    });
    const upstream = await connect();
    for (let n = 0; n < 3; n++) {
      expect(resultOf(await request(upstream, 'twice'))).toEqual({ content: [{ type: 'text', text: 'first' }] });
    }
  });

  it('takes answers of servers that know MQTT 3.1.1 alone', async () => {
    const old = await startToolServer(broker.url, {
      name: 'old',
      namespace: 'old',
      mqtt: { protocolVersion: 4 },
      shared: false,
    });
    try {
      const upstream = await connect({ options: { topicNamespace: 'old' } });
      expect(resultOf(await request(upstream, 'echo', { a: 1 })).structuredContent).toEqual({ echoed: { a: 1 } });
    } finally {
      await old.stop();
    }
  });

  it('speaks MQTT 3.1.1 itself where the configuration says so', async () => {
    const target = {
      transport: 'mqtt' as const,
      url: broker.url,
      headers: {},
      broker: { version: '3.1.1' as const, keepaliveSeconds: 30 },
    };
    const upstream = await mcpOverMqttAdapter.connect(fakeContext(target, { options: { topicNamespace: 'a2a/v1' } }));
    upstreams.push(upstream);
    expect(upstream.protocolVersion).toBe('MQTT 3.1.1');
    expect(resultOf(await request(upstream, 'say', { text: 'old' }))).toEqual({
      content: [{ type: 'text', text: 'old' }],
    });
  });

  it('shows reports as progress that grows, each once and in spite of their order', async () => {
    await raw(
      'reports',
      async (call) => {
        const report = (seq: number, content: unknown) =>
          call.stream({ call_id: call.request.call_id, seq, type: 'partial', content });
        await report(1, 'one');
        await report(3, 'three');
        await report(3, 'three');
        await report(2, 'two');
        await report(3, 'another three');
        await call.stream('garbage');
        await call.stream({ seq: 4, type: 'partial', data: { n: 4 } });
        await call.stream({ seq: 5, type: 'done' });
        await call.answer({ call_id: call.request.call_id, status: 'ok', result: 'end' });
        await report(6, 'too late');
      },
      { supports_streaming: true },
    );
    const call = fakeCall({ wantsProgress: true });
    await request(await connect(), 'reports', {}, call);
    expect(call.notifications.map(({ params }) => [params?.progress, params?.message])).toEqual([
      [1, 'one'],
      [2, 'three'],
      [3, 'two'],
      [4, 'another three'],
      [5, '{"n":4}'],
    ]);
  });

  it('of a tool without subscribers is unavailable at once', async () => {
    const handle = await raw('gone', () => {});
    const upstream = await connect();
    await handle.unsubscribe('a2a/v1/mcp/tools/gone/call');
    // Nothing else would end the call: it has no time limit of its own here.
    expect(await errorOf(request(upstream, 'gone'))).toMatchObject({
      code: 'SWB_UPSTREAM_UNAVAILABLE',
      message: expect.stringMatching(/^unavailable: /),
      data: { reason: 'unavailable', tool: 'gone' },
    });
  });

  it('that nobody waits for any more is not executed when its server comes back', async () => {
    const persistent = { clean: false, clientId: 'persistent', properties: { sessionExpiryInterval: 300 } };
    const topic = 'a2a/v1/mcp/tools/later/call';
    const first = await connectHandle(broker.url, persistent);
    await startRawTool(first, 'later', () => {});
    const watching = await connectHandle(broker.url);
    handles.push(watching);
    await watching.subscribe(topic);
    const upstream = await connect({ timeoutMs: 1_000 });
    await first.disconnect(true);
    const call = fakeCall();
    const running = errorOf(request(upstream, 'later', {}, call));
    await until('the broker has the call', () => watching.received.includes(topic));
    call.abort();
    await running;
    // It is good for one second from then on, and the broker counts whole ones.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const again = await connectHandle(broker.url, persistent);
    handles.push(again);
    await again.subscribe('marker');
    await again.transmit('marker', 'x', { qos: 1 });
    await until('the broker has sent what it kept', () => again.received.includes('marker'));
    expect(again.received).toEqual(['marker']);
  });

  it('has no other requests beside it', async () => {
    const upstream = await connect();
    expect(codeOf(await errorOf(upstream.request('prompts/get', { name: 'x' }, fakeCall())))).toBe('SWB_NOT_SUPPORTED');
    expect(codeOf(await errorOf(upstream.request('tools/call', {}, fakeCall())))).toBe('SWB_INVALID_PARAMS');
  });

  it('completes a thousand times at once, each with its own answer', async () => {
    const upstream = await connect();
    const results = await Promise.all(
      Array.from({ length: 1_000 }, async (_, n) => resultOf(await request(upstream, 'say', { text: `call ${n}` }))),
    );
    expect(results.map(({ content }) => content)).toEqual(results.map((_, n) => [{ type: 'text', text: `call ${n}` }]));
  });
});
