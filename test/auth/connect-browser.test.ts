/** The pages of a login for a call in a real browser: with and without JavaScript, light and dark, on a screen and on a phone. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newKey } from '../../src/auth/key.ts';
import { freePort } from '../../src/core/testing/free-port.ts';
import { modern } from '../attacks/talk.ts';
import { type OauthMcp, startOauthMcp } from '../fixtures/mcp/oauth.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { borrowBrowser, violations, type Watched, watchedPage } from '../pages/browser.ts';
import { type BridgeGateway, bridgeGateway } from './bridge-gateway.ts';

/** A folder for pictures of the pages, for people who want to look at them. */
const PICTURES = process.env.SWITCHBOARD_PICTURES;
let browser: Browser;
let company: Oidc;
let mailLogin: Oidc;
let mail: OauthMcp;
let bridge: BridgeGateway;
const keys = Array.from({ length: 16 }, () => newKey());
let used = 0;
let people = 0;

beforeAll(async () => {
  const port = await freePort();
  [browser, company, mailLogin] = await Promise.all([
    borrowBrowser(),
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
  mail = await startOauthMcp(mailLogin.issuer);
  bridge = await bridgeGateway(
    { login: { issuer: company.issuer, clientId: 'gateway', grant: 'local' } },
    {
      port,
      servers: { mail: { url: mail.url, kind: 'mcp' } },
      auth: { issuers: [{ issuer: company.issuer, grant: 'local' }] },
      grants: Object.fromEntries(keys.map(({ stored }, n) => [`team-${n}`, { key: stored }])),
      defaultPolicy: { version: '1', default: 'allow' },
      logLevel: 'silent',
    },
  );
});
afterAll(async () => {
  await bridge?.close();
  await mail?.close();
  await Promise.all([company?.close(), mailLogin?.close()]);
});

interface Asked {
  url: string;
  code: string;
}

async function ask(bearer: string): Promise<Asked> {
  const headers = { authorization: `Bearer ${bearer}` };
  const { text } = await modern(bridge.endpoint, { headers }, 'tools/call', { name: 'mail__whoami', arguments: {} });
  const url = /http:[^\s"\\]+\/connect\/[\w-]{22}/.exec(text)?.[0];
  if (url === undefined) throw new Error(text);
  return { url, code: /[A-Z]{4}-[A-Z]{4}/.exec(text)?.[0] ?? '' };
}

/** A page that asks for a code: the holder of a key has made the call. */
const askedByKey = (): Promise<Asked> => ask(keys[used++]?.key ?? '');

/** A page for a person of the company. */
const askedBy = async (account: string): Promise<Asked> =>
  ask(await company.sign(company.claims(bridge.endpoint, { sub: account, client_id: 'a' }), { typ: 'at+jwt' }));

async function inPage(use: (watched: Watched) => Promise<void>, options: Parameters<typeof watchedPage>[1] = {}) {
  const watched = await watchedPage(browser, options);
  try {
    await use(watched);
    // Chromium also says there that a page had a status of 4xx.
    expect(watched.problems.filter((each) => !/the server responded with a status of 4\d\d/.test(each))).toEqual([]);
  } finally {
    await watched.page.context().close();
  }
}

/** Pages lead on by themselves: this one stays, as in a browser that does not follow `Refresh`. */
async function withoutRefresh(page: Page): Promise<void> {
  await page.route(`${bridge.origin}/connect/*`, async (route) => {
    const response = await route.fetch({ maxRedirects: 0 });
    const { refresh: _, ...headers } = response.headers();
    await route.fulfill({ response, headers });
  });
}

const goOn = (page: Page) => page.getByRole('button', { name: 'Go on to log in' }).click();
const titled = (page: Page, name: string) => page.getByRole('heading', { level: 1, name }).waitFor();

describe('in Chromium', () => {
  it.each([true, false])('a person types the code and logs in, with JavaScript: %s', async (javaScript) => {
    const { url, code } = await askedByKey();
    await inPage(
      async ({ page }) => {
        await page.goto(url);
        await page.getByLabel('Code that your client shows with the link').fill(code.toLowerCase());
        await page.keyboard.press('Enter');
        await titled(page, 'You are connected');
        expect(page.url()).toBe(url);
      },
      { javaScript },
    );
    expect(mail.ran).toEqual([]);
  });

  it.each([true, false])(
    'a person logs in as who they are, and then at the server, with JavaScript: %s',
    async (javaScript) => {
      const account = `person-${++people}`;
      const { url } = await askedBy(account);
      await inPage(
        async ({ page }) => {
          await page.route(`${company.issuer}/auth?*`, (route) =>
            route.continue({ url: `${route.request().url()}&login_hint=${account}` }),
          );
          await page.goto(url);
          expect(await page.getByRole('textbox').count()).toBe(0);
          await goOn(page);
          await titled(page, 'You are connected');
          expect(page.url()).toBe(url);
        },
        { javaScript },
      );
    },
  );

  it('a page whose browser does not lead on has a link that does', async () => {
    const { url, code } = await askedByKey();
    await inPage(async ({ page }) => {
      await withoutRefresh(page);
      await page.goto(url);
      await page.getByRole('textbox').fill(code);
      await goOn(page);
      await page.getByRole('link', { name: 'Go on' }).click();
      await titled(page, 'You are connected');
    });
  });

  it.each([
    ['light', 1024],
    ['dark', 360],
  ] as const)('every page is accessible and fits in %s at %i pixels', async (scheme, width) => {
    const look = async ({ page }: Watched, name: string): Promise<void> => {
      if (PICTURES !== undefined)
        await page.screenshot({ path: `${PICTURES}/${name}-${scheme}-${width}.png`, fullPage: true });
      expect(await violations(page), name).toEqual([]);
      const wide = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');
      expect(wide, name).toBe(false);
    };
    const size = { scheme, width, height: 780 };
    await inPage(async (watched) => {
      const { page } = watched;
      const { url, code } = await askedByKey();
      await withoutRefresh(page);
      await page.goto(url);
      await look(watched, 'code');
      await page.getByRole('textbox').fill('BBBB-BBBB');
      await goOn(page);
      await page.getByRole('alert').waitFor();
      await look(watched, 'wrong-code');
      await page.getByRole('textbox').fill(code);
      await goOn(page);
      await titled(page, 'On to the login');
      await look(watched, 'onward');
      // The person says no there.
      const asked = new URL((await page.getByRole('link', { name: 'Go on' }).getAttribute('href')) ?? '');
      const refused = { state: asked.searchParams.get('state') ?? '', error: 'access_denied', iss: mailLogin.issuer };
      await page.goto(`${bridge.origin}/connect/callback?${new URLSearchParams(refused)}`);
      await titled(page, 'You are not connected');
      await look(watched, 'refused');
      await page.getByRole('link', { name: 'Try again' }).click();
      await page.getByRole('textbox').fill(code);
      await goOn(page);
      await page.getByRole('link', { name: 'Go on' }).click();
      await titled(page, 'You are connected');
      await look(watched, 'connected');
      await page.goto(`${bridge.origin}/connect/${'A'.repeat(22)}`);
      await titled(page, 'This link is not valid');
      await look(watched, 'gone');
    }, size);
    await inPage(async (watched) => {
      const { page } = watched;
      const { url } = await askedBy('somebody-with-a-rather-long-name@engineering.company.example');
      await withoutRefresh(page);
      await page.goto(url);
      await look(watched, 'person');
      await goOn(page);
      await titled(page, 'On to the login');
      await look(watched, 'onward-as-person');
      await page.getByRole('link', { name: 'Go on' }).click();
      await titled(page, 'This link is for somebody else');
      await look(watched, 'other-person');
    }, size);
  });
});
