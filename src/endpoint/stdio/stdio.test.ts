import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { META } from '../../wire/envelope.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { call, initialize, modern, rpc, silentLog, until } from '../testing/http.ts';
import { StubRelay, stubFederation } from '../testing/stub-relay.ts';
import { type StdioEndpoint, type StdioOptions, serveStdio } from './serve.ts';

let relay: StubRelay;
let input: PassThrough;
let output: PassThrough;
let endpoint: StdioEndpoint;
let written: string;

function start(options: Partial<StdioOptions> = {}): void {
  relay = new StubRelay();
  input = new PassThrough();
  output = new PassThrough();
  written = '';
  output.on('data', (chunk) => {
    written += chunk;
  });
  endpoint = serveStdio({ relay, view: stubFederation().all, input, output, log: silentLog, ...options });
}
afterEach(() => endpoint.close());

const say = (...messages: unknown[]): void => {
  for (const message of messages) input.write(`${JSON.stringify(message)}\n`);
};

/** Everything written so far; every line must be one message. */
const lines = (): JsonObject[] =>
  written
    .split('\n')
    .filter((line) => line.length > 0)
    .map((line) => JSON.parse(line));

const answer = async (id: unknown): Promise<JsonObject> => {
  await until(() => lines().some((line) => line.id === id && line.method === undefined), `${id} is answered`);
  return lines().find((line) => line.id === id && line.method === undefined) as JsonObject;
};

describe('legacy', () => {
  test('initialize opens the session, and the session is notified of changes', async () => {
    start();
    say(initialize('2025-06-18'));
    expect(await answer(0)).toMatchObject({ result: { protocolVersion: '2025-06-18' } });
    say({ jsonrpc: '2.0', method: 'notifications/initialized' });
    const [session] = relay.sessions;
    expect(session?.caller).toMatchObject({
      era: 'legacy',
      principal: 'local',
      key: session?.id,
      sessionId: session?.id,
    });
    session?.notify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    await until(
      () => lines().some(({ method }) => method === 'notifications/tools/list_changed'),
      'the change arrives',
    );
    say(call(1, 'progress', { steps: 2 }));
    await answer(1);
    expect(lines().filter(({ method }) => method === 'notifications/progress')).toHaveLength(2);
  });

  test('the first line out is the answer to initialize', async () => {
    start();
    relay.openSession = (session) => session.notify({ jsonrpc: '2.0', method: 'notifications/x' });
    say(initialize());
    await until(() => lines().length === 2, 'both are written');
    expect(lines().map(({ id, method }) => method ?? id)).toEqual([0, 'notifications/x']);
  });

  test('questions and answers cross on the same pipe', async () => {
    start();
    say(initialize(), call(1, 'ask', { question: 'Who?' }));
    await until(() => lines().some(({ method }) => method === 'elicitation/create'), 'the question arrives');
    const question = lines().find(({ method }) => method === 'elicitation/create');
    say({ jsonrpc: '2.0', id: question?.id, result: { action: 'accept', content: { name: 'Ada' } } });
    expect(JSON.stringify(await answer(1))).toContain('Ada');
  });

  test('a withdrawn call is cancelled and never answered', async () => {
    start();
    say(initialize(), call(1, 'linger'));
    await until(() => relay.requests.length === 2, 'the call runs');
    say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1, reason: 'no' } }, rpc(2, 'ping'));
    await answer(2);
    expect(lines().some(({ id }) => id === 1)).toBe(false);
    expect(relay.cancelled).toEqual([{ method: 'tools/call', reason: 'no' }]);
  });

  test('a request before initialize is refused', async () => {
    start();
    say(rpc(1, 'tools/list'));
    expect(await answer(1)).toMatchObject({ error: { code: -32600, data: { code: 'SWB_NOT_INITIALIZED' } } });
  });

  test('a client that starts over gets a new session for the old one', async () => {
    start();
    say(initialize(), call(1, 'wait'));
    await until(() => relay.requests.length === 2, 'the call runs');
    const [first] = relay.sessions;
    say({ ...initialize(), id: 9 });
    await answer(9);
    expect(relay.sessions.size).toBe(1);
    expect(relay.sessions.has(first as never)).toBe(false);
    expect(await answer(1)).toMatchObject({ error: { data: { code: 'SWB_CANCELLED' } } });
  });

  test('a failed initialize leaves no session', async () => {
    start();
    relay.on('initialize', () => {
      throw new Error('no');
    });
    say(initialize());
    expect(await answer(0)).toMatchObject({ error: { code: -32603 } });
    say(rpc(1, 'tools/list'));
    expect(await answer(1)).toMatchObject({ error: { data: { code: 'SWB_NOT_INITIALIZED' } } });
  });

  test('batches are of 2025-03-26 only', async () => {
    start();
    const batch = [rpc(1, 'ping'), call(2, 'echo'), { jsonrpc: '2.0', method: 'notifications/x' }];
    say(batch);
    expect(await answer(null)).toMatchObject({ error: { data: { code: 'SWB_BATCH_REFUSED' } } });
    say(initialize('2025-03-26'), batch);
    await until(() => lines().some((line) => Array.isArray(line)), 'the answers arrive');
    expect(lines().find((line) => Array.isArray(line))).toMatchObject([{ id: 1 }, { id: 2 }]);
    expect(relay.notifications).toHaveLength(1);
  });
});

