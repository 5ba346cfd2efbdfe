/**
 * A browser in front of a gateway that was started as people start it. Whatever a page says on the console, throws, or would do
 * against its security policy makes the test fail.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import type { ServedGateway } from '../e2e/gateway.ts';

/** The headless build first: without a browser's own windows it takes a fifth of the CPU time. */
const CHROMIUM = [
  ...['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'],
  ...['/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
];

export const executable = CHROMIUM.find((path) => existsSync(path));

/** Rejects where there is no browser: these tests are not left out silently. */
export async function startBrowser(): Promise<Browser> {
  if (executable === undefined)
    throw new Error('Tests of pages need Chromium: apt-get install chromium-headless-shell');
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({ executablePath: executable, args: isRoot ? ['--no-sandbox'] : [] });
}

let lent: Promise<Browser> | undefined;

/** The browser that the test files of one process share, one after the other: starting one costs a second of a processor. It ends with the process. */
export function borrowBrowser(): Promise<Browser> {
  // One that failed to start, or that has ended, is forgotten: the next file starts another.
  const forget = (): void => {
    lent = undefined;
  };
  lent ??= startBrowser().then(
    (browser) => browser.once('disconnected', forget),
    (error) => {
      forget();
      throw error;
    },
  );
  return lent;
}

export interface Watched {
  readonly page: Page;
  /** What went wrong in the page so far. */
  readonly problems: string[];
}

export interface Look {
  scheme?: 'light' | 'dark';
  width?: number;
  height?: number;
  javaScript?: boolean;
  /** Cookies and storage of a session that is open already. */
  storageState?: Awaited<ReturnType<BrowserContext['storageState']>>;
}

/** A page that is watched, in a session of its own. */
export async function watchedPage(
  browser: Browser,
  { scheme = 'light', width = 1280, height = 900, javaScript = true, storageState }: Look = {},
): Promise<Watched> {
  const context = await browser.newContext({
    ...(storageState ? { storageState } : {}),
    colorScheme: scheme,
    viewport: { width, height },
    reducedMotion: 'reduce',
    javaScriptEnabled: javaScript,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(50_000);
  const problems: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`thrown: ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith('http://127.0.0.1:') && !request.url().startsWith('data:'))
      problems.push(`request to ${request.url()}`);
  });
  const content = `document.addEventListener('securitypolicyviolation', (event) =>
    console.error('security policy: ' + event.violatedDirective + ' ' + event.blockedURI));`;
  await page.addInitScript({ content });
  return { page, problems };
}

/** For `expect.poll`: a busy machine takes its time. */
export const SOON = { timeout: 50_000 };

/** Waits until the browser itself has reported a refusal with this status, and forgets the report: it may come after what the page shows. */
export async function reported(problems: string[], status: string): Promise<void> {
  await expect.poll(() => problems, SOON).toEqual([expect.stringContaining(status)]);
  problems.splice(0);
}

export const adminToken = ({ folder }: Pick<ServedGateway, 'folder'>): string =>
  readFileSync(join(folder, 'state/admin-token'), 'utf8').trim();

export async function logIn(page: Page, gateway: ServedGateway): Promise<void> {
  await page.goto(gateway.at('/admin/').href);
  await page.getByLabel('Admin token').fill(adminToken(gateway));
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
}

const sessions = new WeakMap<ServedGateway, NonNullable<Look['storageState']>>();

/** A watched page at the first page of this gateway. The first one of a gateway is logged in there, and the others share its session. */
export async function loggedInPage(browser: Browser, gateway: ServedGateway, look: Look = {}): Promise<Watched> {
  const storageState = sessions.get(gateway);
  const watched = await watchedPage(browser, { ...look, ...(storageState ? { storageState } : {}) });
  const { page } = watched;
  if (storageState) {
    await page.goto(gateway.at('/admin/').href);
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  } else {
    await logIn(page, gateway);
    sessions.set(gateway, await page.context().storageState());
  }
  return watched;
}

/** Goes to a page by the navigation, as a person does. */
export async function go(page: Page, title: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: title }).click();
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds against WCAG 2.2 AA and its own best practices: a line each. */
export async function violations(page: Page): Promise<string[]> {
  if (!(await page.evaluate("'axe' in globalThis"))) await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    // Of all else it then names one element for each rule.
    return (await axe.run({ resultTypes: ['violations'] })).violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`,
    );
  });
  return found;
}
