/**
 * Who may use the gateway: keys, its token, and access tokens of the configured issuers, side by side.
 * @module
 */
import { gatewayAuthenticator, type Keys } from './auth/authenticators.ts';
import { BASE_SCOPE } from './auth/bridge/options.ts';
import { advertised } from './auth/tokens/scopes.ts';
import type { TokenSource } from './auth/tokens/source.ts';
import { besideKeys } from './auth/tokens/token-authenticator.ts';
import type { GatewayConfig } from './config/types.ts';
import type { NetworkGuard } from './core/adapter.ts';
import type { Authenticator } from './core/identity.ts';
import { checkBasePath } from './endpoint/http/mount.ts';
import { ProtectedResources } from './endpoint/http/resources.ts';

export interface GatewayTokens {
  sources: readonly TokenSource[];
  resources: ProtectedResources;
}

/**
 * Undefined where no access token is accepted: then nothing that verifies them is loaded. `bridge`: the tokens of the gateway's own
 * authorization server, if there is one.
 */
export async function tokensOf(
  { auth, publicUrl }: Pick<GatewayConfig, 'auth' | 'publicUrl'>,
  basePath: string | undefined,
  guard: () => NetworkGuard,
  bridge?: TokenSource,
): Promise<GatewayTokens | undefined> {
  const issuers = auth?.issuers ?? [];
  const own = bridge ? [bridge] : [];
  if (issuers.length === 0 && own.length === 0) return undefined;
  const { issuerSource } = await import('./auth/tokens/source.ts');
  const ofBridge = bridge && auth?.bridge?.scopes ? [BASE_SCOPE] : [];
  const scopes = [
    ...ofBridge,
    ...issuers.flatMap((issuer) => issuer.requiredScopes.map((scope) => advertised(scope, issuer))),
  ];
  return {
    sources: [...own, ...issuers.map((issuer) => issuerSource(issuer, { guard: guard() }))],
    resources: new ProtectedResources({
      publicUrl,
      basePath: checkBasePath(basePath),
      // Clients take the first: any of them can log in at the gateway's own.
      authorizationServers: [...own, ...issuers].map(({ issuer }) => issuer),
      scopes: [...new Set(scopes)],
    }),
  };
}

export function authenticatorOf(
  { token, keyHeaders }: Pick<GatewayConfig, 'token' | 'keyHeaders'>,
  tokens: GatewayTokens | undefined,
  keys: Keys | undefined,
  localKey: string | undefined,
): Authenticator {
  const own = gatewayAuthenticator(token, keys, keyHeaders, localKey, tokens !== undefined);
  return tokens ? besideKeys(own, { sources: tokens.sources, addressOf: tokens.resources.addressOf, keys }) : own;
}
