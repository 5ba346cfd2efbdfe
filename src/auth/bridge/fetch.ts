/**
 * Requests of the bridge to addresses that a client or the configuration names: bounded in size and time, redirects refused. An
 * address that a client named passes the network guard, and its socket connects to what was checked.
 * @module
 */
import { Agent, fetch as undiciFetch } from 'undici';
import type { NetworkGuard } from '../../core/adapter.ts';

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 256 * 1024;

export interface BoundedFetchOptions {
  /** Undefined: the operator configured the address. */
  guard?: (() => NetworkGuard) | undefined;
  /** A URL the operator configured: its host is not asked about. What its metadata name elsewhere is. */
  configured?: string | undefined;
}

/** A `fetch` that rejects for what is out of bounds. The reply is read whole before it resolves. */
export function boundedFetch({
  guard,
  configured,
}: BoundedFetchOptions = {}): (url: string | URL, init?: RequestInit) => Promise<Response> {
  const own = configured === undefined ? undefined : new URL(configured).hostname;
  return async (url, init = {}) => {
    const target = new URL(url);
    const checks = target.hostname === own ? undefined : guard?.();
    await checks?.check(target);
    const dispatcher = new Agent({
      ...(checks ? { connect: { lookup: checks.lookup, timeout: TIMEOUT_MS } } : { connect: { timeout: TIMEOUT_MS } }),
      maxResponseSize: MAX_BYTES,
    });
    try {
      const { method = 'GET', headers, body } = init;
      const reply = await undiciFetch(target.href, {
        method,
        ...(headers ? { headers: [...new Headers(headers)] } : {}),
        ...(body == null ? {} : { body: typeof body === 'string' ? body : String(body) }),
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
        dispatcher,
      });
      if (reply.status >= 300 && reply.status < 400) throw new Error('The address redirects, which is not followed.');
      const bytes = await reply.arrayBuffer();
      const bodiless = reply.status === 204 || reply.status === 205 || reply.status === 304;
      return new Response(bodiless ? null : bytes, { status: reply.status, headers: [...reply.headers] });
    } finally {
      void dispatcher.destroy();
    }
  };
}
