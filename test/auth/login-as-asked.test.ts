/** The page of a login for a call is opened by who made the call: they log in at the issuer that said who they are. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newKey } from '../../src/auth/key.ts';
import { freePort } from '../../src/core/testing/free-port.ts';
import { modern } from '../attacks/talk.ts';
import { type OauthMcp, startOauthMcp } from '../fixtures/mcp/oauth.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { askedPage, type BridgeGateway, bridgeGateway, proofKey, register, token } from './bridge-gateway.ts';
import { Browser, type Visit } from './browser.ts';

const LOOPBACK = 'http://localhost:8787/callback';
const key = newKey();

let company: Oidc;
let mailLogin: Oidc;
let mail: OauthMcp;
let bridge: BridgeGateway;
let clientId: string;
/** A principal that has not logged in to the mail server before. */
let name: string;
let count = 0;

beforeAll(async () => {
  const port = await freePort();
  const [companyServer, mailServer] = await Promise.all([
    startOidc({
      clients: [
        {
          client_id: 'gateway',
          token_endpoint_auth_method: 'none',
          redirect_uris: [`http://127.0.0.1:${port}/authorize/callback`],
          grant_types: ['authorization_code'],
          response_types: ['code'],
        },
      ],
    }),
    startOidc(),
  ]);
  company = companyServer;
  mailLogin = mailServer;
  mail = await startOauthMcp(mailLogin.issuer);
  bridge = await bridgeGateway(
    { login: { issuer: company.issuer, clientId: 'gateway', grant: 'local' } },
    {
      port,
      servers: { mail: { url: mail.url, kind: 'mcp' } },
      auth: { issuers: [{ issuer: company.issuer, grant: 'local' }] },
      grants: { machine: { key: key.stored } },
      defaultPolicy: { version: '1', default: 'allow' },
      logLevel: 'silent',
    },
  );
  clientId = await register(bridge);
});
afterAll(async () => {
  await bridge?.close();
  await mail?.close();
  await Promise.all([company?.close(), mailLogin?.close()]);
});
beforeEach(() => {
  name = `person-${++count}`;
  mail.ran.length = 0;
});

/** A token of the bridge, for this person of the company. */
async function bridgeToken(account: string, browser = new Browser()): Promise<string> {
  const { verifier, challenge } = proofKey();
  const page = await askedPage(bridge, { clientId, redirectUri: LOOPBACK, challenge }, browser);
  const sent = await browser.submit(page, { answer: 'allow' });
  const end = await browser.follow(await company.login(sent.next as URL, account), [bridge.origin]);
  const { body } = await token(bridge, {
    grant_type: 'authorization_code',
    code: String(end.next?.searchParams.get('code')),
    redirect_uri: LOOPBACK,
    client_id: clientId,
    code_verifier: verifier,
  });
  return String(body.access_token);
}

/** A token that the company itself gave to a program. */
const companyToken = (account: string): Promise<string> =>
  company.sign(company.claims(bridge.endpoint, { sub: account, client_id: 'a-program' }), { typ: 'at+jwt' });

interface Asked {
  url: string;
  message: string;
}

