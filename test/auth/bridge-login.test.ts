import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/core/testing/free-port.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { askedPage, type BridgeGateway, bridgeGateway, CURSOR, proofKey, register, token } from './bridge-gateway.ts';
import { Browser } from './browser.ts';

const SECRET = 'the-secret-of-the-gateway-0123456789';
const LOOPBACK = 'http://localhost:8787/callback';

let company: Oidc;
let bridge: BridgeGateway;
let clientId: string;

beforeAll(async () => {
  const port = await freePort();
  company = await startOidc({
    groups: { alice: ['engineers'], bob: ['sales'] },
    clients: [
      {
        client_id: 'gateway',
        client_secret: SECRET,
        redirect_uris: [`http://127.0.0.1:${port}/authorize/callback`],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    more: { claims: { openid: ['sub', 'groups'] }, conformIdTokenClaims: false },
  });
  bridge = await bridgeGateway(
    {
      login: {
        issuer: company.issuer,
        clientId: 'gateway',
        clientSecret: SECRET,
        grants: [{ claim: 'groups', value: 'engineers', grant: 'team' }],
      },
    },
    { port, grants: { team: {} } },
  );
  clientId = await register(bridge);
});
afterAll(async () => {
  await bridge.close();
  await company.close();
});

const flow = (more: object = {}) => ({ clientId, redirectUri: LOOPBACK, challenge: proofKey().challenge, ...more });

/** Consents, and gives the callback's address with the company's answer. */
async function consentAndLogin(browser: Browser, account: string, more: object = {}): Promise<URL> {
  const page = await askedPage(bridge, flow(more), browser);
  const sent = await browser.submit(page, { answer: 'allow' });
  return company.login(sent.next as URL, account);
}

describe('a login at the company’s OIDC provider', () => {
  it('begins after the person consented, with state, nonce and a proof key', async () => {
    const browser = new Browser();
    const page = await askedPage(bridge, flow(), browser);
    expect(page.text).not.toContain('name="token"');
    expect(browser.trail.every((url) => url.startsWith(bridge.origin))).toBe(true);
    const sent = await browser.submit(page, { answer: 'allow' });
    expect(sent.status).toBe(200);
    expect(sent.text).toContain('Continue');
    const asked = sent.next as URL;
    expect(asked.origin).toBe(company.issuer);
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      client_id: 'gateway',
      redirect_uri: `${bridge.origin}/authorize/callback`,
      scope: 'openid',
      code_challenge_method: 'S256',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    });
    // What the client chose is the client's.
    expect(asked.searchParams.get('state')).not.toBe('a-state');
  });

  it('gives a token of the person at the company, with the grant of its claims', async () => {
    const { verifier, challenge } = proofKey();
    const browser = new Browser();
    const callback = await consentAndLogin(browser, 'alice', { challenge });
    const end = await browser.follow(callback, [bridge.origin]);
    expect(end.next?.href.startsWith(`${LOOPBACK}?code=`)).toBe(true);
    const { status, body } = await token(bridge, {
      grant_type: 'authorization_code',
      code: String(end.next?.searchParams.get('code')),
      redirect_uri: LOOPBACK,
      client_id: clientId,
      code_verifier: verifier,
    });
    expect(status).toBe(200);
    const claims = JSON.parse(Buffer.from(String(body.access_token).split('.')[1] ?? '', 'base64url').toString());
    expect(claims.switchboard).toMatchObject({ principal: `${company.issuer}#alice`, grant: 'team' });
    expect(JSON.stringify(claims)).not.toContain('engineers');
  });

  it('refuses who has no grant, in a page that says so', async () => {
    const browser = new Browser();
    const end = await browser.follow(await consentAndLogin(browser, 'bob'), [bridge.origin]);
    expect(end.status).toBe(403);
    expect(end.next).toBeUndefined();
    expect(end.text).toContain('nothing here is open to you');
  });

  it('is taken from the browser that began it, once, and with its own state', async () => {
    const browser = new Browser();
    const callback = await consentAndLogin(browser, 'alice');
    // The account of an attacker is not put into the browser of another person.
    const victim = new Browser();
    await askedPage(bridge, flow(), victim);
    expect((await victim.visit(callback)).status).toBe(403);
    expect((await browser.visit(callback)).status).toBe(403);
    const wrong = new URL(await consentAndLogin(browser, 'alice'));
    wrong.searchParams.set('state', 'made-up');
    expect((await browser.visit(wrong)).status).toBe(403);
  });

  it('is refused when another issuer answers, or none', async () => {
    for (const change of [
      (url: URL) => url.searchParams.set('iss', 'https://evil.example'),
      (url: URL) => url.searchParams.delete('iss'),
    ]) {
      const browser = new Browser();
      const callback = new URL(await consentAndLogin(browser, 'alice'));
      change(callback);
      const end = await browser.visit(callback);
      expect(end.status).toBe(403);
      expect(end.text).toContain('did not come from your login provider');
    }
  });

  it('is refused with a code that is not of this login', async () => {
    const browser = new Browser();
    const first = await consentAndLogin(browser, 'alice');
    const second = await consentAndLogin(browser, 'alice');
    second.searchParams.set('code', String(first.searchParams.get('code')));
    const end = await browser.visit(second);
    expect(end.status).toBe(403);
    expect(end.next).toBeUndefined();
  });

  it('that the person breaks off says so', async () => {
    const browser = new Browser();
    const callback = await consentAndLogin(browser, 'alice');
    callback.searchParams.delete('code');
    callback.searchParams.set('error', 'access_denied');
    expect((await browser.visit(callback)).text).toContain('did not log you in');
  });

  it('is not possible while the provider is away, and the page says to try again', async () => {
    const port = await freePort();
    const away = await bridgeGateway(
      { login: { issuer: `http://127.0.0.1:${await freePort()}`, clientId: 'x' } },
      { port, logLevel: 'silent' },
    );
    try {
      const browser = new Browser();
      const id = await register(away, CURSOR);
      const page = await askedPage(away, { ...flow(), clientId: id }, browser);
      const sent = await browser.submit(page, { answer: 'allow' });
      expect(sent.status).toBe(502);
      expect(sent.text).not.toContain('127.0.0.1');
    } finally {
      await away.close();
    }
  });
});