describe('modern', () => {
  test('requests are served each by itself, without initialize', async () => {
    start();
    say(modern(1, 'server/discover'), modern(2, 'tools/list'));
    expect(await answer(1)).toMatchObject({ result: { supportedVersions: expect.arrayContaining(['2026-07-28']) } });
    expect(await answer(2)).toMatchObject({ result: { resultType: 'complete' } });
    expect(relay.requests[0]?.caller).toMatchObject({ era: 'modern', key: 'local', sessionId: undefined });
    expect(relay.sessions.size).toBe(0);
  });

  test('a subscription shares the pipe, and ends when it is cancelled: nothing more is sent for it', async () => {
    start();
    say(modern('s', 'subscriptions/listen', { notifications: { toolsListChanged: true } }));
    await until(() => lines().length === 2, 'both notifications arrive');
    expect(lines()[0]).toMatchObject({ params: { _meta: { [META.subscriptionId]: 's' } } });
    say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 's' } }, modern(2, 'tools/list'));
    await answer(2);
    expect(relay.cancelled).toEqual([{ method: 'subscriptions/listen', reason: undefined }]);
    expect(lines()).toHaveLength(3);
  });

  test('the subscriptions of a connection are limited, and one that ends makes room', async () => {
    start();
    const listen = (id: number) => modern(id, 'subscriptions/listen', { notifications: {} });
    for (let id = 0; id < 101; id++) say(listen(id));
    expect(await answer(100)).toMatchObject({ error: { data: { code: 'SWB_TOO_MANY_STREAMS' } } });
    say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } }, listen(200));
    await until(() => relay.requests.at(-1)?.request.id === 200, 'the next one is let in');
  });

  test.each([
    ['no capabilities', { _meta: { [META.protocolVersion]: '2026-07-28' } }, -32602],
    ['an unknown version', { _meta: { [META.protocolVersion]: 'v9', [META.clientCapabilities]: {} } }, -32022],
  ])('%s is an error under its id', async (_, params, code) => {
    start();
    say(rpc(4, 'tools/list', params));
    expect(await answer(4)).toMatchObject({ error: { code } });
  });

  test('an id in use is refused without touching the running request', async () => {
    start();
    say(modern(1, 'tools/call', { name: 'wait' }), modern(1, 'tools/list'));
    expect(await answer(null)).toMatchObject({ error: { code: -32600 } });
    await relay.close();
    expect(await answer(1)).toMatchObject({ result: { resultType: 'complete' } });
  });

  test('codes of earlier revisions are not emitted, and a result that cannot be written is an error', async () => {
    start();
    say(modern(1, 'resources/read', { uri: 'x://y' }), modern(2, 'tools/call', { name: 'circular' }));
    expect(await answer(1)).toMatchObject({ error: { code: -32602 } });
    expect(await answer(2)).toMatchObject({ error: { data: { code: 'SWB_INTERNAL' } } });
  });

  test('both eras may be mixed on one pipe', async () => {
    start();
    say(initialize(), modern(1, 'tools/list'), rpc(2, 'tools/list'));
    expect(await answer(1)).toMatchObject({ result: { resultType: 'complete' } });
    expect((await answer(2)).result).not.toHaveProperty('resultType');
  });

  test('notifications reach the relay with their caller; malformed ones are never answered', async () => {
    start();
    const { id: _, ...note } = modern(1, 'notifications/x');
    say(note, { method: 'notifications/y', params: { _meta: { [META.protocolVersion]: 7 } } }, modern(2, 'tools/list'));
    await answer(2);
    expect(relay.notifications.map(({ caller }) => caller.era)).toEqual(['modern']);
    expect(lines()).toHaveLength(1);
  });
});

