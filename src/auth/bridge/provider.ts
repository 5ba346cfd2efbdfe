/**
 * The authorization server itself: `oidc-provider`, set up for clients of MCP. Codes with PKCE (S256) only, access tokens as JWTs
 * for one endpoint each, refresh tokens that change with every use. It keeps no session of its own: each authorization asks for
 * consent and for a login anew.
 * @module
 */
import Provider, { type Configuration, errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { sha256 } from '../../core/hash.ts';
import { type ClientMetadata, JWT_BEARER, normaliseMetadata } from './client-metadata.ts';
import { boundedFetch } from './fetch.ts';
import { derivedKey, signingKey } from './keys.ts';
import type { BridgeOptions, Person, PreregisteredClient } from './options.ts';
import type { Registrations } from './registrations.ts';
import { adapterOver } from './store.ts';

/** Paths below the gateway's address. Those of the first three are what clients try that find no metadata. */
export const ROUTES = {
  authorization: '/authorize',
  token: '/token',
  registration: '/register',
  revocation: '/revoke',
  jwks: '/jwks',
} as const;

/** How long a person may take from the client's request to the end of the login. */
export const REQUEST_SECONDS = 15 * 60;
const CODE_SECONDS = 60;
/** An ID token says who logged in, and nothing is done with it here. */
const ID_TOKEN_SECONDS = 600;

const RATES = { registrations: 60, documents: 60, windowMs: 60_000 } as const;

/** The browser's cookies of the provider: bound to the path of one request each. */
export const COOKIES = {
  interaction: 'switchboard-request',
  resume: 'switchboard-resume',
  session: 'switchboard-none',
};

/** The claim of access tokens that holds the {@link Person} they were issued to. */
export const PERSON_CLAIM = 'switchboard';

export interface ProviderParts {
  options: BridgeOptions;
  registrations: Registrations;
  /** A record of who logged in, by principal; it lives as long as the login. */
  personOf(principal: string): Promise<Person | undefined>;
  /** Where the page of a request is, and what ties it to the browser that began it. */
  pageOf(ctx: KoaContextWithOIDC, uid: string): Promise<string>;
  renderError(ctx: KoaContextWithOIDC, out: { error: string; error_description?: string | undefined }): void;
}

/** The person a token request is for, where no login is kept (assertions, client credentials). */
const people = new WeakMap<object, Person>();
export const setPerson = (ctx: KoaContextWithOIDC, person: Person): void => void people.set(ctx, person);

export function createProvider({ options, registrations, personOf, pageOf, renderError }: ProviderParts): Provider {
  const { issuer, store, secret, log, accessTokenSeconds, loginSeconds } = options;
  const configured = new Map(options.clients.map((client) => [client.id, client]));
  const redeems = options.assertions.length > 0;
  const secure = issuer.startsWith('https:');
  const cookie = { httpOnly: true, sameSite: 'lax', signed: true, secure } as const;
  async function mayHappen(name: string, max: number): Promise<boolean> {
    const counted = await options.count(name, max, RATES.windowMs);
    counted?.commit();
    return counted !== undefined;
  }
  const provider: Provider = new Provider(issuer, {
    adapter: adapterOver(store, registrations),
    jwks: { keys: [signingKey(secret)] },
    cookies: {
      names: COOKIES,
      keys: [derivedKey(secret, 'cookies').toString('base64url')],
      short: cookie,
      long: cookie,
    },
    clients: options.clients.map((client) => preregistered(client, redeems)),
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    // A member of its own, so that the function below sees every client before it is checked.
    extraClientMetadata: {
      properties: ['software_id'],
      validator: (_ctx, _key, _value, metadata) => {
        if (!configured.has(String(metadata.client_id))) {
          normaliseMetadata(metadata as unknown as ClientMetadata, { assertions: redeems });
        }
      },
    },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    enabledJWA: {
      idTokenSigningAlgValues: ['ES256'],
      clientAuthSigningAlgValues: ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
    },
    scopes: ['openid', 'offline_access', ...options.scopes],
    responseTypes: ['code'],
    pkce: { required: () => true },
    routes: ROUTES,
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      clientCredentials: { enabled: options.clients.some(({ grant }) => grant !== undefined) },
      registration: { enabled: options.registration, issueRegistrationAccessToken: false },
      clientIdMetadataDocument: {
        enabled: options.metadataDocuments,
        ack: 'draft-02',
        allowFetch: () => mayHappen('documents', RATES.documents),
        cacheDuration: { min: 300, max: 86_400 },
      },
      resourceIndicators: {
        enabled: true,
        // Clients of 2025-03-26 name no resource.
        defaultResource: (_ctx, _client, oneOf) => (oneOf?.length === 1 ? oneOf[0] : `${issuer}/mcp`) as string,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => resourceServer(options, resource),
      },
    },
    interactions: {
      policy: [ask('login'), ask('consent')] as never,
      url: (ctx, { uid }) => pageOf(ctx, uid),
    },
    findAccount: async (_ctx, principal) =>
      (await personOf(principal)) && { accountId: principal, claims: () => ({ sub: principal }) },
    extraTokenClaims: async (ctx, token) => {
      const person =
        token.kind === 'AccessToken'
          ? (people.get(ctx) ?? (await personOf(token.accountId)))
          : machineOf(issuer, configured.get(token.clientId ?? ''));
      if (person === undefined) throw new errors.InvalidGrant('the login has ended');
      const { principal, grant } = person;
      const login = 'grantId' in token && token.grantId !== undefined ? { login: sha256(token.grantId) } : {};
      return { [PERSON_CLAIM]: { principal, grant, ...login } };
    },
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: () => true,
    expiresWithSession: () => false,
    ttl: {
      AccessToken: accessTokenSeconds,
      ClientCredentials: accessTokenSeconds,
      AuthorizationCode: CODE_SECONDS,
      IdToken: ID_TOKEN_SECONDS,
      Interaction: REQUEST_SECONDS,
      Session: REQUEST_SECONDS,
      Grant: loginSeconds,
      RefreshToken: loginSeconds,
    },
    clientBasedCORS: () => true,
    fetch: boundedFetch({ guard: options.guard }),
    renderError: (ctx, out) => renderError(ctx, out),
  } as Configuration);
  provider.proxy = true;
  acceptEitherWay(provider);
  provider.on('server_error', (_ctx, err) => log.error({ err }, 'A request to the authorization server failed.'));
  // Koa's own event, which its types leave out here.
  (provider as NodeJS.EventEmitter).on('error', (err: unknown) =>
    log.error({ err }, 'A request to the authorization server failed.'),
  );
  provider.on('grant.success', (ctx) => {
    const id = ctx.oidc.client?.clientId;
    if (id === undefined || configured.has(id)) return;
    registrations.used(id).catch((err: unknown) => log.warn({ err }, 'A used client could not be kept.'));
  });
  provider.use(async (ctx, next) => {
    if (ctx.path === ROUTES.authorization) askForScope(ctx as never, options.scopes);
    if (ctx.path === ROUTES.registration && ctx.method === 'POST') {
      if (!(await mayHappen('registrations', RATES.registrations))) {
        ctx.status = 429;
        ctx.set('retry-after', String(RATES.windowMs / 1_000));
        ctx.body = {
          error: 'temporarily_unavailable',
          error_description: 'Too many clients register. Try again in a minute.',
        };
        return;
      }
      // Pages of other origins may register as their programs may.
      ctx.set('access-control-allow-origin', '*');
    }
    await next();
    if (ctx.path.startsWith('/.well-known/')) completeMetadata(ctx.body, options);
    dropSession(ctx as never);
  });
  return provider;
}

