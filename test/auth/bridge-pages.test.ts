import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ADMIN_TOKEN,
  askedPage,
  authorizeUrl,
  type BridgeGateway,
  bridgeGateway,
  CURSOR,
  proofKey,
  register,
} from './bridge-gateway.ts';
import { Browser, hiddenFields } from './browser.ts';

const LOOPBACK = 'http://localhost:8787/callback';
const ALLOW = { answer: 'allow', token: ADMIN_TOKEN };

let bridge: BridgeGateway;
let clientId: string;

beforeAll(async () => {
  bridge = await bridgeGateway({ login: 'admin-token' });
  clientId = await register(bridge);
});
afterAll(() => bridge.close());

const flow = (more: Partial<Parameters<typeof authorizeUrl>[1]> = {}) => ({
  clientId,
  redirectUri: LOOPBACK,
  challenge: proofKey().challenge,
  ...more,
});

describe('the consent page', () => {
  it('names client, host of the redirect URI, endpoint and scope', async () => {
    const page = await askedPage(bridge, flow({ redirectUri: CURSOR.redirect_uris[1] as string }));
    expect(page.status).toBe(200);
    for (const text of ['Cursor', 'www.cursor.com', 'A website', bridge.endpoint, 'nobody has checked it']) {
      expect(page.text).toContain(text);
    }
  });

  it('cannot be framed, stored or given a script', async () => {
    const page = await askedPage(bridge, flow());
    const policy = page.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("form-action 'self' http://localhost:8787");
    expect(page.headers.get('x-frame-options')).toBe('DENY');
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.text).not.toMatch(/<script/i);
  });

  it.each([
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onfocus='alert(1)",
    '\u202Erosruc\u2066',
    'Claude\u0000\u200B\nVerified by the operator',
    '<bdi></bdi><!--',
  ])('shows the client name %j as text', async (name) => {
    const page = await askedPage(bridge, flow({ clientId: await register(bridge, { ...CURSOR, client_name: name }) }));
    expect(page.status).toBe(200);
    expect(page.text).not.toMatch(/<script|<img|onfocus='|\u202e|\u2066|\u200b|<!--/i);
    expect(page.text.match(/<bdi>/g)?.length).toBe(page.text.match(/<\/bdi>/g)?.length);
  });

  it('shows hostile values of the request as text, or refuses them', async () => {
    const hostile = flow({ state: '"><script>alert(1)</script>', scope: 'mcp <script>' });
    const page = await askedPage(bridge, hostile);
    expect(page.text).not.toContain('<script>');
    const unknown = await askedPage(bridge, flow({ clientId: '<script>alert(1)</script>' }));
    expect(unknown.status).toBe(400);
    expect(unknown.text).not.toContain('<script>');
  });

  it('is for the browser that began the request alone', async () => {
    const page = await askedPage(bridge, flow());
    const other = new Browser();
    expect((await other.visit(page.url)).status).toBe(403);
    await askedPage(bridge, flow(), other);
    expect((await other.visit(page.url)).status).toBe(403);
    const body = new URLSearchParams({ ...hiddenFields(page.text), ...ALLOW });
    expect((await other.visit(page.url, { method: 'POST', body, headers: { origin: bridge.origin } })).status).toBe(
      403,
    );
  });

  it('takes no form of another request, though it is the same browser’s', async () => {
    const browser = new Browser();
    const first = await askedPage(bridge, flow(), browser);
    const second = await askedPage(bridge, flow({ redirectUri: CURSOR.redirect_uris[0] as string }), browser);
    const body = new URLSearchParams({ ...hiddenFields(first.text), ...ALLOW });
    const sent = await browser.visit(second.url, { method: 'POST', body, headers: { origin: bridge.origin } });
    expect(sent.status).toBe(403);
    expect(sent.next).toBeUndefined();
  });

  it.each([
    ['without the token of the form', {}, {}],
    ['from a page of another site', undefined, { origin: 'https://evil.example' }],
    ['from a page of another port', undefined, { origin: 'http://127.0.0.1:1' }],
    ['from a page without an origin', undefined, { origin: 'null' }],
    ['across sites, by what the browser says', undefined, { 'sec-fetch-site': 'cross-site' }],
    ['of another media type', undefined, { 'content-type': 'text/plain' }],
  ])('takes no form %s', async (_how, hidden, headers) => {
    const browser = new Browser();
    const page = await askedPage(bridge, flow(), browser);
    const body = new URLSearchParams({ ...(hidden ?? hiddenFields(page.text)), ...ALLOW });
    const all = { origin: bridge.origin, 'content-type': 'application/x-www-form-urlencoded', ...headers } as Record<
      string,
      string
    >;
    const sent = await browser.visit(page.url, { method: 'POST', body: body.toString(), headers: all });
    expect(sent.status).toBeGreaterThanOrEqual(400);
    expect(sent.next).toBeUndefined();
    // The person may still answer.
    expect((await browser.submit(page, ALLOW)).status).toBe(303);
  });

  it('leads back with access_denied, state and issuer when the person says no', async () => {
    const browser = new Browser();
    const page = await askedPage(bridge, flow({ state: 'state-1' }), browser);
    const { next } = await browser.submit(page, { answer: 'deny' });
    const end = await browser.follow(next as URL, [bridge.origin]);
    expect(end.next?.href.startsWith(`${LOOPBACK}?`)).toBe(true);
    expect(Object.fromEntries(end.next?.searchParams ?? [])).toMatchObject({
      error: 'access_denied',
      state: 'state-1',
      iss: bridge.origin,
    });
  });

  it('answers once', async () => {
    const browser = new Browser();
    const page = await askedPage(bridge, flow(), browser);
    expect((await browser.submit(page, ALLOW)).status).toBe(303);
    expect((await browser.submit(page, ALLOW)).status).toBe(403);
    expect((await browser.visit(page.url)).status).toBe(403);
  });

  it('is asked anew for every request, whoever logged in before in this browser', async () => {
    const browser = new Browser();
    const page = await askedPage(bridge, flow(), browser);
    const { next } = await browser.submit(page, ALLOW);
    await browser.follow(next as URL, [bridge.origin]);
    const again = await askedPage(bridge, flow(), browser);
    expect(again.text).toContain('name="token"');
    const silent = await browser.visit(authorizeUrl(bridge, flow({ more: { prompt: 'none' } })));
    expect(silent.next?.searchParams.get('error')).toMatch(/_required$/);
    expect(silent.next?.searchParams.has('code')).toBe(false);
  });

  it('gives no code to a browser that did not begin the request', async () => {
    const browser = new Browser();
    const page = await askedPage(bridge, flow(), browser);
    const { next } = await browser.submit(page, ALLOW);
    const thief = await new Browser().visit(next as URL);
    expect(thief.next).toBeUndefined();
    expect(thief.status).toBe(400);
  });

  it('keeps two logins at one time apart in one browser', async () => {
    const browser = new Browser();
    const pages = [
      await askedPage(bridge, flow({ state: 'one' }), browser),
      await askedPage(bridge, flow({ state: 'two' }), browser),
    ];
    for (const [index, page] of pages.entries()) {
      const { next } = await browser.submit(page, ALLOW);
      const end = await browser.follow(next as URL, [bridge.origin]);
      expect(end.next?.searchParams.get('state')).toBe(['one', 'two'][index]);
      expect(end.next?.searchParams.has('code')).toBe(true);
    }
  });
});

