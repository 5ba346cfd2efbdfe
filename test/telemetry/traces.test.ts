/** Traces, from an official client through the gateway to real servers of both eras, as a collector receives them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Clients } from '../e2e/clients.ts';
import { startReadyGateway } from '../e2e/gateway.ts';
import { modernRequest, send } from '../e2e/raw.ts';
import { startVerbatim, type VerbatimServer } from '../e2e/verbatim.ts';
import { type ReceivedSpan, type Receiver, startReceiver } from './receiver.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const PARENT = `00-${TRACE}-${SPAN}-01`;
const HTTP_TRACE = '1af7651916cd43dd8448eb211c80319c';

let receiver: Receiver;
let modern: VerbatimServer;
let legacy: VerbatimServer;

beforeAll(async () => {
  receiver = await startReceiver();
  modern = await startVerbatim('modern');
  legacy = await startVerbatim('legacy');
});
afterAll(async () => {
  await Promise.all([receiver?.close(), modern?.close(), legacy?.close()]);
});

interface Used {
  call(name: string, args: object, meta?: object): Promise<{ sent: Record<string, unknown> }>;
  url: URL;
}

/** Spans that a gateway exported by its end. */
async function traced(
  use: (used: Used) => Promise<unknown>,
  {
    telemetry = { endpoint: receiver.url },
    client = 'v2-modern' as const,
    env = {},
  }: {
    telemetry?: object | null;
    client?: 'v2-modern' | 'v2-legacy';
    env?: Record<string, string>;
  } = {},
): Promise<ReceivedSpan[]> {
  const from = receiver.spans.length;
  const servers = {
    modern: { url: modern.url, headers: { authorization: 'Bearer up-secret' } },
    legacy: { url: legacy.url },
  };
  const gateway = await startReadyGateway({
    servers,
    gateway: telemetry ? { telemetry } : {},
    embedded: { telemetryEnv: { OTEL_METRICS_EXPORTER: 'none', ...env } },
  });
  const clients = new Clients();
  try {
    const connected = await clients.connect(client, { http: gateway.url });
    await use({
      url: new URL(gateway.url),
      call: async (name, args, _meta) => {
        const result = await connected.request('tools/call', { name, arguments: args, ...(_meta ? { _meta } : {}) });
        const [block] = result.content as { text: string }[];
        return { sent: JSON.parse(block?.text ?? '').params._meta ?? {} };
      },
    });
  } finally {
    await clients.close();
    await gateway.close();
  }
  return receiver.spans.slice(from);
}

const called = (spans: ReceivedSpan[], kind: string): ReceivedSpan[] =>
  spans.filter((span) => span.kind === kind && span.attributes['mcp.method.name'] === 'tools/call');

