/**
 * Spans of OpenTelemetry's conventions for MCP: SERVER for a client's request, CLIENT for each request to a server that is
 * made for it. The parent is what the client says in `_meta`; the context of the HTTP request is a link.
 *
 * No span holds arguments, results, resource URIs (which may be made of arguments), session ids, messages of errors or
 * headers. The first three are there where the operator asks for content.
 * @module
 */
import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import {
  ATTRIBUTE,
  errorTypeOf,
  methodOf,
  networkOf,
  revisionOf,
  statusOf,
  subjectLabels,
} from '../metrics/vocabulary.ts';
import { readContext, withContext } from './context.ts';
import type { Outcome, RequestTrace, ResultOf, SendTrace, TracedRequest, TracedSend, Tracing } from './types.ts';

/** Most characters of arguments or of a result. */
const MAX_CONTENT = 8_192;

const URI = 'mcp.resource.uri';
const ARGUMENTS = 'gen_ai.tool.call.arguments';
const RESULT = 'gen_ai.tool.call.result';

export class OtelTracing implements Tracing {
  readonly #tracer: Tracer;
  readonly #content: boolean;

  /** `content`: arguments, results and resource URIs are recorded too. */
  constructor(tracer: Tracer, content: boolean) {
    this.#tracer = tracer;
    this.#content = content;
  }

  begin({ method, id, params, caller, http }: TracedRequest): RequestTrace {
    const known = methodOf(method);
    const meta = isObject(params._meta) ? params._meta : {};
    const parent = readContext(meta.traceparent, meta.tracestate);
    const context = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
    const span = this.#tracer.startSpan(
      known,
      {
        kind: SpanKind.SERVER,
        attributes: defined({
          [ATTRIBUTE.method]: known,
          [ATTRIBUTE.requestId]: String(id).slice(0, 64),
          [ATTRIBUTE.protocol]: revisionOf(caller.protocolVersion),
          [ATTRIBUTE.transport]: http && 'tcp',
        }),
        links: http ? linksOf(http.headers) : [],
      },
      context,
    );
    return new OtelRequest(this.#tracer, span, trace.setSpan(ROOT_CONTEXT, span), known, this.#content);
  }
}

function linksOf(headers: Readonly<Record<string, string | string[] | undefined>>): Link[] {
  const context = readContext(headers.traceparent, headers.tracestate);
  return context ? [{ context }] : [];
}

class OtelRequest implements RequestTrace {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: Context;
  readonly #method: string;
  readonly #content: boolean;

  constructor(tracer: Tracer, span: Span, context: Context, method: string, content: boolean) {
    this.#tracer = tracer;
    this.#span = span;
    this.#context = context;
    this.#method = method;
    this.#content = content;
  }

  send(request: TracedSend): SendTrace {
    const { method, name, params, server, transport, protocolVersion, url } = request;
    const known = methodOf(method);
    const at = url === undefined ? null : URL.parse(url);
    const span = this.#tracer.startSpan(
      nameOf(known, name),
      {
        kind: SpanKind.CLIENT,
        attributes: defined({
          [ATTRIBUTE.method]: known,
          ...subjectLabels(known, name),
          [ATTRIBUTE.server]: server,
          [ATTRIBUTE.transport]: networkOf(transport),
          [ATTRIBUTE.protocol]: revisionOf(protocolVersion),
          [ATTRIBUTE.address]: at?.hostname,
          [ATTRIBUTE.port]: at && portOf(at),
          ...(this.#content ? contentOf(params) : {}),
        }),
      },
      this.#context,
    );
    return new OtelSend(span, params);
  }

  end(outcome: Outcome & { server: string | undefined; name: string | undefined; result: ResultOf }): void {
    const { server, name, result } = outcome;
    if (this.#span.isRecording()) {
      if (name !== undefined) this.#span.updateName(nameOf(this.#method, name));
      this.#span.setAttributes(
        defined({
          ...subjectLabels(this.#method, name),
          [ATTRIBUTE.server]: server,
          ...(this.#content && this.#method === 'tools/call' ? { [RESULT]: resultText(result) } : {}),
        }),
      );
    }
    end(this.#span, outcome);
  }
}

class OtelSend implements SendTrace {
  readonly params: JsonObject;
  readonly #span: Span;

  constructor(span: Span, params: JsonObject) {
    this.#span = span;
    this.params = withContext(params, span.spanContext());
  }

  end(outcome: Outcome): void {
    end(this.#span, outcome);
  }
}

function end(span: Span, { error, toolError }: Outcome): void {
  const type = errorTypeOf(error, toolError);
  if (type !== undefined) {
    span.setAttributes(defined({ [ATTRIBUTE.error]: type, [ATTRIBUTE.status]: statusOf(type) }));
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

const nameOf = (method: string, name: string | undefined): string =>
  name === undefined ? method : `${method} ${name}`;

const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443, 'mqtt:': 1883, 'mqtts:': 8883 };

const portOf = ({ port, protocol }: URL): number | undefined => (port === '' ? PORTS[protocol] : Number(port));

/** What policy lets the server have: it has redacted before. */
function contentOf(params: JsonObject): Record<string, string | undefined> {
  const { uri, arguments: args } = params;
  return {
    [URI]: typeof uri === 'string' ? uri.slice(0, MAX_CONTENT) : undefined,
    [ARGUMENTS]: args === undefined ? undefined : JSON.stringify(args).slice(0, MAX_CONTENT),
  };
}

/** As the client receives it. */
function resultText(result: ResultOf): string | undefined {
  if (!result) return undefined;
  const text = 'raw' in result ? result.raw.toString('utf8', 0, 4 * MAX_CONTENT) : JSON.stringify(result.value);
  return text.slice(0, MAX_CONTENT);
}

function defined(values: Readonly<Record<string, string | number | null | undefined>>): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null) attributes[name] = value;
  }
  return attributes;
}
