import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/core/testing/free-port.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { borrowBrowser } from '../pages/browser.ts';
import {
  ADMIN_TOKEN,
  authorizeUrl,
  type BridgeGateway,
  bridgeGateway,
  CURSOR,
  proofKey,
  register,
} from './bridge-gateway.ts';

/** A folder for pictures of the pages, for people who want to look at them. */
const PICTURES = process.env.SWITCHBOARD_PICTURES;
const HOSTILE = '<img src=x onerror="document.title=1">\u202Eedualc '.repeat(4);

let browser: Browser;
let client: Server;
let callback: string;
let company: Oidc;
let single: BridgeGateway;
let team: BridgeGateway;

beforeAll(async () => {
  browser = await borrowBrowser();
  client = createServer((req, res) => res.setHeader('content-type', 'text/plain').end(`came back: ${req.url}`));
  client.listen(0, '127.0.0.1');
  await once(client, 'listening');
  callback = `http://127.0.0.1:${(client.address() as AddressInfo).port}/callback`;
  const port = await freePort();
  company = await startOidc({
    clients: [
      {
        client_id: 'gateway',
        token_endpoint_auth_method: 'none',
        redirect_uris: [`http://127.0.0.1:${port}/authorize/callback`],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
  });
  single = await bridgeGateway({ login: 'admin-token' });
  team = await bridgeGateway({ login: { issuer: company.issuer, clientId: 'gateway', grant: 'local' } }, { port });
});
afterAll(async () => {
  await Promise.all([single.close(), team.close()]);
  await company.close();
  client.close();
});

async function inPage(options: BrowserContextOptions, use: (page: Page) => Promise<void>): Promise<void> {
  const context = await browser.newContext(options);
  try {
    await use(await context.newPage());
  } finally {
    await context.close();
  }
}

/** The address at which a newly registered client begins. */
async function begin(bridge: BridgeGateway, name = 'Claude Code', redirectUri = callback): Promise<string> {
  const redirect_uris = [callback, CURSOR.redirect_uris[0]];
  const clientId = await register(bridge, { ...CURSOR, client_name: name, redirect_uris });
  return authorizeUrl(bridge, { clientId, redirectUri, challenge: proofKey().challenge }).href;
}

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES !== undefined) await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true });
}

describe('in Chromium', () => {
  it.each([true, false])('a person logs in with the admin token, with JavaScript: %s', async (javaScriptEnabled) => {
    await inPage({ javaScriptEnabled }, async (page) => {
      const problems: string[] = [];
      page.on('console', (message) => problems.push(message.text()));
      await page.goto(await begin(single));
      await page.getByLabel('Admin token').fill('a wrong one, to see what happens');
      await page.getByRole('button', { name: 'Log in and allow' }).click();
      await page.getByRole('alert').waitFor();
      expect(await page.getByRole('alert').textContent()).toBe('This is not the admin token.');
      await picture(page, 'wrong-token');
      await page.getByLabel('Admin token').fill(ADMIN_TOKEN);
      await page.getByLabel('Admin token').press('Enter');
      await page.waitForURL(`${callback}?*`);
      expect(await page.textContent('body')).toMatch(/came back: \/callback\?code=.*&state=a-state&iss=/);
      expect(problems.filter((text) => /Content Security Policy|form-action/i.test(text))).toEqual([]);
    });
  });

  it.each([true, false])(
    'a person consents and logs in at the company, with JavaScript: %s',
    async (javaScriptEnabled) => {
      await inPage({ javaScriptEnabled }, async (page) => {
        await page.goto(await begin(team));
        await page.getByRole('button', { name: 'Allow' }).click();
        await page.waitForURL(`${callback}?*`);
        expect(await page.textContent('body')).toContain('came back: /callback?code=');
      });
    },
  );

  it('a person who says no is sent back', async () => {
    await inPage({ javaScriptEnabled: false }, async (page) => {
      await page.goto(await begin(single));
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.waitForURL(`${callback}?*`);
      expect(page.url()).toContain('error=access_denied');
    });
  });

  it('the way to an app is not blocked by the policy of the page', async () => {
    await inPage({}, async (page) => {
      const problems: string[] = [];
      page.on('console', (message) => problems.push(message.text()));
      await page.goto(await begin(single, 'Cursor', CURSOR.redirect_uris[0]));
      await page.getByLabel('Admin token').fill(ADMIN_TOKEN);
      const sent = page.waitForResponse((reply) => /\/authorize\/[\w-]{20,}$/.test(new URL(reply.url()).pathname));
      await page.getByRole('button', { name: 'Log in and allow' }).click();
      expect((await sent).headers().location).toMatch(/^cursor:\/\/anysphere\.cursor-mcp\/oauth\/callback\?code=/);
      expect(problems.filter((text) => /Content Security Policy/i.test(text))).toEqual([]);
    });
  });

  it('a hostile name runs nothing and breaks no page', async () => {
    await inPage({ viewport: { width: 360, height: 740 } }, async (page) => {
      await page.goto(await begin(single, HOSTILE.slice(0, 200)));
      expect(await page.title()).toBe('Log in to allow access – Switchboard');
      expect(await page.locator('img').count()).toBe(0);
      const wide = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');
      expect(wide).toBe(false);
      await picture(page, 'hostile-phone');
    });
  });

  it('no page can frame the consent page', async () => {
    await inPage({}, async (page) => {
      const url = await begin(single);
      await page.goto(callback);
      await page.evaluate((src) => {
        const frame = Object.assign(
          (globalThis as unknown as { document: DocumentLike }).document.createElement('iframe'),
          { src },
        );
        (globalThis as unknown as { document: DocumentLike }).document.body.append(frame);
      }, url);
      await expect.poll(() => page.frames().length).toBe(2);
      const [, frame] = page.frames();
      await expect.poll(() => frame?.url()).toMatch(/^chrome-error:/);
    });
  });

  it.each([
    ['light', 1024],
    ['dark', 360],
  ] as const)('pages are accessible in %s at %i pixels', async (colorScheme, width) => {
    await inPage({ colorScheme, viewport: { width, height: 780 }, bypassCSP: true }, async (page) => {
      const check = async (name: string): Promise<void> => {
        await picture(page, `${name}-${colorScheme}-${width}`);
        await page.evaluate(axe.source);
        const { violations } = (await page.evaluate(
          'axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })',
        )) as { violations: { id: string; nodes: { html: string }[] }[] };
        expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
      };
      await page.goto(await begin(single));
      await check('token');
      await page.goto(await begin(team));
      await check('consent');
      await page.goto(`${single.origin}/authorize?client_id=nobody`);
      await check('error');
    });
  });
});

interface DocumentLike {
  createElement(name: string): object;
  body: { append(element: object): void };
}
