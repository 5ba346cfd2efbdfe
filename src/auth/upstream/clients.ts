/**
 * As whom the gateway shows itself to an authorization server: the client id of the configuration, its client id metadata
 * document, or dynamic registration, in this order. What one issuer gave is shown to no other.
 * @module
 */
import type { OAuthClientMetadata } from '@modelcontextprotocol/client';
import type { CredentialServer } from '../../core/credentials.ts';
import { PRODUCT } from '../../core/product.ts';
import type { Authority } from './authority.ts';
import { flowFailure, loginFailed, oauthFailureIn } from './failures.ts';
import type { Fetch } from './guarded-fetch.ts';
import { sdk } from './sdk.ts';
import { CALLBACK_PATH, CLIENT_METADATA_PATH } from './types.ts';
import type { StoredClient, Vault } from './vault.ts';

export interface ClientRequest {
  readonly server: CredentialServer;
  readonly authority: Authority;
  readonly redirectUri: string;
  readonly scope: string | undefined;
  /** Where clients reach the gateway; with https it has a metadata document there. */
  readonly publicUrl: string | undefined;
  readonly fetch: Fetch;
}

export async function clientFor(vault: Vault, request: ClientRequest): Promise<StoredClient> {
  const { server, authority, redirectUri, publicUrl, scope } = request;
  const { issuer, metadata } = authority;
  const configured = await configuredClient(vault, server, issuer);
  if (configured) return configured;
  const known = await vault.client(issuer, redirectUri);
  if (known && !isExpired(known) && mayAskFor(known, scope)) return known;
  const document = clientMetadataUrl(publicUrl);
  if (document !== undefined && metadata?.client_id_metadata_document_supported === true) {
    if (redirectUri === publicUrl + CALLBACK_PATH) return { client_id: document, token_endpoint_auth_method: 'none' };
  }
  if (metadata && metadata.registration_endpoint === undefined) {
    throw loginFailed(
      server.name,
      'its authorization server registers no clients by itself; the operator can register the gateway there and set auth.clientId',
      'registration',
    );
  }
  return register(vault, request);
}

async function register(
  vault: Vault,
  { server, authority, redirectUri, scope, fetch }: ClientRequest,
): Promise<StoredClient> {
  const { registerClient, RegistrationRejectedError, resolveClientMetadata } = await sdk();
  const { issuer, metadata } = authority;
  const clientMetadata = resolveClientMetadata({
    redirectUrl: redirectUri,
    clientMetadata: { ...describe(redirectUri), ...methodFor(metadata?.token_endpoint_auth_methods_supported) },
  });
  try {
    const made = await registerClient(issuer, {
      ...(metadata ? { metadata } : {}),
      clientMetadata,
      ...(scope === undefined ? {} : { scope }),
      fetchFn: fetch,
    });
    const { client_id, client_secret, client_secret_expires_at, token_endpoint_auth_method } = made;
    const registered = { client_id, client_secret, client_secret_expires_at, token_endpoint_auth_method };
    const client = { ...registered, scope: made.scope ?? scope };
    await vault.keepClient(issuer, redirectUri, client);
    return client;
  } catch (error) {
    const refusal = error instanceof RegistrationRejectedError ? oauthFailureIn(error.status, error.body) : error;
    throw flowFailure(server.name, 'its authorization server did not register the gateway', refusal);
  }
}

/**
 * The client of the entry, for one issuer: that of the entry, or the first it was used with. A client id that is a URL is a
 * metadata document, which is good at every issuer (2026-07-28 client-registration, "Authorization Server Binding").
 */
export async function configuredClient(
  vault: Vault,
  { name, auth }: CredentialServer,
  issuer: string,
): Promise<StoredClient | undefined> {
  if (auth?.clientId === undefined) return undefined;
  const client = { client_id: auth.clientId, client_secret: auth.clientSecret };
  const isDocument =
    auth.clientSecret === undefined && auth.privateKey === undefined && auth.clientId.startsWith('https://');
  if (isDocument) return { ...client, token_endpoint_auth_method: 'none' };
  if (auth.issuer !== undefined) {
    if (auth.issuer === issuer) return client;
    throw loginFailed(name, 'it names another authorization server than auth.issuer in its entry', 'issuer');
  }
  const place = `configured\n${name}\n${auth.clientId}`;
  const bound = await vault.client(place, '');
  if (!bound) await vault.keepClient(place, '', { client_id: issuer });
  else if (bound.client_id !== issuer) {
    throw loginFailed(
      name,
      'it names another authorization server than the one its client id was used with; set auth.issuer in its entry if that is right',
      'issuer',
    );
  }
  return client;
}

/** Some issuers bind a client to the scopes it was registered with: one that lacks some is registered anew. */
function mayAskFor({ scope: registered }: StoredClient, scope: string | undefined): boolean {
  if (registered === undefined || scope === undefined) return true;
  const allowed = new Set(registered.split(' '));
  return scope.split(' ').every((each) => allowed.has(each));
}

/** Secrets of registered clients may expire; 0 means never. */
const isExpired = ({ client_secret_expires_at: at }: StoredClient): boolean =>
  at !== undefined && at > 0 && at * 1_000 <= Date.now();

/** Public clients are registered only where nothing else is taken. */
const methodFor = (methods: readonly string[] | undefined): Partial<OAuthClientMetadata> =>
  methods && methods.length > 0 && methods.every((method) => method === 'none')
    ? { token_endpoint_auth_method: 'none' }
    : {};

const describe = (redirectUri: string): OAuthClientMetadata => ({
  client_name: 'Switchboard',
  software_id: PRODUCT.name,
  software_version: PRODUCT.version,
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
});

/** Where the gateway's client id metadata document is; undefined where it has no https address. */
export const clientMetadataUrl = (publicUrl: string | undefined): string | undefined =>
  publicUrl?.startsWith('https://') ? publicUrl + CLIENT_METADATA_PATH : undefined;

/** The document at {@link clientMetadataUrl}: what the gateway is as a client. */
export function clientMetadataDocument(publicUrl: string | undefined): Record<string, unknown> | undefined {
  const url = clientMetadataUrl(publicUrl);
  if (url === undefined) return undefined;
  return {
    client_id: url,
    client_uri: publicUrl,
    ...describe(publicUrl + CALLBACK_PATH),
    application_type: 'web',
    token_endpoint_auth_method: 'none',
  };
}