describe('framing', () => {
  test('a result with line breaks is written on one line', async () => {
    start();
    say(modern(1, 'tools/call', { name: 'raw', arguments: { json: '{\n"a":\r\n"b\\nc"}' } }));
    expect((await answer(1)).result).toEqual({ a: 'b\nc' });
  });

  test('a line that is no message gets an error, and the next message is served', async () => {
    start({ maxLineBytes: 1_000 });
    input.write('not json\n\n[1,2\n"x"\n');
    input.write(`{"jsonrpc":"2.0","id":1,"method":"${'x'.repeat(2_000)}"}\n`);
    input.write(Buffer.from([0xff, 0xfe, 0x0a]));
    say(modern(2, 'tools/list'));
    await answer(2);
    expect(
      lines()
        .slice(0, -1)
        .map(({ id, error }) => [id, (error as { code: number }).code]),
    ).toEqual([
      [null, -32700],
      [null, -32700],
      [null, -32600],
      [null, -32600],
      [null, -32700],
    ]);
  });

  test('any split of the bytes reads the same', async () => {
    start();
    for (const byte of Buffer.from(`${JSON.stringify(modern('ü', 'tools/list'))}\r\n`))
      input.write(Buffer.from([byte]));
    expect(await answer('ü')).toMatchObject({ result: {} });
  });

  test('a client that does not read is not read from, and gets its answers when it does', async () => {
    start({ maxBacklogBytes: 50_000 });
    output.pause();
    const json = JSON.stringify({ filler: 'x'.repeat(40_000) });
    for (let i = 0; i < 5; i++) say(modern(i, 'tools/call', { name: 'raw', arguments: { json } }));
    await until(() => input.isPaused(), 'the input is paused');
    expect(written).toBe('');
    output.resume();
    await answer(4);
    expect(lines()).toHaveLength(5);
    expect(input.isPaused()).toBe(false);
  });

  test('a client that is far behind misses notifications, and no result', async () => {
    start({ maxBacklogBytes: 1_000 });
    output.pause();
    const said = Promise.withResolvers<void>();
    relay.on('tools/call', async ({ inbound }) => {
      for (let n = 0; n < 2_000; n++)
        inbound.channel.notify({ jsonrpc: '2.0', method: 'notifications/x', params: { n } });
      said.resolve();
      return { value: {} };
    });
    say(modern(1, 'tools/call'));
    await said.promise;
    output.resume();
    await answer(1);
    expect(lines().length).toBeGreaterThan(10);
    expect(lines().length).toBeLessThan(1_500);
  });
});

describe('the end', () => {
  test('of the input cancels running calls, closes the session and resolves', async () => {
    start();
    say(initialize(), call(1, 'wait'), modern(2, 'tools/call', { name: 'wait' }));
    await until(() => relay.requests.length === 3, 'the calls run');
    input.end();
    await endpoint.closed;
    expect(relay.cancelled).toHaveLength(2);
    expect(relay.sessions.size).toBe(0);
    expect(lines().map(({ id }) => id)).toEqual([0]);
  });

  test.each(['input', 'output'] as const)('a broken %s is an end as well', async (side) => {
    start();
    say(initialize());
    await answer(0);
    (side === 'input' ? input : output).destroy(new Error('EPIPE'));
    await endpoint.closed;
    expect(relay.closedSessions).toBe(1);
  });

  test('closing waits until what was written has left, but not for ever', async () => {
    start();
    output.pause();
    say(modern(1, 'tools/call', { name: 'raw', arguments: { json: `"${'x'.repeat(100_000)}"` } }));
    await until(() => output.writableLength > 0, 'the answer waits');
    await endpoint.close();
    await endpoint.close();
    expect(relay.cancelled).toEqual([]);
  });
});
