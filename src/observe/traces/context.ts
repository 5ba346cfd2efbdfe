/**
 * W3C Trace Context in `_meta` and in HTTP headers (SEP-414): read from clients, written towards servers.
 * @module
 */
import { createTraceState, isSpanContextValid, type SpanContext } from '@opentelemetry/api';
import type { JsonObject } from '../../wire/jsonrpc.ts';

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** Longest that has to be passed on (W3C Trace Context, 3.3.1.5). */
const MAX_TRACESTATE = 512;

/** Undefined for a context that is none, or malformed: it is left out, as the recommendation says. */
export function readContext(traceparent: unknown, tracestate: unknown): SpanContext | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > MAX_TRACESTATE) return undefined;
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(traceparent.trim()) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  // Later versions may add members; version 00 has none, and ff is none.
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  const context: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  if (!isSpanContextValid(context)) return undefined;
  if (typeof tracestate !== 'string' || tracestate === '' || tracestate.length > MAX_TRACESTATE) return context;
  return { ...context, traceState: createTraceState(tracestate) };
}

/** A copy of the params that says this context. Everything else in `_meta`, baggage too, stays the client's. */
export function withContext(params: JsonObject, { traceId, spanId, traceFlags, traceState }: SpanContext): JsonObject {
  const { traceparent: _, tracestate: __, ...rest } = (params._meta ?? {}) as JsonObject;
  const flags = (traceFlags & 1).toString(16).padStart(2, '0');
  const meta: JsonObject = { ...rest, traceparent: `00-${traceId}-${spanId}-${flags}` };
  const state = traceState?.serialize();
  if (state) meta.tracestate = state;
  return { ...params, _meta: meta };
}
