/**
 * Turns the checked `gateway.auth.bridge` into a {@link BridgeConfig}.
 * @module
 */
import type { GrantRule } from '../core/token-issuer.ts';
import type { JsonPath } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import type { AuthEntry } from './schema/auth-section.ts';
import type { BridgeConfig } from './types.ts';
import { isLoopbackHost } from './urls.ts';

const BASE: JsonPath = ['gateway', 'auth', 'bridge'];

type BridgeEntry = NonNullable<AuthEntry['bridge']>;

export function bridgeConfig(entry: BridgeEntry, publicUrl: string | undefined, findings: Findings): BridgeConfig {
  checkPublicUrl(publicUrl, BASE, findings);
  const { login } = entry;
  if (login !== 'admin-token') {
    checkSecure(login.issuer, [...BASE, 'login', 'issuer'], findings);
    if (!login.scopes.includes('openid')) findings.mistake([...BASE, 'login', 'scopes'], 'found no "openid"');
  }
  const seen = new Set<string>();
  for (const [index, { id, secret, redirectUris, grant }] of entry.clients.entries()) {
    const path = [...BASE, 'clients', index];
    if (seen.has(id)) findings.mistake([...path, 'id'], 'found a client that is there already');
    seen.add(id);
    if (grant !== undefined && secret === undefined)
      findings.mistake([...path, 'grant'], 'found a grant of its own without a secret to prove who it is');
    for (const [at, uri] of redirectUris.entries()) checkRedirect(uri, [...path, 'redirectUris', at], findings);
  }
  return {
    ...entry,
    login: login === 'admin-token' ? login : { ...login, grants: grantRules(login.grants) },
    clients: entry.clients.map(({ id, name = id, ...rest }) => ({ id, name, ...rest })),
  };
}

/** People log in below this address, and come back to it. */
export function checkPublicUrl(publicUrl: string | undefined, path: JsonPath, findings: Findings): void {
  const url = publicUrl === undefined ? undefined : URL.parse(publicUrl);
  if (!url) {
    findings.mistake(
      path,
      'found no gateway.publicUrl beside it; allowed: with the address at which clients reach the gateway',
    );
  } else if (url.protocol !== 'https:' && !isLoopbackHost(url.hostname)) {
    findings.mistake(path, 'found an http gateway.publicUrl; allowed: https, or http on this machine alone');
  }
}

function checkRedirect(text: string, path: JsonPath, findings: Findings): void {
  const url = URL.parse(text);
  if (!url || text.includes('#')) findings.mistake(path, 'found no absolute URI without a fragment');
  else if (url.protocol === 'http:' && !isLoopbackHost(url.hostname))
    findings.mistake(path, 'found an http URI; allowed: https, http on loopback, or the scheme of an app');
}

export const grantRules = (rules: readonly { claim: string; value: string | string[]; grant: string }[]): GrantRule[] =>
  rules.map(({ value, ...rule }) => ({ ...rule, values: typeof value === 'string' ? [value] : value }));

/** Keys and secrets travel to these addresses. */
export function checkSecure(text: string, path: JsonPath, findings: Findings): URL | undefined {
  const url = URL.parse(text);
  if (!url) return undefined;
  if (url.protocol !== 'https:' && !isLoopbackHost(url.hostname))
    findings.mistake(path, 'found an http URL; allowed: https, or http on this machine alone');
  if (url.username !== '' || url.password !== '') findings.mistake(path, 'found credentials in the URL');
  return url;
}
