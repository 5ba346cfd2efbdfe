/**
 * The part of a gateway on which people log in to servers: the pages, and the way from a call to them.
 * @module
 */
import { LoginPages } from './auth/connect/login-pages.ts';
import type { PersonCheck } from './auth/connect/person-check.ts';
import { ConnectRequests } from './auth/connect/requests.ts';
import type { Logins } from './auth/upstream/types.ts';
import type { ConnectOptions } from './endpoint/connect/connect.ts';
import { isLoopback } from './endpoint/http/guard.ts';
import type { Address } from './endpoint/http/server.ts';
import type { State } from './state/state.ts';

export interface GatewayConnect {
  pages: LoginPages;
  requests: ConnectRequests;
  /** For the HTTP endpoint. */
  options: ConnectOptions;
}

/** Where browsers of this machine reach an endpoint; undefined unless it listens on loopback. */
export function localBase(listening: Address | undefined): string | undefined {
  if (!listening || !isLoopback(listening.host)) return undefined;
  const { host, port, path } = listening;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
}

/** `base`: where browsers reach the gateway. `secret`: of codes, cookies and forms. `check`: who is at a browser. */
export function gatewayConnect(
  logins: Logins,
  { kv }: Pick<State, 'kv'>,
  secret: Buffer,
  base: () => string | undefined,
  ready: (server: string) => Promise<void>,
  check: PersonCheck | undefined,
): GatewayConnect {
  const requests = new ConnectRequests(kv, secret);
  const pages = new LoginPages({ logins, requests, base, ready, check });
  return { pages, requests, options: { logins, requests, secret, base, ready, check, shown: (id) => pages.shown(id) } };
}
