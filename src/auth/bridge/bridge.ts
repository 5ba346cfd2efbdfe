/**
 * The bridge authorization server, for clients that cannot reach the company's identity provider by themselves. A request for
 * authorization goes through two steps that this file holds together: the person consents to this client and this redirect URI,
 * and only then logs in.
 *
 * Invariants: nothing is issued without both steps in the browser that began the request; what the login provider sends back is
 * accepted once; a login names one principal, and every token made from it stands for that one.
 * @module
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { sha256 } from '../../core/hash.ts';
import type { CheckedPerson } from '../connect/person-check.ts';
import { acceptAssertions } from './assertions.ts';
import { boundedFetch } from './fetch.ts';
import { derivedKey, publicKey, signingKey } from './keys.ts';
import { LoginRefused, type LoginReply, type OidcClient, oidcClient, type PendingLogin } from './oidc-login.ts';
import type { BridgeOptions, Person, TokenLogin } from './options.ts';
import { createProvider, REQUEST_SECONDS } from './provider.ts';
import { Registrations } from './registrations.ts';
import type { Json } from './store.ts';

/** A client's request for authorization, as the person is asked about it. */
export interface AuthorizationRequest {
  uid: string;
  clientId: string;
  /** What the client calls itself. */
  clientName: string | undefined;
  /** Where the client's name comes from: the operator's configuration, the document at its client id, or its own registration. */
  clientFrom: 'operator' | 'document' | 'itself';
  redirectUri: string;
  resource: string;
  scopes: readonly string[];
  /** There are scopes beside the first one, which then allows to see what there is. */
  hasOtherScopes: boolean;
  /** Goes into the form, and comes back with it. */
  formToken: string;
}

export interface Bridge {
  readonly issuer: string;
  /** The admin token is typed on the page; otherwise the person is sent to a login provider. */
  readonly asksForToken: boolean;
  /** What verifies its access tokens. */
  readonly publicKey: ReturnType<typeof publicKey>;
  /** Serves the endpoints of the protocol; `req.url` begins with the gateway's own path. */
  serve(req: IncomingMessage, res: ServerResponse): void;
  /** The request of a page; undefined when it is over, unknown, or another browser's. */
  find(uid: string, browser: string | undefined): Promise<AuthorizationRequest | undefined>;
  /** The token that came with a form is that of this request's page. */
  isFormOf(request: AuthorizationRequest, presented: string): boolean;
  /** The person said no. Returns where the browser goes. */
  deny(uid: string): Promise<string>;
  /** The person consented, and logs in at the provider: where that is. */
  beginLogin(uid: string, browser: string): Promise<URL>;
  /** The person at this browser is to say who they are, for a page of the gateway's own: where they log in. */
  beginCheck(page: string, browser: string): Promise<URL>;
  /**
   * The person came back from the login provider, in the browser of one of these. Rejects with {@link LoginRefused}. Returns where the
   * browser goes, or, after {@link beginCheck}, who it is.
   */
  finishLogin(state: string, browsers: readonly (string | undefined)[], reply: LoginReply): Promise<FinishedLogin>;
  /** The person consented and typed the admin token. Rejects with {@link LoginRefused} when it is not that. */
  loginWithToken(uid: string, token: string): Promise<string>;
  /** Issuers whose people and machines its tokens can be of. */
  readonly loginIssuers: readonly string[];
  /** Whether the login behind a token has been revoked. */
  isRevoked(login: string): Promise<boolean>;
}

export type FinishedLogin = { readonly goesTo: string } | CheckedPerson;

export type ErrorPage = (
  res: ServerResponse,
  error: { error: string; description: string | undefined; status: number },
) => void;

/** The cookie of the browser that began a request. Its name alone keeps other hosts from setting it, where TLS is there. */
export const browserCookie = (issuer: string): string =>
  issuer.startsWith('https:') ? '__Host-switchboard' : 'switchboard-browser';

export const CALLBACK = '/authorize/callback';
export const PAGES = '/authorize/request/';

const ATTEMPTS = { max: 10, windowMs: 60_000 } as const;
const BROWSER = /^[\w-]{43}$/;