async function clientOf(bearer: string, open?: (asked: Asked) => Promise<unknown>): Promise<Client> {
  const client = new Client(
    { name: 'modern', version: '1' },
    { capabilities: open ? { elicitation: { url: {} } } : {}, versionNegotiation: { mode: 'auto' } },
  );
  if (open) {
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      await open(params as unknown as Asked);
      return { action: 'accept' };
    });
  }
  const headers = { authorization: `Bearer ${bearer}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(bridge.endpoint), { requestInit: { headers } }));
  return client;
}

async function whoami(client: Client): Promise<{ text: string; isError: boolean }> {
  const { content, isError } = await client.callTool({ name: 'mail__whoami', arguments: {} });
  return { text: content[0]?.type === 'text' ? content[0].text : '', isError: isError === true };
}

/** What a client that opens no pages reads: the address of the page, and all of the text. */
async function linkFor(bearer: string): Promise<{ url: string; text: string; client: Client }> {
  const client = await clientOf(bearer);
  const { text, isError } = await whoami(client);
  expect(isError).toBe(true);
  return { client, text, url: /http:\S+\/connect\/[\w-]{22}/.exec(text)?.[0] as string };
}

/** Opens the page and goes on: where to, at the company. */
async function goOn(browser: Browser, url: string, fields: Record<string, string> = {}): Promise<URL> {
  const sent = await browser.submit(await browser.visit(url), fields);
  expect(sent.next?.origin, sent.text).toBe(company.issuer);
  return sent.next as URL;
}

/** Comes back from the company as this person. */
async function comeBackAs(account: string, browser: Browser, asked: URL): Promise<Visit> {
  return browser.visit(await company.login(asked, account));
}

/** The whole way. */
async function logIn(browser: Browser, url: string, account: string, mailAccount: string): Promise<Visit> {
  const onward = await comeBackAs(account, browser, await goOn(browser, url));
  expect(onward.next?.origin, onward.text).toBe(mailLogin.issuer);
  return browser.follow(await mailLogin.login(onward.next as URL, mailAccount), [bridge.origin]);
}

describe('the page of a login for a call', () => {
  it.each([
    ['logged in by the bridge', bridgeToken],
    ['came with a token of the company itself', companyToken],
  ])('has who %s log in as themselves, without a code, and the call is answered', async (_how, tokenOf) => {
    const asked: Asked[] = [];
    const client = await clientOf(await tokenOf(name), async (page) => {
      asked.push(page);
      const end = await logIn(new Browser(), page.url, name, `${name}@mail`);
      expect(end.text).toContain('You are connected');
    });
    expect(await whoami(client)).toEqual({ text: `You are ${name}@mail.`, isError: false });
    expect(mail.ran).toEqual([`whoami as ${name}@mail`]);
    expect(asked[0]?.message).toContain(`first at ${new URL(company.issuer).host} as yourself`);
    expect(asked[0]?.message).not.toMatch(/[A-Z]{4}-[A-Z]{4}|code/);
    await client.close();
  });

  it('tells a client that opens no pages the same, and has no code among its data', async () => {
    const { text, client } = await linkFor(await bridgeToken(name));
    expect(text).toContain('as yourself');
    const { _meta } = await client.callTool({ name: 'mail__whoami', arguments: {} });
    expect(_meta?.['switchboard/error']).toMatchObject({ code: 'SWB_LOGIN_NEEDED', url: expect.any(String) });
    expect(_meta?.['switchboard/error']).not.toHaveProperty('oneTimeCode');
    await client.close();
  });

  it('still asks holders of a key for the code', async () => {
    const { text, url, client } = await linkFor(key.key);
    expect(text).toMatch(/type the code [A-Z]{4}-[A-Z]{4}/);
    expect((await new Browser().visit(url)).text).toContain('name="code"');
    await client.close();
  });

  it.each(['entra', 'okta'] as const)(
    'asks for the code where tokens of %s name a person in another way',
    async (quirks) => {
      const other = await bridgeGateway(
        { login: { issuer: company.issuer, clientId: 'gateway', grant: 'local' } },
        {
          servers: { mail: { url: mail.url, kind: 'mcp' } },
          auth: { issuers: [{ issuer: company.issuer, grant: 'local', quirks }] },
          logLevel: 'silent',
        },
      );
      try {
        const claims = company.claims(other.endpoint, { sub: name, client_id: 'a-program' });
        const headers = { authorization: `Bearer ${await company.sign(claims, { typ: 'at+jwt' })}` };
        const call = { name: 'mail__whoami', arguments: {} };
        const { text } = await modern(other.endpoint, { headers }, 'tools/call', call);
        expect(text).toMatch(/type the code [A-Z]{4}-[A-Z]{4}/);
      } finally {
        await other.close();
      }
    },
  );

  it('can be tried again by who breaks the login off', async () => {
    const { url, client } = await linkFor(await bridgeToken(name));
    const browser = new Browser();
    const back = await company.login(await goOn(browser, url), name);
    back.searchParams.delete('code');
    back.searchParams.set('error', 'access_denied');
    const refused = await browser.visit(back);
    expect([refused.status, refused.text]).toEqual([403, expect.stringContaining(`href="${url}"`)]);
    expect((await logIn(browser, url, name, 'again@mail')).text).toContain('You are connected');
    expect((await whoami(client)).text).toBe('You are again@mail.');
    await client.close();
  });

  it('opened twice by the same person leads to one login, and says afterwards that it has ended', async () => {
    const { url, client } = await linkFor(await bridgeToken(name));
    const browser = new Browser();
    const [first, second] = [await goOn(browser, url), await goOn(browser, url)];
    const onward = await comeBackAs(name, browser, first);
    await browser.follow(await mailLogin.login(onward.next as URL, 'first@mail'), [bridge.origin]);
    // The other window goes on now.
    const late = await browser.follow(await company.login(second, name), [bridge.origin]);
    expect(late.text).toContain('You are connected');
    expect((await browser.visit(url)).text).not.toContain('<form');
    expect((await whoami(client)).text).toBe('You are first@mail.');
    await client.close();
  });
});

describe('the account of a person is not taken over', () => {
  let url: string;
  let client: Client;
  let attacker: Browser;
  let victim: Browser;
  let begun: number;

  const logins = (): number => mailLogin.requests.get('/auth') ?? 0;

  /** The attacker's calls still have no login. */
  async function nothingGained(): Promise<void> {
    expect(logins()).toBe(begun);
    expect((await whoami(client)).isError).toBe(true);
    expect(mail.ran).toEqual([]);
    await client.close();
  }

  beforeEach(async () => {
    ({ url, client } = await linkFor(await bridgeToken(name)));
    attacker = new Browser();
    victim = new Browser();
    begun = logins();
  });

  it('by a link that is sent to them: they are not who asked', async () => {
    const { status, text, next } = await comeBackAs('victim', victim, await goOn(victim, url));
    expect([status, next]).toEqual([403, undefined]);
    expect(text).toContain('This link is for somebody else');
    await nothingGained();
  });

  it('by a code that is sent with the link', async () => {
    const asked = await goOn(victim, url, { code: 'BCDF-GHJK' });
    expect((await comeBackAs('victim', victim, asked)).status).toBe(403);
    await nothingGained();
  });

  it('by an address of the company that the attacker got, and the victim follows', async () => {
    const asked = await goOn(attacker, url);
    await victim.visit(url);
    const back = await company.login(asked, 'victim');
    expect((await victim.visit(back)).status).toBe(403);
    // And the attacker cannot use what the victim brought back.
    expect((await attacker.visit(back)).status).toBe(403);
    await nothingGained();
  });

  it('by an address of the mail server that the attacker got as themselves, and the victim follows', async () => {
    const onward = await comeBackAs(name, attacker, await goOn(attacker, url));
    await victim.visit(url);
    const back = await victim.visit(await mailLogin.login(onward.next as URL, 'victim@mail'));
    expect(back.text).toContain('began in another browser');
    begun = logins();
    await nothingGained();
  });

  it('by an answer of the company that is replayed, or has no state, or one that never was', async () => {
    const back = await company.login(await goOn(victim, url), 'victim');
    expect((await victim.visit(back)).status).toBe(403);
    for (const state of [back.searchParams.get('state') ?? '', '', 'never-was']) {
      const again = new URL(back);
      again.searchParams.set('state', state);
      const { status, next } = await victim.visit(again);
      expect([status, next]).toEqual([403, undefined]);
    }
    await nothingGained();
  });

  it('by the state of another page, or the code of another login', async () => {
    const other = await linkFor(await bridgeToken(`${name}-victim`));
    const theirs = await company.login(await goOn(victim, other.url), `${name}-victim`);
    const own = await company.login(await goOn(attacker, url), name);
    for (const [browser, answer, state] of [
      [victim, theirs, own],
      [attacker, own, theirs],
    ] as const) {
      const swapped = new URL(answer);
      swapped.searchParams.set('state', String(state.searchParams.get('state')));
      expect((await browser.visit(swapped)).next).toBeUndefined();
    }
    await other.client.close();
    await nothingGained();
  });

  it('by the answer to a page in place of a client’s request', async () => {
    const back = await company.login(await goOn(victim, url), name);
    const { next } = await victim.visit(back);
    // It leads to the mail server, with no code for any client.
    expect(next?.origin).toBe(mailLogin.issuer);
    expect(next?.searchParams.has('code')).toBe(false);
    await nothingGained();
  });
});
