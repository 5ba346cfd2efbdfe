/**
 * Brokers and servers that fail under the gateway: every caller gets a definite answer in time, nothing runs twice because of
 * the gateway, and the view recovers by itself.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectHandle, type Handle } from '../../adapters/mcp-over-mqtt/testing/handle.ts';
import { publishJson, serverCard, startRawTool, toolCard } from '../../adapters/mcp-over-mqtt/testing/raw-tool.ts';
import { startToolServer, type ToolServer } from '../../adapters/mcp-over-mqtt/testing/servers.ts';
import { Clients, type TestClient, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { hasMosquitto, type Mosquitto, startMosquitto } from '../fixtures/mosquitto.ts';

interface Failure {
  message: string;
  code?: number;
  data?: { code?: string };
}

const codeOf = (failure: unknown): string | undefined => (failure as Failure).data?.code;
const settled = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe.runIf(hasMosquitto())('behind the gateway', () => {
  let broker: Mosquitto;
  let gateway: OwnGateway;
  let client: TestClient;
  const servers: ToolServer[] = [];
  const handles: Handle[] = [];
  const clients = new Clients();

  const startServer = async (): Promise<ToolServer> => {
    const server = await startToolServer(broker.url);
    servers.push(server);
    return server;
  };
  const handle = async (): Promise<Handle> => {
    const opened = await connectHandle(broker.url);
    handles.push(opened);
    return opened;
  };
  const start = async (entry: object = {}): Promise<void> => {
    gateway = await startGateway({
      servers: { plant: { kind: 'mcp-over-mqtt', url: broker.url, timeoutMs: 60_000, ...entry } },
      gateway: { limits: { maxReplyBytes: 100_000 } },
    });
    client = await clients.connect('v2-modern', { http: gateway.url });
  };
  const has = (tool: string): Promise<true> =>
    until(async () => (await client.tools()).includes(`plant__${tool}`) || undefined, `the tool ${tool}`);

  beforeEach(async () => {
    broker = await startMosquitto();
  });
  afterEach(async () => {
    await clients.close();
    await gateway?.close();
    await Promise.all(servers.splice(0).map(({ handle }) => handle.disconnect(true)));
    await Promise.all(handles.splice(0).map((each) => each.disconnect(true)));
    await broker?.stop();
  });

  it('a broker killed in the middle of calls fails them at once, and serves the next ones when it is back', async () => {
    const server = await startServer();
    await start();
    await has('slow');
    const running = Array.from({ length: 20 }, () => settled(client.call('plant__slow')));
    await until(() => server.counts.slow === 16, 'as many calls as run at a time');
    await broker.kill();
    const failures = await Promise.all(running);
    // Not because their time was over.
    expect(new Set(failures.map(codeOf))).toEqual(new Set(['SWB_UPSTREAM_UNAVAILABLE']));
    const during = await settled(client.call('plant__echo'));
    expect(codeOf(during)).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect((during as Failure).message).not.toContain('127.0.0.1');

    await broker.start();
    const again = await startServer();
    await gateway.reaches('plant', 'ready');
    await has('say');
    await until(async () => textOf(await client.call('plant__say', { text: 'back' })) === 'back', 'an answer');
    // What had failed is not sent again, to none of the servers.
    expect(server.counts.slow).toBe(16);
    expect(again.counts.slow).toBeUndefined();
  });

  it('a broker killed in the middle of a stream ends it, after what was reported', async () => {
    const raw = await handle();
    await startRawTool(
      raw,
      'reports',
      async (call) => {
        await call.stream({ seq: 1, type: 'partial', content: 'begun' });
      },
      { supports_streaming: true },
    );
    await start();
    await has('reports');
    const reports: unknown[] = [];
    const running = settled(client.call('plant__reports', {}, { onProgress: ({ message }) => reports.push(message) }));
    await until(() => reports.length === 1, 'the first report');
    await broker.kill();
    expect(codeOf(await running)).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect(reports).toEqual(['begun']);
  });

  it('a broker that goes mute leaves calls to their deadline, and serves when it speaks again', async () => {
    const server = await startServer();
    await start({ timeoutMs: 2_000 });
    await has('say');
    await client.call('plant__say', { text: 'before' });
    broker.pause();
    const failures = await Promise.all(
      Array.from({ length: 5 }, () => settled(client.call('plant__say', { text: 'x' }))),
    );
    expect(failures.map(codeOf)).toEqual(Array(5).fill('SWB_CALL_TIMEOUT'));
    broker.resume();
    let sent = 1 + failures.length;
    await until(async () => {
      sent++;
      const result = await client.call('plant__say', { text: 'after' }).catch(() => undefined);
      return result && textOf(result) === 'after';
    }, 'an answer');
    // Those that were on their way to the broker may have run late, each once.
    expect(server.counts.say).toBeLessThanOrEqual(sent);
  });

  it('a broker that accepts and stays mute from the start fails to connect by its deadline, with a reason', async () => {
    await startServer();
    broker.pause();
    await start({ connectTimeoutMs: 2_000 });
    const failed = await until(() => gateway.status('plant').error, 'the reason');
    expect(JSON.stringify(failed)).toMatch(/2000 ms|in time|2 s/);
    broker.resume();
    await gateway.reaches('plant', 'ready');
    await has('echo');
  });

  it('another client with the id of the gateway fails its calls, and the gateway comes back', async () => {
    const server = await startServer();
    await start({ broker: { clientId: 'gateway-1' } });
    await has('slow');
    const running = settled(client.call('plant__slow'));
    await until(() => server.counts.slow === 1, 'the call');
    const thief = await connectHandle(broker.url, { clientId: 'gateway-1', reconnectPeriod: 0 });
    expect(codeOf(await running)).toBe('SWB_UPSTREAM_UNAVAILABLE');
    await thief.disconnect(true);
    await gateway.reaches('plant', 'ready');
    expect(textOf(await client.call('plant__say', { text: 'mine again' }))).toBe('mine again');
    expect(server.counts.slow).toBe(1);
  });

  it('a server that crashes takes its tools and its calls with it, and brings them back', async () => {
    const server = await startServer();
    await start();
    await has('slow');
    const running = settled(client.call('plant__slow'));
    await until(() => server.counts.slow === 1, 'the call');
    await server.kill();
    expect(codeOf(await running)).toBe('SWB_UPSTREAM_UNAVAILABLE');
    await until(async () => (await client.tools()).every((name) => !name.startsWith('plant__')), 'no tools');
    await startServer();
    await has('slow');
  });

  it('retained garbage, answers that are none or too long, and reports out of order harm no other call', async () => {
    await startServer();
    const raw = await handle();
    for (const [topic, payload] of [
      ['tools/echo/card/x', '{'],
      ['tools/odd/card', '\u0000'],
      ['tools/long/card', 'x'.repeat(2_000_000)],
      ['servers/odd/card', '[]'],
      ['clients/all/responses', '{"call_id":5}'],
    ] as const) {
      await publishJson(raw, `a2a/v1/mcp/${topic}`, payload, true);
    }
    await startRawTool(
      raw,
      'rude',
      async (call) => {
        const { how } = call.request.arguments as { how: string };
        await call.stream('{"seq":');
        for (const seq of [5, 3, 3, Number.MAX_VALUE, -1, 'x'])
          await call.stream({ seq, type: 'partial', content: `at ${seq}` });
        await call.stream('z'.repeat(1_000_000));
        if (how === 'long')
          return call.answer({ call_id: call.request.call_id, status: 'ok', result: 'y'.repeat(3_000_000) });
        if (how === 'garbage') return call.answer(Buffer.alloc(1_000, 0xff).toString('latin1'));
        return call.answer({ call_id: call.request.call_id, status: 'perhaps' });
      },
      { supports_streaming: true },
    );
    await start();
    await has('rude');
    await has('say');
    const codes = { long: 'SWB_REPLY_TOO_LARGE', garbage: 'SWB_UPSTREAM_PROTOCOL', perhaps: 'SWB_UPSTREAM_PROTOCOL' };
    for (const [how, code] of Object.entries(codes)) {
      const reports: number[] = [];
      const [failure, said] = await Promise.all([
        settled(client.call('plant__rude', { how }, { onProgress: ({ progress }) => reports.push(progress) })),
        client.call('plant__say', { text: `beside ${how}` }),
      ]);
      expect(codeOf(failure)).toBe(code);
      expect(textOf(said)).toBe(`beside ${how}`);
      expect(reports).toEqual([1, 2, 3, 4, 5]);
    }
  });

  it('clocks that are wrong change nothing', async () => {
    const raw = await handle();
    await startRawTool(
      raw,
      'skewed',
      async (call) => {
        for (const seq of [Date.UTC(2100, 0), Date.UTC(1970, 0), Date.UTC(2026, 0)]) {
          await call.stream({ seq, type: 'partial', content: String(seq) });
        }
        await call.answer({ call_id: call.request.call_id, status: 'ok', result: 'in time', elapsed_ms: -5 });
      },
      { supports_streaming: true, last_seen: '1970-01-01T00:00:00Z' },
    );
    await toolCard(raw, 'skewed', {
      server: 'skewed-server',
      supports_streaming: true,
      last_seen: '2199-01-01T00:00:00Z',
    });
    await serverCard(raw, 'skewed-server', ['skewed']);
    await start();
    await has('skewed');
    const reports: number[] = [];
    const result = await client.call('plant__skewed', {}, { onProgress: ({ progress }) => reports.push(progress) });
    expect(textOf(result)).toBe('in time');
    expect(reports).toEqual([1, 2, 3]);
  });

  it('calls under way while the broker dies and comes back each have one outcome, and none runs twice', async () => {
    const seen: string[] = [];
    const answering = async () => {
      const raw = await handle();
      await startRawTool(raw, 'count', (call) => {
        const { n } = call.request.arguments as { n: string };
        seen.push(n);
        return call.answer({ call_id: call.request.call_id, status: 'ok', result: n }).catch(() => {});
      });
      return raw;
    };
    const first = await answering();
    await start({ concurrency: 64, maxQueue: 1_000 });
    await has('count');
    const outcomes: { n: string; outcome: unknown }[] = [];
    const send = async (n: string): Promise<void> => {
      outcomes.push({ n, outcome: await settled(client.call('plant__count', { n })) });
    };
    const sending = Array.from({ length: 300 }, (_, n) => send(`a${n}`));
    await until(() => seen.length > 50, 'some calls');
    await broker.kill();
    // It would connect again, and see every call beside the one that takes its place.
    await first.disconnect(true);
    await broker.start();
    await answering();
    sending.push(...Array.from({ length: 100 }, (_, n) => send(`b${n}`)));
    await Promise.all(sending);
    expect(outcomes).toHaveLength(400);
    const failed = outcomes.filter(({ outcome }) => outcome instanceof Error);
    expect(new Set(failed.map(({ outcome }) => codeOf(outcome)))).toEqual(new Set(['SWB_UPSTREAM_UNAVAILABLE']));
    for (const { n, outcome } of outcomes) {
      if (!(outcome instanceof Error)) expect(textOf(outcome as never)).toBe(n);
    }
    expect(seen.length).toBe(new Set(seen).size);
    await gateway.reaches('plant', 'ready');
    await has('count');
    await send('last');
    expect(textOf(outcomes.at(-1)?.outcome as never)).toBe('last');
  });
});
