/**
 * Fetches a JSON document of an authorization server: bounded in size and time, and without following redirects.
 * @module
 */
import type { NetworkGuard } from '../../core/adapter.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { guardedAgent } from '../guarded-agent.ts';

const MAX_BYTES = 512 * 1024;
const TIMEOUT_MS = 5_000;

export interface FetchOptions {
  method?: 'POST';
  headers?: Readonly<Record<string, string>>;
  body?: URLSearchParams;
  /** Sockets connect to what it has checked. Undefined: the operator named the host. */
  guard?: NetworkGuard | undefined;
}

/** Another status than 200. */
export class UnexpectedStatus extends Error {
  readonly status: number;

  constructor(url: URL, status: number) {
    super(`${url.origin}${url.pathname} answered with HTTP status ${status}`);
    this.status = status;
  }
}

/** Rejects with an `Error` that says why, without what was received. */
export async function fetchJson(url: URL, { guard, ...options }: FetchOptions = {}): Promise<JsonObject> {
  const agent = guard && (await guardedAgent(guard, TIMEOUT_MS));
  try {
    return await fetched(url, options, agent ? { dispatcher: agent.dispatcher } : {});
  } finally {
    agent?.close();
  }
}

async function fetched(
  url: URL,
  { method, headers = {}, body }: FetchOptions,
  connections: object,
): Promise<JsonObject> {
  const response = await fetch(url, {
    ...connections,
    method: method ?? 'GET',
    headers: { accept: 'application/json', ...headers },
    // The address was configured or checked; the one it leads to was not.
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(body && { body }),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new UnexpectedStatus(url, response.status);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`${url.origin}${url.pathname} answered with more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  const value = parsed(Buffer.concat(chunks).toString());
  if (!isObject(value)) throw new Error(`${url.origin}${url.pathname} answered with something else than a JSON object`);
  return value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
