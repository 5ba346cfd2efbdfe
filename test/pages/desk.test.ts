/** The pages for operators in a real browser, before a real gateway with real servers: login, servers, calls, approvals. */
import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectClient } from '../e2e/clients.ts';
import { FIXTURES_ALLOWED, type ServedGateway, serveGateway } from '../e2e/gateway.ts';
import { EVERYTHING, type EverythingServer, startEverything } from '../e2e/upstreams/everything.ts';
import {
  adminToken,
  borrowBrowser,
  go,
  logIn,
  reported,
  SOON,
  violations,
  type Watched,
  watchedPage,
} from './browser.ts';

const POLICY = {
  version: '1',
  default: 'allow',
  tools: {
    'everything__get-sum': { action: 'require_approval', reason: 'Sums are money.' },
    'everything__get-env': { action: 'deny', reason: 'The environment holds secrets.' },
  },
};

let browser: Browser;
let gateway: ServedGateway;
let other: EverythingServer;
let watched: Watched;

beforeAll(async () => {
  [browser, gateway, other] = await Promise.all([
    borrowBrowser(),
    serveGateway({
      servers: {
        everything: {
          ...EVERYTHING,
          args: [...EVERYTHING.args, '--api-key', 'secret-of-the-arguments'],
          env: { API_KEY: 'secret-of-the-file' },
        },
        away: { url: 'http://127.0.0.1:9/mcp' },
        crash: { command: process.execPath, args: ['-e', 'console.error("Cannot find module x"); process.exit(3)'] },
      },
      gateway: { ...FIXTURES_ALLOWED, policy: POLICY },
    }),
    startEverything(),
  ]);
});

afterAll(async () => {
  await Promise.all([gateway?.close(), other?.kill()]);
});

beforeEach(async () => {
  watched = await watchedPage(browser);
});

afterEach(async () => {
  await watched.page.context().close();
  expect(watched.problems).toEqual([]);
});

describe('the login', () => {
  it('opens the pages with the admin token, keeps the session over a reload, and ends it', async () => {
    const { page, problems } = watched;
    await page.goto(gateway.at('/admin').href);
    expect(await violations(page)).toEqual([]);
    await page.getByLabel('Admin token').fill('not the token at all');
    await page.getByRole('button', { name: 'Log in' }).click();
    expect(await page.getByRole('alert').textContent()).toContain('This is not the admin token');
    await reported(problems, '403');
    await logIn(page, gateway);
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'Servers' }).waitFor();
    expect(await page.evaluate('document.cookie')).toBe('');
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' });
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { level: 1, name: 'Log in' }).waitFor();
    expect(await page.context().cookies()).toEqual([]);
  });

  it('is worth nothing by its cookie alone, nor by its key alone', async () => {
    const { page } = watched;
    await logIn(page, gateway);
    const key = await page.evaluate<string>("localStorage.getItem('switchboard-key')");
    const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join();
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(gateway.at('/admin/api/servers'), { headers })).status;
    expect(await status({ cookie })).toBe(401);
    expect(await status({ 'x-switchboard-key': key })).toBe(401);
    expect(await status({ cookie, 'x-switchboard-key': key })).toBe(200);
    expect(await status({ cookie, 'x-switchboard-key': key, origin: 'http://127.0.0.1:1' })).toBe(403);
    expect(await status({ authorization: `Bearer ${adminToken(gateway)}` })).toBe(200);
  });
});

describe('the page of servers', () => {
  it('shows how each is and what to try, connects one by its URL, restarts and disconnects it', async () => {
    const { page } = watched;
    await logIn(page, gateway);
    const away = page.locator('[data-server=away]');
    await away.getByText('degraded').waitFor();
    expect(await away.getByRole('alert').textContent()).toMatch(
      /refuses connections.*Try: see whether the server runs/s,
    );
    const crash = page.locator('[data-server=crash]');
    await crash.getByText('exited with code 3').waitFor();
    await crash.getByText('Cannot find module x', { exact: true }).waitFor();
    await page.locator('[data-server=everything]').getByText('ready').waitFor();
    expect(await violations(page)).toEqual([]);

    await page.getByRole('button', { name: 'Connect by URL…' }).click();
    await page.getByRole('textbox', { name: 'URL', exact: true }).fill(other.url);
    await page.getByRole('textbox', { name: 'Name' }).fill('second');
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    const second = page.locator('[data-server=second]');
    await second.getByText('ready').waitFor();
    await second.getByRole('button', { name: 'Restart second' }).click();
    await second.getByRole('button', { name: 'Restart second' }).getByText('Restart', { exact: true }).waitFor();
    await second.getByText('ready').waitFor();
    await second.getByRole('button', { name: 'Disconnect second' }).click();
    await second.waitFor({ state: 'detached' });
  });

  it('edits an entry of the file: mistakes are named, the difference comes first, secrets are neither shown nor lost', async () => {
    const { page, problems } = watched;
    await logIn(page, gateway);
    await page.getByRole('button', { name: 'Edit everything' }).click();
    const entry = page.getByLabel('Entry', { exact: true });
    await expect.poll(() => entry.inputValue(), SOON).toContain('"API_KEY": "[unchanged]"');
    const text = await entry.inputValue();
    expect(text).toMatch(/"--api-key",\s*"\[unchanged\]"/);
    await entry.fill(text.replace('"command"', '"concurency": 3,\n  "command"'));
    await page.getByRole('button', { name: 'Check' }).click();
    expect(await page.getByRole('dialog').getByRole('alert').textContent()).toContain('concurency');
    await reported(problems, '422');
    await entry.fill(text.replace('"command"', '"concurrency": 3,\n  "command"'));
    await page.getByRole('button', { name: 'Check' }).click();
    const diff = page.getByLabel('What changes');
    expect(await diff.textContent()).toContain('"concurrency": 3');
    expect(await diff.textContent()).not.toContain('secret-of-the');
    expect(await violations(page)).toEqual([]);
    expect(readFileSync(gateway.file, 'utf8')).not.toContain('concurrency');
    await page.getByRole('button', { name: 'Write' }).click();
    await page.getByText('Written.').waitFor();
    const written = readFileSync(gateway.file, 'utf8');
    expect(written).toContain('"concurrency": 3');
    expect(written).toContain('secret-of-the-file');
    expect(written).toContain('secret-of-the-arguments');
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
    await page.locator('[data-server=everything]').getByText('of 3 running').waitFor();
  });
});

