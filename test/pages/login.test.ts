/** Logging in to the pages at an identity provider, in a real browser before a real gateway and a real provider. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../src/core/testing/free-port.ts';
import { ADMIN_TOKEN, CLIENT, clientAt, withClaims } from '../auth/operator.ts';
import { type ServedGateway, serveGateway } from '../e2e/gateway.ts';
import { EVERYTHING } from '../e2e/upstreams/everything.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { borrowBrowser, go, reported, violations, type Watched, watchedPage } from './browser.ts';

const PEOPLE = {
  ada: { groups: ['platform'], preferred_username: 'ada <b>& co</b>' },
  vic: { groups: ['support'], preferred_username: 'vic' },
  bob: { groups: ['sales'], preferred_username: 'bob' },
};

let browser: Browser;
let company: Oidc;
let gateway: ServedGateway;
let origin: string;
let watched: Watched;

beforeAll(async () => {
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  company = await startOidc({ clients: [clientAt(origin)], more: withClaims(PEOPLE) });
  const login = {
    issuer: company.issuer,
    ...CLIENT,
    admins: [{ claim: 'groups', value: 'platform' }],
    viewers: [{ claim: 'groups', value: 'support' }],
  };
  [browser, gateway] = await Promise.all([
    borrowBrowser(),
    serveGateway({
      servers: { everything: EVERYTHING },
      gateway: { port, publicUrl: origin, adminToken: ADMIN_TOKEN, admin: { login } },
    }),
  ]);
});
afterAll(async () => {
  await gateway?.close();
  await company?.close();
});

beforeEach(async () => {
  watched = await watchedPage(browser);
});
afterEach(async () => {
  await watched.page.context().close();
  expect(watched.problems).toEqual([]);
});

const at = (): string => new URL(company.issuer).host;

/** Who the browser is at the provider. */
async function as(page: Page, account: string): Promise<void> {
  await page.route(`${company.issuer}/auth?*`, (route) =>
    route.continue({ url: `${route.request().url()}&login_hint=${account}` }),
  );
}

const press = (page: Page): Promise<void> => page.getByRole('button', { name: `Log in with ${at()}` }).click();

describe('the login at a provider', () => {
  it('opens the pages under the person’s name, which stays text, until they log out', async () => {
    const { page } = watched;
    await as(page, 'ada');
    await page.goto(`${origin}/admin/`);
    await page.getByRole('heading', { level: 1, name: 'Log in' }).waitFor();
    await page.getByRole('button', { name: `Log in with ${at()}` }).waitFor();
    expect(await violations(page)).toEqual([]);
    await press(page);
    await page.getByRole('heading', { level: 1, name: 'Servers' }).waitFor();
    const pages = page.getByRole('navigation', { name: 'Pages' });
    expect(await pages.textContent()).toContain('Logged in as ada <b>& co</b>');
    // Neither the code nor anything else of the login stays in the address.
    expect(page.url()).toBe(`${origin}/admin/`);
    expect(await violations(page)).toEqual([]);
    const cookies = await page.context().cookies(origin);
    expect(cookies.filter(({ name }) => name.startsWith('swb-admin'))).toSatisfy((all: typeof cookies) =>
      all.every(({ httpOnly }) => httpOnly),
    );
    await page.reload();
    await pages.getByText('Logged in as').waitFor();
    await go(page, 'Approvals');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: `Log in with ${at()}` }).waitFor();
    expect(await page.evaluate("localStorage.getItem('switchboard-key')")).toBeNull();
    const there = page.getByRole('link', { name: 'Log out there, too' });
    expect(new URL((await there.getAttribute('href')) ?? '').host).toBe(at());
    expect(await violations(page)).toEqual([]);
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: 'Log in' }).waitFor();
  });

  it('shows who may only look that it is so, and what they cannot change', async () => {
    const { page, problems } = watched;
    await as(page, 'vic');
    await page.goto(`${origin}/admin/`);
    await press(page);
    const everything = page.locator('[data-server=everything]');
    await everything.getByText('ready').waitFor();
    await page.getByText('You may look, and change nothing.').waitFor();
    expect(await violations(page)).toEqual([]);
    await everything.getByRole('button', { name: /restart/i }).click();
    await page.getByRole('alert').filter({ hasText: 'You may look at these pages, and change nothing.' }).waitFor();
    await reported(problems, '403');
  });

  it('tells a person to whom nothing is open who they are, and leads back to the login', async () => {
    const { page, problems } = watched;
    await as(page, 'bob');
    await page.goto(`${origin}/admin/`);
    await press(page);
    await page.getByRole('heading', { level: 1, name: 'Nothing here is open to you' }).waitFor();
    expect(await page.getByRole('main').textContent()).toMatch(/logged in as\s*bob/i);
    expect(await violations(page)).toEqual([]);
    await reported(problems, '403');
    await page.getByRole('link', { name: 'Back to the login' }).click();
    await page.getByLabel('Admin token').fill(ADMIN_TOKEN);
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    expect(await page.getByRole('navigation', { name: 'Pages' }).textContent()).not.toContain('Logged in as');
  });

  it('says where it begins, at another address of the gateway', async () => {
    const { page } = watched;
    await as(page, 'ada');
    const { port } = new URL(origin);
    // Chromium resolves it to loopback by itself.
    await page.goto(`http://localhost:${port}/admin/`);
    watched.problems.splice(0);
    const link = page.getByRole('link', { name: `Log in with ${at()}, at 127.0.0.1:${port}` });
    await link.waitFor();
    expect(await violations(page)).toEqual([]);
    await link.click();
    await press(page);
    await page.getByText('Logged in as').waitFor();
    watched.problems.splice(0);
  });

  it.each([
    ['a phone in the dark', { width: 375, height: 700, scheme: 'dark' }],
    ['a narrow window', { width: 820, height: 900 }],
  ] as const)('fits %s', async (_what, look) => {
    await watched.page.context().close();
    watched = await watchedPage(browser, look);
    const { page } = watched;
    await as(page, 'ada');
    await page.goto(`${origin}/admin/`);
    await page.getByRole('button', { name: `Log in with ${at()}` }).waitFor();
    expect(await violations(page)).toEqual([]);
    await press(page);
    await page.getByText('Logged in as').waitFor();
    await page.locator('[data-server=everything]').getByText('ready').waitFor();
    expect(await violations(page)).toEqual([]);
    const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    expect(overflow).toBeLessThanOrEqual(0);
  });
});
