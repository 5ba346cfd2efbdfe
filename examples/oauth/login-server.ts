/**
 * An authorization server (`oidc-provider`) with a login form: the company's identity provider, and that of the mail server.
 * Clients register themselves or are known beforehand; access tokens are JWTs for the resource they were asked for.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { type ClientMetadata } from 'oidc-provider';
import { page } from './page.ts';
import { recordsInMemory } from './records.ts';

export interface LoginServerOptions {
  /** As people know it. */
  name: string;
  /** By the name they type: their password, and their groups if any. */
  accounts: Readonly<Record<string, { password: string; groups?: readonly string[] }>>;
  /** Known beforehand. */
  clients?: readonly ClientMetadata[];
  /** What clients may ask for. People are asked about it; without scopes they only log in. */
  scopes?: readonly string[];
}

export interface LoginServer {
  readonly issuer: string;
  close(): Promise<void>;
}

export async function startLoginServer(options: LoginServerOptions): Promise<LoginServer> {
  const http = createServer();
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const provider = await createProvider(issuer, options);
  const serve = provider.callback();
  http.on('request', (request, response) => {
    if (!request.url?.startsWith(FORMS)) serve(request, response);
    else answer(provider, options, request, response).catch(() => response.writeHead(400).end('Begin again.'));
  });
  return {
    issuer,
    async close() {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
    },
  };
}

const FORMS = '/interaction/';

async function createProvider(issuer: string, options: LoginServerOptions): Promise<Provider> {
  const { name, accounts, clients = [], scopes = [] } = options;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const cookie = `${name.toLowerCase().replace(/\W+/g, '-')}`;
  return new Provider(issuer, {
    clients: [...clients],
    adapter: recordsInMemory(),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'key-1', use: 'sig', alg: 'RS256' }] },
    cookies: {
      keys: [randomBytes(32).toString('base64url')],
      // Cookies do not know ports, and there are two of these servers on this host.
      names: { session: `${cookie}-session`, interaction: `${cookie}-form`, resume: `${cookie}-resume` },
    },
    scopes: ['openid', 'offline_access', ...scopes],
    claims: { openid: ['sub', 'groups'] },
    conformIdTokenClaims: false,
    findAccount: (_ctx, sub) => ({
      accountId: sub,
      claims: () => ({ sub, groups: [...(accounts[sub]?.groups ?? [])] }),
    }),
    interactions: { url: (_ctx, { uid }) => FORMS + uid },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    ttl: { AccessToken: 600, RefreshToken: 86_400, Grant: 86_400, Session: 3_600, Interaction: 600, IdToken: 600 },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: scopes.length > 0,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: scopes.join(' '),
          audience: resource,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
}

/** The form of a login, or the question whether a client may. */
async function answer(
  provider: Provider,
  { name, accounts, scopes = [] }: LoginServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  const form = new URLSearchParams(request.method === 'POST' ? await text(request) : '');
  const show = (title: string, body: string): void => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(page(`${name}: ${title}`, body));
  };
  if (prompt.name === 'login') {
    const account = form.get('account') ?? '';
    if (Object.hasOwn(accounts, account) && accounts[account]?.password === form.get('password')) {
      const login = { accountId: account };
      return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
    }
    const wrong = form.size > 0 ? '<p role="alert">This is not right.</p>' : '';
    return show(
      'log in',
      `${wrong}<form method="post">
<label>Name <input type="text" name="account" required autofocus></label>
<label>Password <input type="password" name="password" required></label>
<button>Log in</button></form>`,
    );
  }
  const clientId = String(params.client_id);
  if (scopes.length > 0 && form.get('answer') !== 'allow') {
    if (form.get('answer') === 'deny') {
      return provider.interactionFinished(request, response, { error: 'access_denied' });
    }
    const client = await provider.Client.find(clientId);
    return show(
      'allow this?',
      `<form method="post"><p>${client?.clientName ?? clientId} wants: ${String(params.scope)}</p>
<button name="answer" value="allow">Allow</button> <button name="answer" value="deny">Deny</button></form>`,
    );
  }
  const found = grantId === undefined ? undefined : await provider.Grant.find(grantId);
  const grant = found ?? new provider.Grant({ accountId: session?.accountId as string, clientId });
  const missing = prompt.details as {
    missingOIDCScope?: string[];
    missingResourceScopes?: Record<string, string[]>;
  };
  if (missing.missingOIDCScope) grant.addOIDCScope(missing.missingOIDCScope.join(' '));
  for (const [resource, names] of Object.entries(missing.missingResourceScopes ?? {}))
    grant.addResourceScope(resource, names.join(' '));
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}
