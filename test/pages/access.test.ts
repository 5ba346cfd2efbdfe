/** Keys, limits and connections on the page of policy and grants, in a real browser before a real gateway. */
import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { connectClient } from '../e2e/clients.ts';
import { type ServedGateway, serveGateway } from '../e2e/gateway.ts';
import { EVERYTHING } from '../e2e/upstreams/everything.ts';
import { type OauthMcp, startOauthMcp } from '../fixtures/mcp/oauth.ts';
import { type Oidc, startOidc } from '../fixtures/oidc.ts';
import { borrowBrowser, go, loggedInPage, SOON, violations, type Watched } from './browser.ts';

const POLICY = {
  version: '1',
  default: 'allow',
  all_tools: { limits: [{ counter: 'calls', window: 'day', max: 10 }] },
  tools: {
    everything__echo: { limits: [{ counter: 'echoes', window: 'day', max: 4, scope: 'server' }] },
    'everything__get-sum': { limits: [{ counter: 'sums', window: 'hour', max: 5 }] },
  },
};

let browser: Browser;
let oidc: Oidc;
let mail: OauthMcp;
let gateway: ServedGateway;
let watched: Watched;

beforeAll(async () => {
  oidc = await startOidc();
  mail = await startOauthMcp(oidc.issuer);
  [browser, gateway] = await Promise.all([
    borrowBrowser(),
    serveGateway({ servers: { everything: EVERYTHING, mail: { url: mail.url } }, gateway: { policy: POLICY } }),
  ]);
});

afterAll(async () => {
  await gateway?.close();
  await mail?.close();
  await oidc?.close();
});

beforeEach(async () => {
  watched = await loggedInPage(browser, gateway);
  await watched.page.locator('[data-server=everything]').getByText('ready').waitFor();
});

afterEach(async () => {
  await watched.page.context().close();
  expect(watched.problems).toEqual([]);
});

it('limits are shown with what calls have used of them, of whom, and when that ends', async () => {
  const { page } = watched;
  const client = await connectClient('v2-auto', { http: gateway.url });
  try {
    for (const message of ['one', 'two', 'three']) await client.call('everything__echo', { message });
  } finally {
    await client.close();
  }
  await go(page, 'Policy and grants');
  const limits = page.getByRole('region', { name: 'Limits and counters' });
  const row = (name: string) => limits.getByRole('row').filter({ hasText: name });
  await expect.poll(() => row('echoes').textContent(), SOON).toMatch(/4 per day.*everything.*3 of 4.*in \d+ \w+/s);
  expect(await row('/all_tools/limits/calls').textContent()).toMatch(/10 per day.*the local user.*3 of 10/s);
  expect(await row('sums').textContent()).toContain('nothing yet');
  expect(await violations(page)).toEqual([]);
});

it('somebody is logged in to a server by a page and a code, and the login is taken back', async () => {
  const { page } = watched;
  await go(page, 'Policy and grants');
  await page.getByText('Nobody has logged in to a server.').waitFor();
  await page.getByRole('button', { name: 'Log in to a server…' }).click();
  await page.getByLabel('Server', { exact: true }).selectOption('mail');
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Go on' }).click();
  const dialog = page.getByRole('dialog');
  const code = await dialog.getByLabel('Code', { exact: true }).textContent();
  const popup = page.context().waitForEvent('page');
  await dialog.getByRole('link').click();
  const person = await popup;
  await person.getByLabel(/code/i).fill(code ?? '');
  await person.getByRole('button').first().click();
  await dialog.getByText('Logged in.').waitFor();
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Close' }).last().click();

  const connections = page.getByRole('region', { name: 'Logins to servers' });
  await connections.getByText('connected').waitFor();
  expect(await connections.getByRole('row').last().textContent()).toMatch(/mail.*the local user.*mcp:read/s);
  await connections.getByRole('button', { name: 'Revoke the login of the local user to mail' }).click();
  await dialog.getByRole('button', { name: 'Revoke', exact: true }).click();
  await page.getByText('Nobody has logged in to a server.').waitFor();
});

it('a key is made and shown once, opens the gateway, is rotated and revoked', async () => {
  const { page } = watched;
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await go(page, 'Policy and grants');
  await page.getByText('Whoever reaches the gateway is the local user.').waitFor();
  await page.getByRole('button', { name: 'New key…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('With the first grant every client over HTTP needs one').waitFor();
  await dialog.getByLabel('Name').fill('ci');
  await dialog.getByLabel('Servers').fill('every*, mail');
  await dialog.getByLabel('Ends').selectOption('30d');
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Make the key' }).click();
  const key = (await dialog.getByLabel('Key of ci', { exact: true }).textContent()) ?? '';
  expect(key).toMatch(/^swb_[0-9a-f]{12}_[\w-]{43}$/);
  await dialog.getByText('the default policy is to deny').waitFor();
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Copy: Key of ci' }).click();
  await dialog.getByText('Copied', { exact: true }).waitFor();
  expect(await page.evaluate('navigator.clipboard.readText()')).toBe(key);
  await dialog.getByRole('button', { name: 'I have copied it' }).click();

  const written = JSON.parse(readFileSync(gateway.file, 'utf8')).gateway.grants.ci;
  expect(written).toEqual({
    key: expect.stringMatching(/^sha256:/),
    servers: ['every*', 'mail'],
    expires: expect.stringMatching(/Z$/),
  });
  expect(await page.content()).not.toContain(key);
  const answer = async (bearer: string): Promise<number> =>
    (
      await fetch(gateway.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...(bearer === '' ? {} : { authorization: `Bearer ${bearer}` }),
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'initialize',
          params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
        }),
      })
    ).status;
  expect([await answer(key), await answer('')]).toEqual([200, 401]);

  const row = page.getByRole('region', { name: 'Grants' }).getByRole('row').filter({ hasText: 'ci' });
  await row.getByRole('button', { name: 'Rotate the key of ci' }).click();
  await dialog.getByRole('button', { name: 'Make the key' }).click();
  const second = (await dialog.getByLabel('Key of ci', { exact: true }).textContent()) ?? '';
  await dialog.getByRole('button', { name: 'I have copied it' }).click();
  expect([await answer(key), await answer(second)]).toEqual([200, 200]);
  await expect.poll(() => row.textContent(), SOON).toContain(second.slice(4, 16));

  await row.getByRole('button', { name: 'Revoke ci' }).click();
  await dialog.getByText('It is the last grant.').waitFor();
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Revoke', exact: true }).click();
  await row.waitFor({ state: 'detached' });
  expect([await answer(key), await answer(second), await answer('')]).toEqual([401, 401, 401]);
});