export function openBridge(options: BridgeOptions, errorPage: ErrorPage): Bridge {
  const { issuer, store, login, secret, loginSeconds, accessTokenSeconds } = options;
  const registrations = new Registrations(store);
  const formKey = derivedKey(secret, 'forms');
  const configured = new Set(options.clients.map(({ id }) => id));
  const provider = createProvider({ options, registrations, personOf, pageOf, renderError });
  if (options.assertions.length > 0) acceptAssertions(provider, options);
  const company = 'oidc' in login ? login.oidc : undefined;
  const oidc: OidcClient | undefined =
    company &&
    oidcClient(company, issuer + CALLBACK, boundedFetch({ guard: options.guard, configured: company.issuer }));
  const callback = provider.callback();

  provider.on('grant.revoked', (_ctx, grantId) => {
    store.set('oauth-revoked', sha256(grantId), true, (accessTokenSeconds + 60) * 1_000).catch((err: unknown) => {
      options.log.error({ err }, 'A revoked login could not be noted: its access token works until it expires.');
    });
  });

  async function personOf(principal: string): Promise<Person | undefined> {
    return (await store.get('oauth-people', sha256(principal))) as Person | undefined;
  }

  async function keep(person: Person, seconds: number): Promise<void> {
    await store.set('oauth-people', sha256(person.principal), { ...person }, seconds * 1_000);
  }

  /** The page of a request, for the browser that began it alone. */
  async function pageOf(ctx: KoaContextWithOIDC, uid: string): Promise<string> {
    const name = browserCookie(issuer);
    let browser = cookieOf(ctx.req, name);
    if (browser === undefined || !BROWSER.test(browser)) {
      browser = randomBytes(32).toString('base64url');
      const secure = issuer.startsWith('https:') ? '; Secure' : '';
      ctx.append('set-cookie', `${name}=${browser}; Path=/; HttpOnly; SameSite=Lax${secure}`);
    }
    await store.set('oauth-browsers', sha256(uid), sha256(browser), REQUEST_SECONDS * 1_000);
    return issuer + PAGES + uid;
  }

  function renderError(ctx: KoaContextWithOIDC, out: { error: string; error_description?: string | undefined }): void {
    ctx.respond = false;
    errorPage(ctx.res, { error: out.error, description: out.error_description, status: ctx.status });
  }

  const tokenOf = (browser: string, parts: readonly string[]): string =>
    createHmac('sha256', formKey)
      .update(JSON.stringify([browser, ...parts]))
      .digest('base64url');

  async function find(uid: string, browser: string | undefined): Promise<AuthorizationRequest | undefined> {
    if (browser === undefined || !BROWSER.test(browser)) return undefined;
    if ((await store.get('oauth-browsers', sha256(uid))) !== sha256(browser)) return undefined;
    const interaction = await provider.Interaction.find(uid);
    if (!interaction) return undefined;
    const {
      client_id: clientId,
      redirect_uri: redirectUri,
      scope = '',
      resource,
    } = interaction.params as unknown as Params;
    const client = await provider.Client.find(clientId);
    if (!client) return undefined;
    return {
      uid,
      clientId,
      clientName: client.clientName,
      clientFrom: configured.has(clientId) ? 'operator' : 'clientIdMetadataDocument' in client ? 'document' : 'itself',
      redirectUri,
      resource: resourceOf(resource),
      scopes: scope.split(' ').filter((name) => options.scopes.includes(name)),
      hasOtherScopes: options.scopes.length > 1,
      formToken: tokenOf(browser, [uid, clientId, redirectUri]),
    };
  }

  /** One endpoint, the one that tokens will be for. */
  const resourceOf = (resource: Params['resource']): string =>
    (Array.isArray(resource) ? resource[0] : resource) ?? `${issuer}/mcp`;

  /** Ends the page of a request with this result. */
  async function submit(uid: string, result: Record<string, unknown>): Promise<string> {
    const interaction = await provider.Interaction.find(uid);
    if (!interaction) throw new LoginRefused('This login took too long. Start again in the client.');
    interaction.result = result;
    await interaction.save(Math.max(1, interaction.exp - Math.floor(Date.now() / 1_000)));
    await store.delete('oauth-browsers', sha256(uid));
    return interaction.returnTo;
  }

  async function loggedIn(uid: string, person: Person): Promise<string> {
    const interaction = await provider.Interaction.find(uid);
    if (!interaction) throw new LoginRefused('This login took too long. Start again in the client.');
    const { client_id: clientId, scope = '', resource } = interaction.params as unknown as Params;
    await keep(person, loginSeconds + 60);
    const grant = new provider.Grant({ accountId: person.principal, clientId });
    grant.addOIDCScope(scope);
    for (const each of [resource ?? `${issuer}/mcp`].flat()) grant.addResourceScope(each, scope);
    const grantId = await grant.save();
    return submit(uid, { login: { accountId: person.principal, remember: false }, consent: { grantId } });
  }

  /** `what` comes back with the person: the request of a client, or a page of the gateway's own. */
  async function sendToProvider(what: { uid: string } | { page: string }, browser: string): Promise<URL> {
    if (!oidc) throw new LoginRefused('There is no login provider.');
    const { url, pending } = await oidc.begin();
    const record = { ...pending, ...what, browser: sha256(browser) };
    await store.set('oauth-logins', sha256(pending.state), record as unknown as Json, REQUEST_SECONDS * 1_000);
    return url;
  }

  return {
    issuer,
    asksForToken: 'token' in login,
    publicKey: publicKey(signingKey(secret)),
    loginIssuers: [...('oidc' in login ? [login.oidc.issuer] : []), ...options.assertions.map((from) => from.issuer)],

    serve(req, res) {
      asPublic(req, issuer);
      void callback(req, res);
    },

    find,

    isFormOf: ({ formToken }, presented) => isSame(formToken, presented),

    deny: (uid) => submit(uid, { error: 'access_denied', error_description: 'the person said no' }),

    beginLogin: (uid, browser) => sendToProvider({ uid }, browser),

    beginCheck: (page, browser) => sendToProvider({ page }, browser),

    async finishLogin(state, browsers, reply) {
      const record = (await store.take('oauth-logins', sha256(state))) as PendingRecord | undefined;
      const isOwn = browsers.some((browser) => browser !== undefined && sha256(browser) === record?.browser);
      if (!company || !oidc || !record || !isOwn) {
        throw new LoginRefused('This login is over, or was begun in another browser. Start again in the client.');
      }
      if ('page' in record) {
        const claims = await oidc.finish(record, reply).catch(refusalOf);
        if (claims instanceof LoginRefused) return { page: record.page, principal: undefined, refusal: claims.message };
        return { page: record.page, principal: company.principalOf(claims) };
      }
      const person = company.personOf(await oidc.finish(record, reply));
      if (!person)
        throw new LoginRefused('You are logged in, but nothing here is open to you. Ask the operator of this gateway.');
      return { goesTo: await loggedIn(record.uid, person) };
    },

    async loginWithToken(uid, presented) {
      const { isToken, person } = (login as { token: TokenLogin }).token;
      const attempt = await options.count('token-logins', ATTEMPTS.max, ATTEMPTS.windowMs);
      if (!attempt) throw new LoginRefused('Too many attempts. Wait a minute, then try again.');
      if (!isToken(presented)) {
        attempt.commit();
        throw new LoginRefused('This is not the admin token.');
      }
      // Only wrong ones count.
      attempt.rollback();
      return loggedIn(uid, person);
    },

    isRevoked: async (id) => (await store.get('oauth-revoked', id)) !== undefined,
  };
}

