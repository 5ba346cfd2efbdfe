/**
 * `npm run screenshots`: draws the pictures in docs/images anew, in Chromium, from a gateway with real servers, grants and calls.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectClient } from '../e2e/clients.ts';
import { type ServedGateway, serveGateway } from '../e2e/gateway.ts';
import { EVERYTHING } from '../e2e/upstreams/everything.ts';
import { startLanggraph } from '../fixtures/langgraph.ts';
import { startMastra } from '../fixtures/mastra.ts';
import { go, logIn, startBrowser, watchedPage } from './browser.ts';

const IMAGES = join(import.meta.dirname, '../../docs/images');
const MAIN = join(import.meta.dirname, '../../bin/switchboard.js');
const SIZE = { width: 1200, height: 720 };

const POLICY = {
  version: '1',
  default: 'allow',
  tools: {
    'everything__get-env': { action: 'deny', reason: 'The environment holds secrets.' },
    'everything__get-sum': { action: 'require_approval', reason: 'Sums are money.' },
  },
};

/** A key of a grant that may do what the gateway's policy lets everybody do. */
function keyOf(gateway: ServedGateway, grant: string): string {
  const words = [MAIN, 'grants', 'add', grant, '--config', gateway.file];
  const [key = ''] = /swb_\S+/.exec(execFileSync(process.execPath, words, { encoding: 'utf8' })) ?? [];
  return key;
}

/** What a person with this key has a client do, one after the other. What is denied is part of the picture. */
async function work(gateway: ServedGateway, key: string, calls: readonly (readonly [string, object])[]): Promise<void> {
  const client = await connectClient('v2-auto', { http: gateway.url, headers: { authorization: `Bearer ${key}` } });
  try {
    for (const [name, args] of calls) await client.call(name, args as Record<string, unknown>).catch(() => {});
  } finally {
    await client.close();
  }
}

const [browser, team, graphs] = await Promise.all([startBrowser(), startMastra(), startLanggraph('2.0')]);
const gateway = await serveGateway({
  servers: {
    everything: EVERYTHING,
    team: { kind: 'mastra', url: team.url },
    graphs: { kind: 'langgraph', url: graphs.url },
    tracker: { url: 'http://127.0.0.1:9/mcp' },
  },
  gateway: { policy: POLICY, defaultPolicy: 'allow', grants: {} },
});
try {
  const { page, problems } = await watchedPage(browser, SIZE);
  const keys = { ada: keyOf(gateway, 'ada'), ci: keyOf(gateway, 'ci') };
  await logIn(page, gateway);
  for (const server of ['everything', 'team', 'graphs'])
    await page.locator(`[data-server=${server}]`).getByText('ready').waitFor();
  await page.locator('[data-server=tracker]').getByText('degraded').waitFor();
  await page.screenshot({ path: join(IMAGES, 'servers.png') });
  await go(page, 'Calls');
  await work(gateway, keys.ci, [
    ['everything__echo', { message: 'nightly' }],
    ['everything__get-env', {}],
  ]);
  await work(gateway, keys.ada, [
    ['everything__get-sum', { a: 20, b: 22 }],
    ['everything__echo', { message: 'hello' }],
    ['everything__get-tiny-image', {}],
    ['everything__trigger-long-running-operation', { duration: 1, steps: 2 }],
    ['callAgent', { agent: 'graphs/echo', message: 'Will it rain?' }],
    ['everything__get-structured-content', { location: 'New York' }],
    ['everything__get-resource-links', { count: 3 }],
  ]);
  await page.getByText('get-resource-links').first().waitFor();
  await page.screenshot({ path: join(IMAGES, 'calls.png') });
  if (problems.length > 0) throw new Error(problems.join('\n'));
  for (const name of ['servers.png', 'calls.png'])
    console.log(`docs/images/${name}: ${Math.round(readFileSync(join(IMAGES, name)).length / 1024)} KiB`);
} finally {
  await Promise.all([browser.close(), gateway.close(), team.stop(), graphs.stop()]);
}