describe('the admin token on the page', () => {
  it('is compared, refused with a word, and stands in no page', async () => {
    const browser = new Browser();
    const page = await askedPage(bridge, flow(), browser);
    const refused = await browser.submit(page, { answer: 'allow', token: 'a-guess-at-the-token' });
    expect(refused.status).toBe(403);
    expect(refused.text).toContain('This is not the admin token.');
    expect(refused.text).not.toContain('a-guess-at-the-token');
    expect((await browser.submit(page, ALLOW)).status).toBe(303);
  });

  it('cannot be guessed: wrong ones are counted, in all browsers together', async () => {
    const guessed = await bridgeGateway({ login: 'admin-token' });
    try {
      const id = await register(guessed);
      const pages = await Promise.all(
        [new Browser(), new Browser()].map(async (browser) => ({
          browser,
          page: await askedPage(
            guessed,
            { clientId: id, redirectUri: LOOPBACK, challenge: proofKey().challenge },
            browser,
          ),
        })),
      );
      const texts: string[] = [];
      for (let attempt = 0; attempt < 12; attempt++) {
        const { browser, page } = pages[attempt % 2] as (typeof pages)[0];
        texts.push((await browser.submit(page, { answer: 'allow', token: `guess-${attempt}` })).text);
      }
      expect(texts.filter((text) => text.includes('not the admin token'))).toHaveLength(10);
      expect(texts.filter((text) => text.includes('Too many attempts'))).toHaveLength(2);
      const { browser, page } = pages[0] as (typeof pages)[0];
      expect((await browser.submit(page, ALLOW)).next).toBeUndefined();
    } finally {
      await guessed.close();
    }
  });
});

describe('cookies of the bridge', () => {
  it('are HttpOnly and Lax, and the provider keeps no session', async () => {
    const reply = await fetch(authorizeUrl(bridge, flow()), { redirect: 'manual' });
    const cookies = reply.headers.getSetCookie();
    expect(cookies.length).toBeGreaterThan(0);
    for (const cookie of cookies) expect(cookie).toMatch(/; *httponly/i);
    for (const cookie of cookies) expect(cookie).toMatch(/; *samesite=lax/i);
    expect(cookies.join('\n')).not.toContain('switchboard-none');
  });

  it('are Secure where the public address is https, and the one of the browser has the prefix __Host-', async () => {
    const secure = await bridgeGateway({ login: 'admin-token' }, { publicUrl: 'https://gateway.example' });
    try {
      const id = await register(secure);
      const url = authorizeUrl(
        { ...secure, endpoint: 'https://gateway.example/mcp' },
        { clientId: id, redirectUri: LOOPBACK, challenge: proofKey().challenge },
      );
      const reply = await fetch(url, { redirect: 'manual' });
      expect(reply.headers.get('location')).toMatch(/^https:\/\/gateway\.example\/authorize\/request\//);
      const cookies = reply.headers.getSetCookie();
      for (const cookie of cookies) expect(cookie).toMatch(/; *secure/i);
      const host = cookies.find((cookie) => cookie.startsWith('__Host-switchboard='));
      expect(host).toMatch(/; Path=\/;/);
      expect(host).not.toMatch(/domain/i);
    } finally {
      await secure.close();
    }
  });
});
