/**
 * `fetch` for what an upstream names: metadata, registration and token endpoints. The addresses come from the server, so each
 * is asked of the network guard unless the operator named its host, sockets go to the addresses that were checked, nothing is
 * followed anywhere by itself, and size and time are bounded. It calls the global `fetch` of the moment.
 * @module
 */
import type { NetworkGuard } from '../../core/adapter.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { networkReason } from '../../core/network-errors.ts';
import { guardedAgent } from '../guarded-agent.ts';

export interface Fetch {
  (url: string | URL, init?: RequestInit): Promise<Response>;
  /** Rejects where a person's browser is not to be sent to this address, as a request of the gateway's own would not be. */
  admit(url: URL): Promise<void>;
}

export interface GuardedFetchOptions {
  /** The server whose login this is, for messages. */
  readonly server: string;
  /** A guard of its own for each request. */
  guard(): NetworkGuard;
  /** Lower-case host names the operator wrote himself: not asked of the guard. */
  readonly trustedHosts: ReadonlySet<string>;
  /** Of one request, in milliseconds. Default: 15 s. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 15_000;
/** Documents of issuers have a few kilobytes, and those with many keys some tens. */
export const MAX_DOCUMENT_BYTES = 256 * 1024;

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Rejects with a `SwitchboardError` where an address is refused, a `TypeError` as `fetch` does where it cannot be reached. */
export function guardedFetch(options: GuardedFetchOptions): Fetch {
  const admit = async (url: URL): Promise<NetworkGuard | undefined> => {
    requireSafe(url, options);
    const guard = options.trustedHosts.has(url.hostname) ? undefined : options.guard();
    await guard?.check(url);
    return guard;
  };
  const guarded = async (input: string | URL, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(input);
    const guard = await admit(url);
    const agent = guard && (await guardedAgent(guard, TIMEOUT_MS));
    const signals = [AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS), ...(init.signal ? [init.signal] : [])];
    const request = { ...init, redirect: 'manual', signal: AbortSignal.any(signals) } as RequestInit;
    if (agent) Object.assign(request, { dispatcher: agent.dispatcher });
    try {
      const response = await globalThis.fetch(url, request);
      return await whole(response, options.server);
    } catch (error) {
      if (error instanceof SwitchboardError) throw error;
      throw unreachable(options.server, error);
    } finally {
      agent?.close();
    }
  };
  return Object.assign(guarded, { admit: async (url: URL) => void (await admit(url)) });
}

/** Tokens and codes travel there, and must not be read on the way. */
function requireSafe(
  { protocol, hostname, username, password }: URL,
  { server, trustedHosts }: GuardedFetchOptions,
): void {
  const isEncrypted = protocol === 'https:';
  const isNear = protocol === 'http:' && (LOOPBACK.test(hostname) || trustedHosts.has(hostname));
  if ((isEncrypted || isNear) && username === '' && password === '') return;
  throw new SwitchboardError(
    'SWB_LOGIN_FAILED',
    `The authorization server of server '${server}' has an address that is not https.`,
    { data: { server } },
  );
}

async function whole(response: Response, server: string): Promise<Response> {
  const { status, headers, body } = response;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_DOCUMENT_BYTES) {
      throw new SwitchboardError(
        'SWB_LOGIN_FAILED',
        `The authorization server of server '${server}' answers with over ${MAX_DOCUMENT_BYTES} bytes.`,
        { data: { server } },
      );
    }
    chunks.push(chunk);
  }
  const hasBody = status !== 204 && status !== 205 && status !== 304;
  const kept = new Headers(headers);
  // The body is decoded already.
  for (const name of ['content-encoding', 'content-length', 'set-cookie']) kept.delete(name);
  return new Response(hasBody ? Buffer.concat(chunks) : null, { status, headers: kept });
}

/** As `fetch` fails, so that the SDK takes it for a network failure and looks no further. The message names no address. */
function unreachable(server: string, error: unknown): TypeError {
  const reason = networkReason(error) ?? (isTimeout(error) ? 'it did not answer in time' : 'the connection failed');
  return new TypeError(`The authorization server of server '${server}' is not reachable: ${reason}.`, { cause: error });
}

const isTimeout = (error: unknown): boolean => error instanceof DOMException && error.name === 'TimeoutError';