interface Params {
  client_id: string;
  redirect_uri: string;
  scope?: string;
  resource?: string | string[];
}

type PendingRecord = PendingLogin & ({ uid: string } | { page: string }) & { browser: string };

function refusalOf(error: unknown): LoginRefused {
  if (error instanceof LoginRefused) return error;
  throw error;
}

/** The provider makes its addresses of the request's: they are those at which clients reach the gateway. */
function asPublic(req: IncomingMessage, issuer: string): void {
  const { host, protocol, pathname } = new URL(issuer);
  for (const name of Object.keys(req.headers)) if (name.startsWith('x-forwarded-')) delete req.headers[name];
  req.headers['x-forwarded-host'] = host;
  req.headers['x-forwarded-proto'] = protocol.slice(0, -1);
  const path = pathname === '/' ? '' : pathname;
  Object.assign(req, { originalUrl: path + (req.url ?? '/') });
}

/** The value of a cookie. */
export function cookieOf({ headers }: Pick<IncomingMessage, 'headers'>, name: string): string | undefined {
  for (const pair of headers.cookie?.split(';') ?? []) {
    const at = pair.indexOf('=');
    if (at !== -1 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

function isSame(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(sha256(a)), Buffer.from(sha256(b))];
  return timingSafeEqual(one, other);
}

export { LoginRefused } from './oidc-login.ts';
