/**
 * A gateway with a bridge on a free loopback port, and a client of OAuth in raw requests.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { freePort } from '../../src/core/testing/free-port.ts';
import { createGateway, type Gateway, type GatewayOptions } from '../../src/index.ts';
import { Browser, type Visit } from './browser.ts';

export const ADMIN_TOKEN = 'an-admin-token-for-tests-0123456789';

type Auth = Exclude<NonNullable<GatewayOptions['auth']>, { authenticate: unknown }>;
export type BridgeEntry = NonNullable<Auth['bridge']>;

export interface BridgeGateway {
  readonly gateway: Gateway;
  readonly origin: string;
  readonly endpoint: string;
  close(): Promise<void>;
}

export async function bridgeGateway(
  bridge: BridgeEntry,
  { auth, port: wanted, ...more }: Omit<GatewayOptions, 'auth'> & { auth?: Omit<Auth, 'bridge'> } = {},
): Promise<BridgeGateway> {
  const port = wanted ?? (await freePort());
  const origin = `http://127.0.0.1:${port}`;
  const gateway = await createGateway({
    port,
    publicUrl: origin,
    adminToken: ADMIN_TOKEN,
    logLevel: 'error',
    ...more,
    auth: { ...auth, bridge },
  });
  await gateway.listen();
  return { gateway, origin, endpoint: `${origin}/mcp`, close: () => gateway.close() };
}

/** A proof key of PKCE. */
export function proofKey(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

export const CURSOR = {
  client_name: 'Cursor',
  redirect_uris: [
    'cursor://anysphere.cursor-mcp/oauth/callback',
    'https://www.cursor.com/agents/mcp/oauth/callback',
    'http://localhost:8787/callback',
  ],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
  application_type: 'web',
};

export interface Json {
  status: number;
  body: Record<string, unknown>;
  headers: Headers;
}

export async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Json> {
  const form = body instanceof URLSearchParams;
  const reply = await fetch(url, {
    method: 'POST',
    headers: { ...(form ? {} : { 'content-type': 'application/json' }), ...headers },
    body: form ? body : JSON.stringify(body),
  });
  const text = await reply.text();
  return { status: reply.status, body: text === '' ? {} : JSON.parse(text), headers: reply.headers };
}

export interface Flow {
  clientId: string;
  redirectUri: string;
  challenge?: string;
  method?: string;
  state?: string;
  scope?: string;
  resource?: string;
  more?: Record<string, string>;
}

export function authorizeUrl({ origin, endpoint }: BridgeGateway, flow: Flow): URL {
  const url = new URL('/authorize', origin);
  const { clientId, redirectUri, challenge, method = 'S256', state = 'a-state', scope, resource = endpoint } = flow;
  for (const [name, value] of Object.entries({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    ...(challenge === undefined ? {} : { code_challenge: challenge, code_challenge_method: method }),
    state,
    ...(scope === undefined ? {} : { scope }),
    ...(resource === '' ? {} : { resource }),
    ...flow.more,
  }))
    url.searchParams.set(name, value);
  return url;
}

/** Registers a client; gives its id. */
export async function register({ origin }: BridgeGateway, metadata: object = CURSOR): Promise<string> {
  const { status, body } = await post(`${origin}/register`, metadata);
  if (status !== 201) throw new Error(`not registered: ${JSON.stringify(body)}`);
  return String(body.client_id);
}

/** The page that asks about a request. */
export const askedPage = (bridge: BridgeGateway, flow: Flow, browser = new Browser()): Promise<Visit> =>
  browser.follow(authorizeUrl(bridge, flow), [bridge.origin]);

const bodyOf = ({ text }: Visit): string => text.replace(/<head>[\s\S]*<\/head>/, '');

/** Types the admin token, allows, and gives where the browser is sent at the end. */
export async function allowWithToken(bridge: BridgeGateway, flow: Flow, browser = new Browser()): Promise<URL> {
  const page = await askedPage(bridge, flow, browser);
  if (page.status !== 200) throw new Error(`no page: ${page.status} ${bodyOf(page)}`);
  const sent = await browser.submit(page, { answer: 'allow', token: ADMIN_TOKEN });
  if (!sent.next) throw new Error(`not allowed: ${sent.status} ${bodyOf(sent)}`);
  const end = await browser.follow(sent.next, [bridge.origin]);
  if (!end.next) throw new Error(`no redirect at the end: ${end.status} ${bodyOf(end)}`);
  return end.next;
}

export const token = (bridge: BridgeGateway, fields: Record<string, string>, headers?: Record<string, string>) =>
  post(`${bridge.origin}/token`, new URLSearchParams(fields), headers);

/** A whole login of a registered client in single-user mode. */
export async function tokensFor(
  bridge: BridgeGateway,
  clientId: string,
  redirectUri = CURSOR.redirect_uris[2] as string,
) {
  const { verifier, challenge } = proofKey();
  const end = await allowWithToken(bridge, { clientId, redirectUri, challenge });
  const code = String(end.searchParams.get('code'));
  const reply = await token(bridge, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    client_id: clientId,
    code_verifier: verifier,
    resource: bridge.endpoint,
  });
  return { ...reply, code, verifier };
}
