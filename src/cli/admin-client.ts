/**
 * A client of the running gateway's administration API, for `approvals`, `connections`, `top` and `logs`.
 * @module
 */
import { isIPv6 } from 'node:net';
import { Agent, request } from 'undici';
import { readAdminToken } from '../auth/admin-token.ts';
import { ERROR_TABLE, type ErrorCode, SwitchboardError } from '../core/errors.ts';
import type { ApprovalJson } from '../endpoint/admin/approvals.ts';
import type { ConnectionJson, PageJson, Whose } from '../endpoint/admin/connections.ts';
import type { LoadedConfig } from '../load-config.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { UsageError } from './exit.ts';
import { findRunning } from './running-gateway.ts';

/** An approval as a list shows it. */
export type ListedApproval = Omit<ApprovalJson, 'arguments' | 'argumentsShortened'>;

export interface AdminClient {
  list(state: string): Promise<ListedApproval[]>;
  show(id: string): Promise<ApprovalJson>;
  decide(id: string, effect: 'approve' | 'deny', words: { by: string; note?: string }): Promise<ApprovalJson>;
  connections(principal: string | undefined): Promise<ConnectionJson[]>;
  connect(server: string, whose: Whose): Promise<PageJson>;
  pageState(id: string): Promise<string>;
  revoke(principal: string, server: string): Promise<boolean>;
}

const TIMEOUT_MS = 10_000;
/** The gateway asks the server first, and the server's authorization server. */
const LOGIN_TIMEOUT_MS = 60_000;
const MAX_REPLY_BYTES = 4 * 1024 * 1024;

/** `url` overrides where the gateway of the configuration listens. Rejects with `SWB_CONFIG` when there is no admin token. */
export async function adminClient(
  config: LoadedConfig,
  url: string | undefined,
  signal: AbortSignal,
): Promise<AdminClient> {
  const { origin, token } = await adminAccess(config, url);

  async function send(
    method: 'GET' | 'POST',
    path: string,
    body?: JsonObject,
    timeoutMs = TIMEOUT_MS,
  ): Promise<JsonObject> {
    const { status, text } = await exchange(method, path, body, timeoutMs);
    const value = parse(text);
    if (status === 200 && value) return value;
    throw errorOf(status, value, origin);
  }

  async function exchange(method: 'GET' | 'POST', path: string, body: JsonObject | undefined, timeoutMs: number) {
    const limits = new Agent({ headersTimeout: timeoutMs, bodyTimeout: timeoutMs, maxResponseSize: MAX_REPLY_BYTES });
    try {
      const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) };
      const sent = body === undefined ? null : JSON.stringify(body);
      const options = { method, headers, body: sent, signal, dispatcher: limits };
      const reply = await request(`${origin}/admin${path}`, options);
      return { status: reply.statusCode, text: await reply.body.text() };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw new SwitchboardError(
        'SWB_CONNECT_FAILED',
        `No gateway answers at ${origin}. Start it with 'switchboard serve', or say where it listens with --url.`,
        { cause: error },
      );
    } finally {
      await limits.destroy();
    }
  }

  return {
    list: async (state) => (await send('GET', `/approvals?state=${state}`)).approvals as ListedApproval[],
    show: async (id) => (await send('GET', `/approvals/${encodeURIComponent(id)}`)).approval as ApprovalJson,
    decide: async (id, effect, words) =>
      (await send('POST', `/approvals/${encodeURIComponent(id)}/${effect}`, words)).approval as ApprovalJson,
    connections: async (principal) => {
      const query = principal === undefined ? '' : `?${new URLSearchParams({ principal })}`;
      return (await send('GET', `/api/connections${query}`)).connections as ConnectionJson[];
    },
    connect: async (server, { grant, principal }) => {
      const whose = { ...(grant !== undefined && { grant }), ...(principal !== undefined && { principal }) };
      const page = await send('POST', '/api/connections/connect', { server, ...whose }, LOGIN_TIMEOUT_MS);
      return page as unknown as PageJson;
    },
    pageState: async (id) => String((await send('GET', `/api/connections/pages/${id}`)).state),
    revoke: async (principal, server) =>
      (await send('POST', '/api/connections/revoke', { principal, server })).revoked === true,
  };
}

/** Where the administration is, and what opens it. Rejects with `SWB_CONFIG` when there is no admin token. */
export async function adminAccess(
  config: LoadedConfig,
  url: string | undefined,
): Promise<{ origin: string; token: string }> {
  const running = url === undefined ? await findRunning(config) : undefined;
  const origin = url !== undefined ? originIn(url) : running ? new URL(running.url).origin : originOf(config);
  return { origin, token: config.policy?.adminToken ?? (await storedToken(config)) };
}

/** Where a gateway of this configuration listens, seen from this machine. */
function originOf({ gateway: { host, port } }: LoadedConfig): string {
  if (port === 0) {
    throw new UsageError(
      'gateway.port is 0, so the gateway listens somewhere else at each start: say where with --url.',
    );
  }
  // A gateway that listens on all addresses answers on loopback.
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}`;
}

function originIn(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new UsageError('--url is the address of the gateway, such as http://127.0.0.1:7300.');
  }
  return parsed.origin;
}

async function storedToken({ gateway: { stateDir } }: LoadedConfig): Promise<string> {
  const token = stateDir === undefined ? undefined : await readAdminToken(stateDir);
  if (token !== undefined) return token;
  const where =
    stateDir === undefined
      ? 'gateway.adminToken is not set and gateway.stateDir is off, so the gateway has none either'
      : `gateway.adminToken is not set and there is none in the state folder ${stateDir}; a gateway makes it when it starts`;
  throw new SwitchboardError('SWB_CONFIG', `There is no admin token: ${where}.`);
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The gateway's error, or one that says what answers instead of a gateway. */
export function errorOf(status: number, reply: JsonObject | undefined, origin: string): SwitchboardError {
  const error = isObject(reply?.error) ? reply.error : {};
  const { message, code, ...data } = error;
  if (code === 'SWB_UNAUTHENTICATED') {
    return new SwitchboardError(
      'SWB_UNAUTHENTICATED',
      `The gateway at ${origin} has another admin token than this configuration.`,
    );
  }
  if (typeof message === 'string' && isErrorCode(code)) return new SwitchboardError(code, message, { data });
  if (status === 404) {
    return new SwitchboardError(
      'SWB_CONFIG',
      `What answers at ${origin} has no administration API: it runs without an admin token.`,
    );
  }
  return new SwitchboardError(
    'SWB_CONNECT_FAILED',
    `What answers at ${origin} is no gateway. Say where it listens with --url.`,
  );
}

const isErrorCode = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(ERROR_TABLE, code);
