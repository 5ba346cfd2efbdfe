/**
 * A collector: takes OTLP over HTTP as protobuf and keeps what it gets, in plain values.
 * @module
 */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Message } from './protobuf.ts';

export type Attributes = Record<string, string | number | boolean>;

export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: 'SERVER' | 'CLIENT' | number;
  attributes: Attributes;
  links: { traceId: string; spanId: string }[];
  failed: boolean;
}

export interface ReceivedMetric {
  name: string;
  unit: string;
  points: { attributes: Attributes; value?: number; count?: number; bounds?: number[]; counts?: number[] }[];
}

export interface Receiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  /** Of the last export. */
  metrics(): ReceivedMetric[];
  readonly resources: Attributes[];
  readonly heads: IncomingHttpHeaders[];
  /** Everything that came, as text: what must not be there is looked for here. */
  text(): string;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const spans: ReceivedSpan[] = [];
  const resources: Attributes[] = [];
  const heads: IncomingHttpHeaders[] = [];
  const bodies: Buffer[] = [];
  let metrics: ReceivedMetric[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
    bodies.push(body);
    heads.push(request.headers);
    for (const group of new Message(body).messages(1)) {
      resources.push(attributesOf(group.message(1), 1));
      const scopes = group.messages(2);
      if (request.url === '/v1/traces') spans.push(...scopes.flatMap((scope) => scope.messages(2)).map(spanOf));
      else if (request.url === '/v1/metrics') metrics = scopes.flatMap((scope) => scope.messages(2)).map(metricOf);
    }
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    metrics: () => metrics,
    resources,
    heads,
    text: () => Buffer.concat(bodies).toString('utf8'),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function attributesOf(message: Message, field: number): Attributes {
  return Object.fromEntries(
    message.messages(field).map((pair) => {
      const value = pair.message(2);
      if (value.has(1)) return [pair.text(1), value.text(1)];
      if (value.has(2)) return [pair.text(1), value.number(2) === 1];
      return [pair.text(1), value.has(3) ? value.number(3) : (value.doubles(4)[0] ?? '')];
    }),
  );
}

/** opentelemetry/proto/trace/v1/trace.proto, `Span`. */
const spanOf = (span: Message): ReceivedSpan => ({
  traceId: span.hex(1),
  spanId: span.hex(2),
  parentSpanId: span.hex(4),
  name: span.text(5),
  kind: span.number(6) === 2 ? 'SERVER' : span.number(6) === 3 ? 'CLIENT' : span.number(6),
  attributes: attributesOf(span, 9),
  links: span.messages(13).map((link) => ({ traceId: link.hex(1), spanId: link.hex(2) })),
  failed: span.message(15).number(3) === 2,
});

/** opentelemetry/proto/metrics/v1/metrics.proto, `Metric`: gauge 5, sum 7, histogram 9. */
function metricOf(metric: Message): ReceivedMetric {
  const numbers = [...metric.message(5).messages(1), ...metric.message(7).messages(1)].map((point) => ({
    attributes: attributesOf(point, 7),
    value: point.doubles(4)[0] ?? Number(point.fixed64(6)[0] ?? 0),
  }));
  const histograms = metric
    .message(9)
    .messages(1)
    .map((point) => ({
      attributes: attributesOf(point, 9),
      count: point.fixed64(4)[0] ?? 0,
      counts: point.fixed64(6),
      bounds: point.doubles(7),
    }));
  return { name: metric.text(1), unit: metric.text(3), points: [...numbers, ...histograms] };
}