/** The page is shown once for both: its result holds the consent and who logged in. */
function ask(name: 'login' | 'consent'): interactionPolicy.Prompt {
  const check = new interactionPolicy.Check('always', 'every authorization is asked about', (ctx) =>
    ctx.oidc.result?.[name] ? interactionPolicy.Check.NO_NEED_TO_PROMPT : interactionPolicy.Check.REQUEST_PROMPT,
  );
  return new interactionPolicy.Prompt({ name, requestable: true }, check);
}

function preregistered({ id, name, secret, redirectUris, grant }: PreregisteredClient, redeems: boolean) {
  const people = redirectUris.length > 0;
  return {
    client_id: id,
    client_name: name,
    ...(secret === undefined ? {} : { client_secret: secret }),
    token_endpoint_auth_method: secret === undefined ? 'none' : 'client_secret_basic',
    application_type: 'native',
    redirect_uris: [...redirectUris],
    response_types: people ? ['code'] : [],
    grant_types: [
      ...(people ? ['authorization_code', 'refresh_token'] : []),
      ...(grant === undefined ? [] : ['client_credentials']),
      ...(redeems && secret !== undefined ? [JWT_BEARER] : []),
    ],
  } as const;
}

/** Spelled as the principals of other issuers' machines are. */
const machineOf = (issuer: string, client: PreregisteredClient | undefined): Person | undefined =>
  client?.grant === undefined
    ? undefined
    : { principal: `${issuer}?client=${encodeURIComponent(client.id)}`, grant: client.grant };

