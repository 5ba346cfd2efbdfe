/**
 * Turns the checked `gateway.auth` into an {@link AuthConfig}.
 * @module
 */
import type { IssuerConfig, ScopeConfig } from '../core/token-issuer.ts';
import { bridgeConfig, checkSecure, grantRules } from './bridge-section.ts';
import type { JsonPath } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import type { AuthEntry } from './schema/auth-section.ts';
import type { AuthConfig } from './types.ts';

const BASE: JsonPath = ['gateway', 'auth', 'issuers'];

type IssuerEntry = AuthEntry['issuers'][number];

export function authConfig(entry: AuthEntry, publicUrl: string | undefined, findings: Findings): AuthConfig {
  const seen = new Set<string>();
  const issuers = entry.issuers.map((issuer, index) => {
    const path = [...BASE, index];
    if (seen.has(issuer.issuer)) findings.mistake([...path, 'issuer'], 'found an issuer that is there already');
    seen.add(issuer.issuer);
    return issuerConfig(issuer, path, findings);
  });
  for (const [index, { idJag }] of issuers.entries()) {
    if (idJag && !entry.bridge)
      findings.mistake([...BASE, index, 'idJag'], 'found true without gateway.auth.bridge, which redeems assertions');
  }
  const { bridge } = entry;
  if (bridge?.scopes) {
    const path = ['gateway', 'auth', 'bridge', 'scopes'];
    scopesOf(bridge.scopes, path, findings);
    if (Object.hasOwn(bridge.scopes, 'mcp')) findings.mistake([...path, 'mcp'], 'found mcp, which every token has');
  }
  return { issuers, bridge: bridge && bridgeConfig(bridge, publicUrl, findings) };
}

function issuerConfig(entry: IssuerEntry, path: JsonPath, findings: Findings): IssuerConfig {
  const { issuer, audience, jwksUri, introspection, grants, scopes } = entry;
  const url = checkSecure(issuer, [...path, 'issuer'], findings);
  // RFC 8414, section 2.
  if (url && (url.search !== '' || url.hash !== ''))
    findings.mistake(
      [...path, 'issuer'],
      'found a query or fragment; allowed: the URL of an issuer, which has neither',
    );
  if (jwksUri !== undefined) checkSecure(jwksUri, [...path, 'jwksUri'], findings);
  if (introspection?.endpoint !== undefined)
    checkSecure(introspection.endpoint, [...path, 'introspection', 'endpoint'], findings);
  if (introspection && jwksUri !== undefined)
    findings.mistake([...path, 'jwksUri'], 'found keys beside introspection; allowed: one of them');
  return {
    ...entry,
    audience: typeof audience === 'string' ? [audience] : (audience ?? []),
    grants: grantRules(grants),
    scopes: scopes && scopesOf(scopes, [...path, 'scopes'], findings),
  };
}

function scopesOf(
  entries: NonNullable<IssuerEntry['scopes']>,
  path: JsonPath,
  findings: Findings,
): Readonly<Record<string, ScopeConfig>> {
  for (const [name, { implies }] of Object.entries(entries)) {
    for (const [index, implied] of implies.entries()) {
      if (!Object.hasOwn(entries, implied))
        findings.mistake(
          [...path, name, 'implies', index],
          `found ${JSON.stringify(implied)}, which is none of scopes`,
        );
    }
  }
  return entries;
}