describe('the pages of calls and approvals', () => {
  it('show calls as they happen, one with its timeline, arguments where they are recorded, and what policy says', async () => {
    const { page } = watched;
    await logIn(page, gateway);
    await go(page, 'Calls');
    await page.getByRole('button', { name: 'Record arguments for 15 minutes' }).click();
    await page.getByText('Arguments are recorded until').waitFor();
    const client = await connectClient('v2-auto', { http: gateway.url });
    try {
      await client.call('everything__echo', { message: 'shown to the operator', password: 'not shown' });
      await client.call('everything__get-env', {}).catch(() => {});
    } finally {
      await client.close();
    }
    await page.getByRole('cell', { name: 'denied SWB_DENIED' }).waitFor();
    await page.getByLabel('Search').fill('echo');
    await page.getByRole('button', { name: 'echo' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('sent to everything').waitFor();
    const args = dialog.getByLabel('Arguments');
    expect(await args.textContent()).toBe('{"message":"shown to the operator","password":"[redacted]"}');
    await dialog.getByRole('button', { name: 'What policy says' }).click();
    await dialog.getByRole('heading', { name: 'What policy says now' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Call again…' }).click();
    await dialog.getByRole('button', { name: 'It really runs' }).click();
    await dialog.getByText('Echo: shown to the operator').waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });

    await page.getByRole('button', { name: 'What would another policy have decided?' }).click();
    const document = page.getByLabel('As it would be');
    await expect.poll(() => document.inputValue(), SOON).toContain('require_approval');
    await document.fill(
      JSON.stringify({ version: '1', default: 'allow', tools: { everything__echo: { action: 'deny' } } }),
    );
    await page.getByRole('button', { name: 'Judge the recorded calls' }).click();
    await page.getByText('would have been decided differently:').waitFor();
    await page.getByRole('button', { name: 'Stop and forget' }).click();
    await page.getByRole('button', { name: 'Record arguments for 15 minutes' }).waitFor();
  });

  it('let a person approve a call that waits, with its arguments and the reason, as soon as it waits', async () => {
    const { page } = watched;
    await logIn(page, gateway);
    await go(page, 'Approvals');
    const client = await connectClient('v2-auto', { http: gateway.url });
    try {
      const ask = (): Promise<unknown> => client.call('everything__get-sum', { a: 20, b: 22 });
      expect(JSON.stringify(await ask())).toContain('needs the approval of a person');
      const card = page.locator('[data-approval]');
      await card.getByText('{"a":20,"b":22}').waitFor();
      await card.getByText('Sums are money.').waitFor();
      expect(await violations(page)).toEqual([]);
      await card.getByRole('button', { name: 'Approve once: get-sum' }).click();
      await card.waitFor({ state: 'detached' });
      expect(JSON.stringify(await ask())).toContain('42');
    } finally {
      await client.close();
    }
  });
});

it('the pages are clean in dark colours and as wide as a phone, without anything beside the screen', async () => {
  const { page, problems } = await watchedPage(browser, { scheme: 'dark', width: 360, height: 740 });
  await logIn(page, gateway);
  for (const title of ['Servers', 'Calls', 'Approvals', 'Policy and grants']) {
    await go(page, title);
    expect(await violations(page), title).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), title).toBe(true);
  }
  await page.context().close();
  expect(problems).toEqual([]);
});

it('the pages can be used with the keyboard alone: to the page, into a dialog and back', async () => {
  const { page } = watched;
  await logIn(page, gateway);
  const focused = (): Promise<string> =>
    page.evaluate("(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent).trim()");
  const tabTo = async (name: string): Promise<void> => {
    for (let presses = 0; presses < 60 && (await focused()) !== name; presses++) await page.keyboard.press('Tab');
    expect(await focused()).toBe(name);
  };
  await page.locator('[data-server=everything]').getByText('ready').waitFor();
  await page.reload();
  await page.locator('[data-server=everything]').waitFor();
  await tabTo('Skip to the page');
  await page.keyboard.press('Enter');
  await tabTo('Edit everything');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  expect(await page.evaluate("document.activeElement.closest('dialog') !== null")).toBe(true);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(await focused()).toBe('Edit everything');
});

it('the home page says what this is to a browser, and nothing to programs', async () => {
  const { page } = watched;
  await page.goto(gateway.at('/').href);
  await page.getByText(gateway.url).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole('link', { name: 'Open the pages for operators' }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  const program = await fetch(gateway.at('/'), { headers: { accept: '*/*' } });
  expect(program.status).toBe(404);
  expect(program.headers.get('content-type')).toContain('application/json');
});
