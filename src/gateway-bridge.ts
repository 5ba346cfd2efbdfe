/**
 * The bridge authorization server of a gateway, made of its configuration. Loaded where one is configured, and only there.
 * @module
 */
import { adminToken } from './auth/admin-token.ts';
import { tokenCheck } from './auth/bearer.ts';
import { type Bridge, openBridge } from './auth/bridge/bridge.ts';
import { BASE_SCOPE, type BridgeOptions, type Counted, type OidcLogin, type Person } from './auth/bridge/options.ts';
import { bridgeSource } from './auth/bridge/source.ts';
import type { PersonCheck } from './auth/connect/person-check.ts';
import { grantRules, principalOf } from './auth/tokens/claims.ts';
import { scopeTable } from './auth/tokens/scopes.ts';
import type { TokenSource } from './auth/tokens/source.ts';
import type { AuthConfig, BridgeConfig, GatewayConfig } from './config/types.ts';
import type { NetworkGuard } from './core/adapter.ts';
import { SwitchboardError } from './core/errors.ts';
import { LOCAL_PRINCIPAL } from './core/identity.ts';
import type { Log } from './core/log.ts';
import { type AuthorizeHandler, createAuthorizeHandler, sendErrorPage } from './endpoint/authorize/authorize.ts';
import type { State } from './state/state.ts';
import type { JsonObject } from './wire/jsonrpc.ts';

export interface BridgeParts {
  gateway: GatewayConfig;
  adminToken: string | undefined;
  stateDir: string | undefined;
  state: State;
  guard(): NetworkGuard;
  log: Log;
}

const DAY_SECONDS = 86_400;

/** Rejects with `SWB_CONFIG` when people could not log in at all. */
export async function openGatewayBridge(
  { issuers }: AuthConfig,
  config: BridgeConfig,
  parts: BridgeParts,
): Promise<{ source: TokenSource; handler: AuthorizeHandler; check: PersonCheck | undefined }> {
  const { gateway, state, guard, log } = parts;
  const issuer = canonical(gateway.publicUrl as string);
  const { scopes } = config;
  // One that lacks all others still finds out what there is, and what it would need.
  const table = scopeTable({ scopes, requiredScopes: scopes ? [BASE_SCOPE] : [], audience: [] });
  const bridge = openBridge(
    {
      issuer,
      login: await loginOf(config, parts),
      clients: config.clients,
      registration: config.registration,
      metadataDocuments: config.metadataDocuments,
      scopes: [BASE_SCOPE, ...Object.keys(scopes ?? {})],
      accessTokenSeconds: config.accessTokenMinutes * 60,
      loginSeconds: config.loginDays * DAY_SECONDS,
      assertions: issuers
        .filter(({ idJag }) => idJag)
        .map((from) => ({ ...from, personOf: personRules(from.issuer, from, log) })),
      endpointOf: (resource) => endpointOf(resource, issuer),
      store: state.kv,
      secret: await state.secret('bridge'),
      count: (name, max, windowMs) => count(state, name, max, windowMs),
      guard,
      log,
    },
    sendErrorPage,
  );
  const check = checkBy(bridge, config, issuers);
  return { source: bridgeSource(bridge, table), handler: createAuthorizeHandler(bridge, log), check };
}

/** Undefined where people do not log in at a provider. */
function checkBy(bridge: Bridge, { login }: BridgeConfig, issuers: AuthConfig['issuers']): PersonCheck | undefined {
  if (login === 'admin-token') return undefined;
  // In access tokens of these a person has another subject than in the ID tokens by which they log in at the bridge.
  const differs = issuers.some(
    ({ issuer, quirks }) => issuer === login.issuer && (quirks === 'entra' || quirks === 'okta'),
  );
  return {
    at: new URL(login.issuer).host,
    knows: ({ principal, claims }) =>
      principal.startsWith(`${login.issuer}#`) && (!differs || claims.iss === bridge.issuer),
    begin: (page, browser) => bridge.beginCheck(page, browser),
  };
}

async function loginOf(config: BridgeConfig, parts: BridgeParts): Promise<BridgeOptions['login']> {
  const { login } = config;
  if (login !== 'admin-token') {
    const principal = (claims: Readonly<Record<string, unknown>>) => principalOf(login.issuer, claims as JsonObject);
    return { oidc: { ...login, principalOf: principal, personOf: personRules(login.issuer, login, parts.log) } };
  }
  const token = await adminToken(parts.adminToken, parts.stateDir, parts.log);
  if (token === undefined) {
    throw new SwitchboardError(
      'SWB_CONFIG',
      'gateway.auth.bridge logs in with the admin token, and there is none: set gateway.adminToken, or gateway.stateDir to keep one in.',
    );
  }
  // With a grant it is every holder of a key of that grant; without one, the local user.
  return { token: { isToken: tokenCheck(token), person: { principal: config.grant, grant: config.grant } } };
}

function personRules(issuer: string, rules: Parameters<typeof grantRules>[0], log: Log): OidcLogin['personOf'] {
  const grantOf = grantRules(rules);
  return (claims): Person | undefined => {
    const principal = principalOf(issuer, claims as JsonObject);
    const found = grantOf(claims as JsonObject);
    if (principal === undefined) return undefined;
    if ('refused' in found) {
      log.info({ principal }, `A person who logged in is given nothing: ${found.refused}.`);
      return undefined;
    }
    return { principal, grant: found.grant ?? LOCAL_PRINCIPAL };
  };
}

const ENDPOINT = /^\/(?:mcp|sse|v1|(?:servers|profiles)\/[^/]+\/(?:mcp|sse)|a2a(?:\/[^/]+\/[^/]+)?)$/;

/** Scheme and host in lower case, without a slash at the end: as endpoints are named. */
function canonical(text: string): string {
  const { origin, pathname } = new URL(text);
  return origin + pathname.replace(/\/+$/, '');
}

/** An address below the public one at which clients call, spelled as the gateway spells it; undefined for others. */
export function endpointOf(resource: string, publicUrl: string): string | undefined {
  const [url, base] = [URL.parse(resource), new URL(publicUrl)];
  if (!url || url.origin !== base.origin || url.search !== '' || url.hash !== '' || url.username !== '')
    return undefined;
  const path = base.pathname === '/' ? '' : base.pathname;
  if (!url.pathname.startsWith(path)) return undefined;
  const below = url.pathname.slice(path.length).replace(/\/$/, '');
  // The gateway's own address stands for its merged endpoint.
  if (below === '') return `${publicUrl}/mcp`;
  return ENDPOINT.test(below) ? publicUrl + below : undefined;
}

/** One more of this name, for all replicas together. */
async function count(state: State, name: string, max: number, windowMs: number): Promise<Counted | undefined> {
  const taken = await state.counters.reserve([{ key: `bridge ${name}`, windowMs, sliding: true, max, amount: 1 }]);
  return taken.granted ? taken : undefined;
}
