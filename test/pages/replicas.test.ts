/** The pages of one of two replicas, in a real browser: what is done at one, and what they say of the other. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../src/state/testing/redis-server.ts';
import { type ServedGateway, serveGateway } from '../e2e/gateway.ts';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { borrowBrowser, go, violations, type Watched, watchedPage } from './browser.ts';

const TOKEN = 'admin-token-of-two-replicas';

let browser: Browser;
let redis: RedisServer;
let server: HttpFixture;
let one: ServedGateway;
let other: ServedGateway;
let watched: Watched;

beforeAll(async () => {
  [browser, redis, server] = await Promise.all([borrowBrowser(), startRedis(), startV1Http()]);
  const setup = {
    servers: { v1: { url: server.url } },
    gateway: { state: redis.url, adminToken: TOKEN, lock: 'warn' },
  };
  [one, other] = await Promise.all([serveGateway(setup), serveGateway(setup)]);
});

afterAll(async () => {
  await Promise.all([one?.close(), other?.close()]);
  await Promise.all([redis?.close(), server?.close()]);
});

beforeEach(async () => {
  watched = await watchedPage(browser, { width: 390, height: 844 });
  const { page } = watched;
  await page.goto(one.at('/admin/').href);
  await page.getByLabel('Admin token').fill(TOKEN);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.locator('[data-server=v1]').getByText('ready').waitFor();
  await page.getByText(/one of 2: connections and queues are its own/).waitFor();
});

afterEach(async () => {
  await watched.page.context().close();
  expect(watched.problems).toEqual([]);
});

it('a server that is restarted is started again in the other replica too, and the page says so', async () => {
  const { page } = watched;
  await page.getByRole('button', { name: 'Restart v1' }).click();
  await page.getByText('Started again in 1 other replica too.').waitFor();
  expect(await violations(page)).toEqual([]);
});

it('an edit of the file of one replica is said to leave that of the other as it is, with its name', async () => {
  const { page } = watched;
  await page.getByRole('button', { name: 'Edit v1' }).click();
  const entry = page.getByLabel('Entry', { exact: true });
  await expect.poll(() => entry.inputValue()).toContain('"url"');
  await entry.fill((await entry.inputValue()).replace('"url"', '"maxQueue": 7,\n  "url"'));
  await page.getByRole('button', { name: 'Check' }).click();
  await page.getByRole('button', { name: 'Write' }).click();
  await page.getByText('Written.').waitFor();
  await page
    .getByText(`It has a file of its own (${other.file}), which says something else and stays as it is.`)
    .waitFor();
  expect(await violations(page)).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
});

it('definitions are accepted in the other replica too, and the page says so', async () => {
  const { page } = watched;
  await go(page, 'Definitions');
  await page.getByRole('button', { name: 'Accept all of v1' }).click();
  await page.getByText('Accepted in 1 other replica too.').waitFor();
  await page.getByText('Every server says what was accepted.').waitFor();
  expect(await violations(page)).toEqual([]);
});

it('a server that does not start again is said to be left as it is in the other replica', async () => {
  const { page } = watched;
  await server.close();
  await page.getByRole('button', { name: 'Restart v1' }).click();
  await page.getByText('It has not started here, so 1 other replica was left as it is.').waitFor();
  expect(await violations(page)).toEqual([]);
});
