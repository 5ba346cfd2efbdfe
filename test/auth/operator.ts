/**
 * A gateway whose operators log in at a real provider, and a person with a browser in front of its pages, in raw requests.
 * @module
 */
import { freePort } from '../../src/core/testing/free-port.ts';
import { type GatewaySetup, type OwnGateway, startGateway } from '../e2e/gateway.ts';
import type { Oidc } from '../fixtures/oidc.ts';
import { Browser, type Visit } from './browser.ts';

export const ADMIN_TOKEN = 'an-admin-token-for-tests-0123456789';
export const CLIENT = { clientId: 'pages', clientSecret: 'the-secret-of-the-pages-0123456789' };

/** The client of the provider, for gateways at these addresses. */
export const clientAt = (...publicUrls: string[]) => ({
  client_id: CLIENT.clientId,
  client_secret: CLIENT.clientSecret,
  redirect_uris: publicUrls.map((url) => `${url}/admin/login/callback`),
  post_logout_redirect_uris: publicUrls.map((url) => `${url}/admin/`),
  grant_types: ['authorization_code'],
  response_types: ['code' as const],
});

/** Has the claims of {@link people} in ID tokens. */
export const withClaims = (people: Readonly<Record<string, object>>) => ({
  conformIdTokenClaims: false,
  claims: { openid: ['sub', ...new Set(Object.values(people).flatMap((claims) => Object.keys(claims)))] },
  findAccount: (_ctx: unknown, sub: string) => ({
    accountId: sub,
    claims: () => ({ sub, ...people[sub] }),
  }),
});

export interface OperatorGateway extends OwnGateway {
  readonly origin: string;
}

export async function operatorGateway(
  login: object,
  { port, ...setup }: GatewaySetup & { port?: number } = {},
): Promise<OperatorGateway> {
  const own = port ?? (await freePort());
  const origin = `http://127.0.0.1:${own}`;
  const running = await startGateway({
    ...setup,
    gateway: {
      port: own,
      publicUrl: origin,
      adminToken: ADMIN_TOKEN,
      audit: true,
      admin: { login: { ...CLIENT, ...login } },
      ...setup.gateway,
    },
  });
  return Object.assign(running, { origin });
}

export interface Reply {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes.
  json: any;
  headers: Headers;
}

export class Person {
  readonly browser = new Browser();
  readonly #base: string;
  readonly #oidc: Oidc;
  key: string | undefined;

  /** `base`: where the pages are, without `/admin/`. */
  constructor(base: string, oidc: Oidc) {
    this.#base = base;
    this.#oidc = oidc;
  }

  get origin(): string {
    return new URL(this.#base).origin;
  }

  /** A request as the page makes it. */
  async ask(path: string, body?: object, headers: Record<string, string> = {}): Promise<Reply> {
    const sent = {
      ...(this.key === undefined ? {} : { 'x-switchboard-key': this.key }),
      ...(body === undefined ? {} : { origin: this.origin, 'content-type': 'application/json' }),
      ...headers,
    };
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const reply = await this.browser.visit(`${this.#base}/admin/${path}`, { ...init, headers: sent });
    return { status: reply.status, json: JSON.parse(reply.text), headers: reply.headers };
  }

  /** Presses the button: where the browser is sent. */
  async begin(): Promise<URL> {
    const { status, json } = await this.ask('api/login/begin', {});
    if (status !== 200) throw new Error(`not begun: ${status} ${JSON.stringify(json)}`);
    return new URL(json.url);
  }

  /** Presses the button and logs in at the provider: the address with which the browser comes back. */
  async callback(account: string): Promise<URL> {
    return this.#oidc.login(await this.begin(), account);
  }

  /** Presses the button, logs in and is back, let in or not. */
  async arrive(account: string): Promise<Visit> {
    return this.browser.visit(await this.callback(account));
  }

  /** The page takes the code with which the browser is back. */
  async enter({ next }: Visit): Promise<Reply> {
    const reply = await this.ask('api/login', { link: codeIn(next) });
    if (reply.status === 200) this.key = reply.json.key;
    return reply;
  }

  async logIn(account: string): Promise<Reply> {
    return this.enter(await this.arrive(account));
  }
}

export const codeIn = (url: URL | undefined): string => /^#login=([\w-]+)$/.exec(url?.hash ?? '')?.[1] ?? '';
