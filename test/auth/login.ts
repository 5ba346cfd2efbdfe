/**
 * A person at a client: the providers of both official SDKs, whose browser follows the authorization URL by itself.
 * @module
 */
import type { OAuthClientProvider as ProviderV2 } from '@modelcontextprotocol/client';
import type { OAuthClientProvider as ProviderV1 } from '@modelcontextprotocol/sdk/client/auth.js';
import type { Oidc } from '../fixtures/oidc.ts';

/** No server listens there: the browser's last address is read, and not opened. */
const REDIRECT_URI = 'http://127.0.0.1:9/callback';

/** A client that the authorization server knows beforehand, without refresh tokens. */
export const DESKTOP = {
  client_id: 'desktop',
  redirect_uris: [REDIRECT_URI],
  grant_types: ['authorization_code'],
  response_types: ['code' as const],
  token_endpoint_auth_method: 'none' as const,
  application_type: 'native' as const,
};

/** What a client keeps of a login. Both SDKs read and write the same members. */
export class Person {
  readonly #oidc: Oidc;
  readonly #account: string;
  /** Where the browser was sent, in order. */
  readonly visits: URL[] = [];
  /** Where it came back with a code; taken by {@link takeCallback}. */
  #callback: URL | undefined;
  #verifier = '';
  // biome-ignore lint/suspicious/noExplicitAny: each SDK has a type of its own for the same JSON.
  readonly #kept = new Map<string, any>();

  /** Without `clientId` the client registers itself. */
  constructor(oidc: Oidc, { account = 'alice', clientId }: { account?: string; clientId?: string } = {}) {
    this.#oidc = oidc;
    this.#account = account;
    if (clientId !== undefined) this.#kept.set('client', { client_id: clientId, redirect_uris: [REDIRECT_URI] });
  }

  get tokens(): { access_token: string; scope?: string; refresh_token?: string } | undefined {
    return this.#kept.get('tokens');
  }

  set tokens(tokens) {
    this.#kept.set('tokens', tokens);
  }

  takeCallback(): URLSearchParams {
    const callback = this.#callback;
    this.#callback = undefined;
    if (!callback) throw new Error('the browser has not come back');
    return callback.searchParams;
  }

  provider(): ProviderV1 & ProviderV2 {
    const metadata = {
      client_name: 'a test client',
      redirect_uris: [REDIRECT_URI],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native' as const,
    };
    return {
      redirectUrl: REDIRECT_URI,
      clientMetadata: metadata,
      clientInformation: () => this.#kept.get('client'),
      saveClientInformation: (client: unknown) => void this.#kept.set('client', client),
      tokens: () => this.#kept.get('tokens'),
      saveTokens: (tokens: unknown) => void this.#kept.set('tokens', tokens),
      saveCodeVerifier: (verifier: string) => {
        this.#verifier = verifier;
      },
      codeVerifier: () => this.#verifier,
      redirectToAuthorization: async (url: URL) => {
        this.visits.push(url);
        this.#callback = await this.#oidc.login(url, this.#account);
      },
      discoveryState: () => this.#kept.get('discovery'),
      saveDiscoveryState: (state: unknown) => void this.#kept.set('discovery', state),
    } as ProviderV1 & ProviderV2;
  }
}