describe('a trace', () => {
  it.each(['v2-modern', 'v2-legacy'] as const)(
    'of a client (%s) goes on through the gateway to servers of both eras',
    async (client) => {
      const sent: Record<string, unknown>[] = [];
      const meta = { traceparent: PARENT, tracestate: 'vendor=1', baggage: 'user=1' };
      const spans = await traced(
        async ({ call }) => {
          for (const name of ['modern__verbatim', 'legacy__verbatim']) sent.push((await call(name, {}, meta)).sent);
        },
        { client },
      );
      const servers = called(spans, 'SERVER');
      const requests = called(spans, 'CLIENT');
      expect(servers).toHaveLength(2);
      expect(requests).toHaveLength(2);
      for (const [index, server] of ['modern', 'legacy'].entries()) {
        const span = servers[index] as ReceivedSpan;
        const request = requests.find(({ parentSpanId }) => parentSpanId === span.spanId) as ReceivedSpan;
        expect(span).toMatchObject({
          traceId: TRACE,
          parentSpanId: SPAN,
          name: `tools/call ${server}__verbatim`,
          attributes: {
            'gen_ai.tool.name': `${server}__verbatim`,
            'gen_ai.operation.name': 'execute_tool',
            'switchboard.server': server,
            'network.transport': 'tcp',
            'mcp.protocol.version': client === 'v2-modern' ? '2026-07-28' : '2025-11-25',
          },
          failed: false,
        });
        expect(request).toMatchObject({
          traceId: TRACE,
          name: 'tools/call verbatim',
          attributes: { 'gen_ai.tool.name': 'verbatim', 'server.address': '127.0.0.1', 'switchboard.server': server },
        });
        expect(sent[index]).toMatchObject({
          traceparent: `00-${TRACE}-${request.spanId}-01`,
          tracestate: 'vendor=1',
          baggage: 'user=1',
        });
      }
    },
  );

  it('has the context of the HTTP request as a link, and not as its parent', async () => {
    const spans = await traced(async ({ url }) => {
      const request = modernRequest('tools/call', { name: 'modern__verbatim', arguments: {} });
      await send(url, { ...request, headers: { ...request.headers, traceparent: `00-${HTTP_TRACE}-${SPAN}-01` } });
    });
    const [span] = called(spans, 'SERVER');
    expect(span?.links).toEqual([{ traceId: HTTP_TRACE, spanId: SPAN }]);
    expect(span?.parentSpanId).toBe('');
    expect(span?.traceId).not.toBe(HTTP_TRACE);
  });

  it('does not hold arguments, results, credentials or names that lead nowhere', async () => {
    const from = receiver.text().length;
    const spans = await traced(async ({ call, url }) => {
      await call('modern__verbatim', { said: 'a private word' }, { traceparent: PARENT });
      await send(url, modernRequest('tools/call', { name: 'made_up_by_the_client', arguments: {} }));
      await send(url, modernRequest('made/up/method', {}));
    });
    expect(called(spans, 'SERVER')).toHaveLength(2);
    expect(called(spans, 'SERVER')[1]).toMatchObject({ name: 'tools/call', failed: true });
    expect(called(spans, 'SERVER')[1]?.attributes).toMatchObject({
      'error.type': 'SWB_UNKNOWN_TOOL',
      'rpc.response.status_code': '-32602',
    });
    expect(spans.map(({ name }) => name)).toContain('_OTHER');
    const text = receiver.text().slice(from);
    for (const hidden of ['a private word', 'made_up', 'made/up', 'up-secret']) expect(text).not.toContain(hidden);
  });

  it('holds arguments and results where the operator asked for content', async () => {
    const spans = await traced(({ call }) => call('modern__verbatim', { said: 'a private word' }), {
      telemetry: { endpoint: receiver.url, content: true },
    });
    expect(called(spans, 'CLIENT')[0]?.attributes['gen_ai.tool.call.arguments']).toBe('{"said":"a private word"}');
    expect(called(spans, 'SERVER')[0]?.attributes['gen_ai.tool.call.result']).toContain('a private word');
  });

  it('is not begun where the sampler says no, and goes on where the client had begun it', async () => {
    const env = { OTEL_TRACES_SAMPLER: 'parentbased_always_off' };
    const spans = await traced(
      async ({ call }) => {
        await call('modern__verbatim', {});
        await call('legacy__verbatim', {}, { traceparent: PARENT });
      },
      { env },
    );
    expect(called(spans, 'SERVER').map(({ traceId, name }) => ({ traceId, name }))).toEqual([
      { traceId: TRACE, name: 'tools/call legacy__verbatim' },
    ]);
  });

  it('passes as it came where tracing is off', async () => {
    const strange = { traceparent: 'whatever', tracestate: 7, baggage: 'user=1' };
    let sent: Record<string, unknown> = {};
    const spans = await traced(
      async ({ call }) => {
        ({ sent } = await call('modern__verbatim', {}, strange));
      },
      { telemetry: null },
    );
    expect(sent).toMatchObject(strange);
    expect(spans).toEqual([]);
  });
});
