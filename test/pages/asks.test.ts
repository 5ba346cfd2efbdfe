/** Questions of servers that are no forms, answered on the page that tries things, in a real browser before a real gateway. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Locator } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ServedGateway, serveGateway } from '../e2e/gateway.ts';
import { EVERYTHING } from '../e2e/upstreams/everything.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { borrowBrowser, go, loggedInPage, violations, type Watched } from './browser.ts';

let browser: Browser;
let gateway: ServedGateway;
let legacy: HttpFixture;
let modern: HttpFixture;
/** Where a server wants the person to go. */
let place: Server;
let watched: Watched;
const visits: string[] = [];

beforeAll(async () => {
  place = createServer(({ url = '' }, response) => {
    if (url !== '/favicon.ico') visits.push(url);
    response.setHeader('content-type', 'text/html').end('<title>The place</title><h1>You are there</h1>');
  });
  await new Promise<void>((resolve) => place.listen(0, '127.0.0.1', resolve));
  [legacy, modern] = await Promise.all([startV1Http(), startV2Http('modern')]);
  [browser, gateway] = await Promise.all([
    borrowBrowser(),
    serveGateway({ servers: { everything: EVERYTHING, legacy: { url: legacy.url }, modern: { url: modern.url } } }),
  ]);
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all([legacy?.close(), modern?.close()]);
  await new Promise((resolve) => place.close(resolve));
});

beforeEach(async () => {
  visits.splice(0);
  watched = await loggedInPage(browser, gateway);
  for (const server of ['everything', 'legacy', 'modern'])
    await watched.page.locator(`[data-server=${server}]`).getByText('ready').waitFor();
});

afterEach(async () => {
  await watched.page.context().close();
  expect(watched.problems).toEqual([]);
});

/** Opens the form of this tool. */
async function openTool(name: string): Promise<void> {
  const { page } = watched;
  await go(page, 'Try it');
  await page.getByLabel('Search').fill(name.replace('__', ' '));
  await page.getByRole('button', { name: new RegExp(`^${name}(?: |$)`) }).click();
}

const run = (): Promise<void> => watched.page.getByRole('button', { name: 'Run', exact: true }).click();
const question = (): Locator => watched.page.getByRole('region', { name: 'A question of the server' });
const resultText = (): Locator => watched.page.getByLabel('Text of the result').first();
const addressOf = (path: string): string => `http://127.0.0.1:${(place.address() as AddressInfo).port}${path}`;

describe('a question that leads to an address', () => {
  it('is answered in the page: the address is shown and opened apart from it, and the call goes on with what the person says', async () => {
    const { page } = watched;
    const url = addressOf('/consent?for=ada');
    await openTool('everything__trigger-url-elicitation');
    await page.getByLabel(/^url/i).fill(url);
    await page.getByLabel(/^message/i).fill('Please agree over there.');
    await run();
    await question().getByText('Please agree over there.').waitFor();
    expect(visits).toEqual([]);
    const link = question().getByRole('link', { name: url });
    expect(await link.getAttribute('rel')).toBe('noreferrer noopener');
    expect(await violations(page)).toEqual([]);
    const [opened] = await Promise.all([page.context().waitForEvent('page'), link.click()]);
    await opened.getByRole('heading', { name: 'You are there' }).waitFor();
    expect(await opened.evaluate('window.opener')).toBeNull();
    await opened.close();
    expect(visits).toEqual(['/consent?for=ada']);
    await question().getByRole('button', { name: 'I agree' }).click();
    await resultText()
      .getByText(/completed the URL elicitation flow/)
      .waitFor();
    expect(await question().count()).toBe(0);

    await run();
    await question().getByRole('button', { name: 'Decline' }).click();
    await resultText()
      .getByText(/declined/i)
      .waitFor();
    await run();
    await question().getByRole('button', { name: 'Dismiss' }).click();
    await resultText()
      .getByText(/cancel|dismiss/i)
      .waitFor();
  });

  it('is no link where the address is none of the web', async () => {
    const { page } = watched;
    await openTool('everything__trigger-url-elicitation');
    await page.getByLabel(/^url/i).fill('ftp://127.0.0.1/consent');
    await run();
    await question().getByText('ftp://127.0.0.1/consent').waitFor();
    expect(await question().getByRole('link').count()).toBe(0);
    await question().getByRole('button', { name: 'Decline' }).click();
    await resultText()
      .getByText(/declined/i)
      .waitFor();
  });

  it('that a server answers as an error is shown with its address as well, and the call is made again', async () => {
    const { page } = watched;
    await openTool('everything__trigger-url-elicitation');
    await page.getByLabel(/^url/i).fill(addressOf('/second'));
    await page.getByLabel(/^errorPath/i).selectOption('true');
    await run();
    await page.getByRole('link', { name: 'https://modelcontextprotocol.io' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await question().getByRole('button', { name: 'I agree' }).click();
    await question()
      .getByRole('link', { name: addressOf('/second') })
      .waitFor();
    await question().getByRole('button', { name: 'I agree' }).click();
    await resultText()
      .getByText(/completed the URL elicitation flow/)
      .waitFor();
  });
});

describe.each(['legacy', 'modern'])('a question of a %s server for folders', (server) => {
  it('is answered in the page with folders, one a line, or with none', async () => {
    const { page } = watched;
    await openTool(`${server}__roots`);
    await run();
    await question()
      .getByLabel(/^Folders it may use/)
      .fill('file:///home/ada/project\n\n  file:///srv/data  ');
    expect(await violations(page)).toEqual([]);
    await question().getByRole('button', { name: 'Answer' }).click();
    await resultText().waitFor();
    expect(JSON.parse((await resultText().textContent()) ?? '')).toEqual([
      { uri: 'file:///home/ada/project' },
      { uri: 'file:///srv/data' },
    ]);
    await run();
    await question().getByRole('button', { name: 'Answer' }).click();
    await resultText().getByText('[]', { exact: true }).waitFor();
  });

  it('names what is no folder before it is sent', async () => {
    await openTool(`${server}__roots`);
    await run();
    await question()
      .getByLabel(/^Folders it may use/)
      .fill('/home/ada');
    await question().getByRole('button', { name: 'Answer' }).click();
    await question()
      .getByRole('alert')
      .getByText(/file:\/\//)
      .waitFor();
    await question()
      .getByLabel(/^Folders it may use/)
      .fill('file:///home/ada');
    await question().getByRole('button', { name: 'Answer' }).click();
    await resultText().getByText('file:///home/ada').waitFor();
  });
});
