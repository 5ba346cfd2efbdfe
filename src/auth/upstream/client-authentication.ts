/**
 * How the gateway proves who it is in a request of its own making to an authorization server (RFC 6749, 2.3), by the method the
 * SDK chooses for requests it makes.
 * @module
 */
import type { AddClientAuthentication, AuthorizationServerMetadata } from '@modelcontextprotocol/client';
import type { ServerAuth } from '../../core/server-auth.ts';
import { type Sdk, sdk } from './sdk.ts';
import type { StoredClient } from './vault.ts';

export interface ClientProof {
  readonly client: StoredClient;
  /** Those the metadata of the issuer name. */
  readonly methods: unknown;
  /** The entry of the server, whose key is used where it has one. */
  readonly auth: ServerAuth | undefined;
  readonly endpoint: string;
  readonly issuer: string;
}

/** Adds what shows the client to headers or form. */
export async function authenticate(
  { client, methods, auth, endpoint, issuer }: ClientProof,
  headers: Record<string, string>,
  form: URLSearchParams,
): Promise<void> {
  const oauth = await sdk();
  const assertion = clientAssertion(oauth, auth);
  if (assertion) {
    await assertion(new Headers(), form, endpoint, { issuer } as AuthorizationServerMetadata);
    return;
  }
  const { client_id, client_secret = '' } = client;
  const method = oauth.selectClientAuthMethod(client, Array.isArray(methods) ? methods : []);
  if (method === 'client_secret_basic') {
    const pair = [client_id, client_secret].map(encodeURIComponent).join(':');
    headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
    return;
  }
  form.set('client_id', client_id);
  if (method === 'client_secret_post') form.set('client_secret', client_secret);
}

/** `private_key_jwt` (RFC 7523, 2.2) for a client whose entry has a key; undefined where it has none. */
export function clientAssertion(
  { createPrivateKeyJwtAuth }: Pick<Sdk, 'createPrivateKeyJwtAuth'>,
  auth: ServerAuth | undefined,
): AddClientAuthentication | undefined {
  if (auth?.privateKey === undefined || auth.clientId === undefined) return undefined;
  const { privateKey, clientId, algorithm: alg = 'ES256' } = auth;
  return createPrivateKeyJwtAuth({ issuer: clientId, subject: clientId, privateKey, alg });
}