export function resourceServer({ endpointOf, scopes, accessTokenSeconds }: BridgeOptions, resource: string) {
  const audience = endpointOf(resource);
  if (audience === undefined) throw new errors.InvalidTarget('the resource is no endpoint of this gateway');
  return {
    audience,
    scope: scopes.join(' '),
    accessTokenTTL: accessTokenSeconds,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256' } },
  } as const;
}

/**
 * A client that has a secret may send it in the header or in the body, whichever it registered: many take what the metadata lists
 * first, or what they always do.
 */
function acceptEitherWay(provider: Provider): void {
  Object.defineProperty(provider.Client.prototype, 'clientAuthMethod', {
    get(this: { tokenEndpointAuthMethod: string }): string {
      const { tokenEndpointAuthMethod: registered } = this;
      const ctx = Provider.ctx;
      if (!ctx || !registered.startsWith('client_secret_')) return registered;
      return ctx.get('authorization') === '' ? 'client_secret_post' : 'client_secret_basic';
    },
  });
}

/** Clients ask for scopes they know from elsewhere, or for none: they get what there is, and always the first one. */
function askForScope(ctx: { query: Record<string, string | string[] | undefined> }, scopes: readonly string[]): void {
  const { scope } = ctx.query;
  if (Array.isArray(scope)) return;
  const known = (scope ?? '').split(' ').filter((name) => scopes.includes(name) || name === 'openid');
  if (!known.includes(scopes[0] as string)) known.push(scopes[0] as string);
  ctx.query = { ...ctx.query, scope: known.join(' ') };
}

function completeMetadata(body: unknown, { assertions }: BridgeOptions): void {
  if (typeof body !== 'object' || body === null || !('issuer' in body)) return;
  if (assertions.length > 0) {
    Object.assign(body, { authorization_grant_profiles_supported: ['urn:ietf:params:oauth:grant-profile:id-jag'] });
  }
}

/** The provider's session lives as long as the request. */
function dropSession(ctx: { res: import('node:http').ServerResponse }): void {
  const cookies = ctx.res.getHeader('set-cookie');
  if (!Array.isArray(cookies)) return;
  const kept = cookies.filter(
    (cookie) => !cookie.startsWith(`${COOKIES.session}=`) && !cookie.startsWith(`${COOKIES.session}.sig=`),
  );
  if (kept.length === 0) ctx.res.removeHeader('set-cookie');
  else ctx.res.setHeader('set-cookie', kept);
}
