/** The pages about what servers offer, in a real browser: trying it, connecting clients, who sees what, definitions; and hostile names. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type ServedGateway, serveGateway } from '../e2e/gateway.ts';
import { EVERYTHING } from '../e2e/upstreams/everything.ts';
import { type A2aFixture, startA2a } from '../fixtures/a2a.ts';
import { adminToken, borrowBrowser, go, loggedInPage, SOON, violations, type Watched } from './browser.ts';

const SCRIPT = '<script>document.title = "taken"</script><img src=x onerror=alert(1)>';
const TURNED = 'safe\u202Egnihtyreve\u200B';
const LONG = 'a-very-long-name-'.repeat(30);
const MANY = 10_000;

/** What schemas of real servers are made of. */
const FORMS = {
  type: 'object',
  $defs: {
    Point: {
      type: 'object',
      properties: { x: { type: 'number' }, label: { anyOf: [{ type: 'string' }, { type: 'null' }], default: null } },
      required: ['x'],
    },
    Node: {
      type: 'object',
      properties: { name: { type: 'string' }, next: { $ref: '#/$defs/Node' } },
      required: ['name'],
    },
  },
  properties: {
    at: { $ref: '#/$defs/Point' },
    path: { type: 'array', items: { $ref: '#/$defs/Point' } },
    shape: {
      oneOf: [
        {
          title: 'Circle',
          type: 'object',
          properties: { kind: { const: 'circle' }, radius: { type: 'integer' } },
          required: ['kind', 'radius'],
        },
        {
          title: 'Text',
          type: 'object',
          properties: { kind: { const: 'text' }, words: { type: 'string' } },
          required: ['kind', 'words'],
        },
      ],
    },
    mode: {
      anyOf: [
        { const: 'fast', title: 'Fast' },
        { const: 'slow', title: 'Slow' },
      ],
    },
    tags: { type: 'array', items: { enum: ['red', 'green', 'blue'] } },
    note: { type: ['string', 'null'] },
    node: { $ref: '#/$defs/Node' },
    loop: { $ref: '#/properties/loop' },
  },
  required: ['at', 'shape', 'note'],
};

const folder = mkdtempSync(join(tmpdir(), 'switchboard-pages-'));
const definitions = join(folder, 'definitions.json');

let browser: Browser;
let agent: A2aFixture;
let gateway: ServedGateway;
let watched: Watched;

/** What the server `many` offers when it is started the next time, with so many plain tools. */
function define(plain: number): void {
  const tool = (name: string, description: string) => ({ name, description, inputSchema: { type: 'object' } });
  const tools = [
    { ...tool('hostile', SCRIPT), title: TURNED },
    { ...tool('forms', 'Takes all there is.'), inputSchema: FORMS },
    tool(LONG, `${LONG} ${LONG}`),
    ...Array.from({ length: plain }, (_, index) => tool(`tool-${index}`, `Number ${index}.`)),
  ];
  writeFileSync(definitions, JSON.stringify({ instructions: SCRIPT, tools, prompts: [], templates: [] }));
}

beforeAll(async () => {
  define(3);
  agent = await startA2a('1.0 JSONRPC');
  [browser, gateway] = await Promise.all([
    borrowBrowser(),
    serveGateway({
      servers: {
        everything: EVERYTHING,
        helper: { url: agent.url, kind: 'a2a' },
        many: {
          command: process.execPath,
          args: [join(import.meta.dirname, '../fixtures/mcp/stdio-defined.ts')],
          env: { DEFINITIONS: definitions },
        },
      },
      gateway: { lock: 'warn' },
    }),
  ]);
});

afterAll(async () => {
  await gateway?.close();
  await agent?.stop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  watched = await loggedInPage(browser, gateway, { scheme: 'dark', width: 390, height: 844 });
  for (const server of ['everything', 'many'])
    await watched.page.locator(`[data-server=${server}]`).getByText('ready').waitFor();
});

afterEach(async () => {
  await watched.page.context().close();
  expect(watched.problems).toEqual([]);
});

it('a tool is tried with a form made from its schema, and shown as code', async () => {
  const { page } = watched;
  await go(page, 'Try it');
  await page.getByLabel('Search').fill('everything echo');
  await page.getByRole('button', { name: /^everything__echo/ }).click();
  await page.getByLabel(/^message/i).fill('from the page');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByLabel('Text of the result').getByText('Echo: from the page').waitFor();
  await page.getByText('This request as code').click();
  expect(await page.getByLabel('As curl', { exact: true }).textContent()).toContain(
    '"name":"everything__echo","arguments":{"message":"from the page"}',
  );
  expect(await violations(page)).toEqual([]);
});

it('a form follows references, alternatives, null and lists', async () => {
  const { page } = watched;
  await go(page, 'Try it');
  await page.getByLabel('Search').fill('many forms');
  await page.getByRole('button', { name: /^many__forms/ }).click();
  const at = page.getByRole('group', { name: 'at (needed)' });
  await at.getByLabel('x').fill('1.5');
  expect(await at.getByLabel('null for label').isChecked()).toBe(true);
  const path = page.getByRole('group', { name: 'path' });
  await path.getByRole('button', { name: 'Give path' }).click();
  await path.getByRole('button', { name: 'Add to path' }).click();
  await path.getByLabel('x').fill('2');
  await path.getByLabel('null for label').uncheck();
  await path.getByLabel('label', { exact: true }).fill('here');
  const shape = page.getByRole('group', { name: 'shape (needed)' });
  await shape.getByLabel('Which').selectOption('Text');
  await shape.getByLabel('words').fill('round');
  await page.getByLabel('mode').selectOption('Slow');
  await page.getByLabel('blue').check();
  await page.getByLabel('null for note').check();
  await page.getByRole('button', { name: 'Give node' }).click();
  await page.getByRole('group', { name: 'node' }).getByLabel('name').fill('first');
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const shown = page.getByLabel('Text of the result');
  const sent = {
    at: { label: null, x: 1.5 },
    path: [{ label: 'here', x: 2 }],
    shape: { kind: 'text', words: 'round' },
    mode: 'slow',
    tags: ['blue'],
    note: null,
    node: { name: 'first' },
  };
  await expect.poll(async () => JSON.parse((await shown.textContent()) ?? 'null'), SOON).toEqual(sent);
});

it('arguments are written as JSON where somebody prefers that, and only JSON is sent', async () => {
  const { page } = watched;
  await go(page, 'Try it');
  await page.getByLabel('Search').fill('many forms');
  await page.getByRole('button', { name: /^many__forms/ }).click();
  await page.getByRole('button', { name: 'Write it as JSON' }).click();
  const json = page.getByLabel('Arguments, as JSON');
  expect(JSON.parse(await json.inputValue())).toEqual({ at: { label: null }, shape: { kind: 'circle' } });
  await json.fill('{ "at": ');
  await page.getByText('This is not JSON yet.').waitFor();
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  expect(await page.getByRole('region', { name: 'Result', exact: true }).count()).toBe(0);
  await json.fill('{ "at": { "x": 1 }, "more": [1] }');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByLabel('Text of the result').getByText('{"at":{"x":1},"more":[1]}').waitFor();
  expect(await violations(page)).toEqual([]);
});

it('arguments of prompts and variables of templates are completed by their server', async () => {
  const { page } = watched;
  await go(page, 'Try it');
  await page.getByLabel('Kind').selectOption('Prompts');
  await page.getByRole('button', { name: /completable-prompt/ }).click();
  const department = page.getByLabel(/^department/i);
  await department.fill('E');
  const proposed = (): Promise<string[]> =>
    page.locator('datalist option').evaluateAll((all) => all.map((each) => each.getAttribute('value') ?? ''));
  await expect.poll(proposed, SOON).toContain('Engineering');
  await department.fill('Engineering');
  await page.getByLabel(/^name/i).fill('Al');
  await expect.poll(proposed, SOON).toContain('Alice');
  await page.getByLabel(/^name/i).fill('Alice');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByLabel('Text of the result').getByText(/Alice/).waitFor();

  await page.getByLabel('Kind').selectOption('Resource templates');
  await page.getByRole('button', { name: /dynamic\/text/ }).click();
  await page.getByLabel(/^resourceId/).fill('7');
  await page.getByText('everything+demo://resource/dynamic/text/7', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page
    .getByLabel('Text of the result')
    .getByText(/Resource 7/)
    .waitFor();
  expect(await violations(page)).toEqual([]);
});

it('the request of the page runs in a shell as it is', async () => {
  const { page } = watched;
  await go(page, 'Try it');
  await page.getByLabel('Search').fill('everything echo');
  await page.getByRole('button', { name: /^everything__echo/ }).click();
  await page.getByLabel(/^message/i).fill(`it's "quoted" — $HOME`);
  await page.getByText('This request as code').click();
  const curl = (await page.getByLabel('As curl', { exact: true }).textContent()) ?? '';
  const { stdout } = await promisify(execFile)('bash', ['-c', `${curl} -s`]);
  expect(stdout).toContain(JSON.stringify(`Echo: it's "quoted" — $HOME`).slice(1, -1));
});

it('a question of a server in the middle of a call is answered in the page, or declined', async () => {
  const { page } = watched;
  await go(page, 'Try it');
  await page.getByLabel('Search').fill('everything elicitation-request');
  await page.getByRole('button', { name: /^everything__trigger-elicitation-request / }).click();
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const question = page.getByRole('region', { name: 'A question of the server' });
  await question.getByText('The server asks:').waitFor();
  expect(await violations(page)).toEqual([]);
  await question.getByRole('button', { name: 'Decline' }).click();
  await page.getByRole('heading', { name: /^Result/ }).waitFor();
  expect(await page.getByLabel('Text of the result').first().textContent()).toMatch(/declined/i);

  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await question
    .getByLabel(/^String/)
    .first()
    .fill('Ada');
  await question.getByRole('button', { name: 'Answer' }).click();
  await page.getByLabel('Text of the result').getByText(/Ada/).first().waitFor();
});

it('a person answers in the place of the model that a server asks for', async () => {
  const { page } = watched;
  await go(page, 'Try it');
  await page.getByLabel('Search').fill('everything sampling');
  await page.getByRole('button', { name: /^everything__trigger-sampling-request / }).click();
  await page.getByLabel(/^prompt/i).fill('Say a word.');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const question = page.getByRole('region', { name: 'A question of the server' });
  await question.getByText(/Say a word\./).waitFor();
  await question.getByLabel('Answer of the model').fill('A word.');
  expect(await violations(page)).toEqual([]);
  await question.getByRole('button', { name: 'Answer' }).click();
  await page
    .getByLabel('Text of the result')
    .getByText(/A word\./)
    .waitFor();
});

it('an agent is talked to, asks in the page, and answers', async () => {
  const { page } = watched;
  await go(page, 'Try it');
  await page.getByLabel('Kind').selectOption('Agents');
  await page.getByRole('button', { name: /helper__/ }).click();
  await page.getByLabel(/^Message/).fill('ask');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const question = page.getByRole('region', { name: 'A question of the server' });
  await question.getByRole('textbox').first().fill('blue');
  await question.getByRole('button', { name: 'Answer' }).click();
  await page.getByLabel('Text of the result').getByText('You chose blue.').waitFor();
  expect(await violations(page)).toEqual([]);
});

it('progress is shown while a call runs, and a call can be cancelled', async () => {
  const { page } = watched;
  await go(page, 'Try it');
  await page.getByLabel('Search').fill('everything long-running');
  await page.getByRole('button', { name: /^everything__trigger-long-running-operation / }).click();
  await page.getByLabel(/^duration/i).fill('600');
  await page.getByLabel(/^steps/i).fill('3000');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByText(/Progress: \d+ of 3000/).waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('Cancelled.').waitFor();
  await page.getByRole('button', { name: 'Run', exact: true }).waitFor();
});

it('a client is connected with what the page shows for it, for all servers or one', async () => {
  const { page } = watched;
  await go(page, 'Connect a client');
  const shown = page.getByLabel('For Claude Code', { exact: true });
  expect(await shown.textContent()).toBe(`claude mcp add --transport http switchboard ${gateway.url}`);
  await page.getByLabel('What it reaches').selectOption('everything');
  await page.getByRole('combobox', { name: 'Client' }).selectOption('cursor');
  expect(JSON.parse((await page.getByLabel('For Cursor', { exact: true }).textContent()) ?? '')).toEqual({
    mcpServers: { everything: { url: gateway.at('/servers/everything/mcp').href } },
  });
  expect(await violations(page)).toEqual([]);
});

it('who sees what is a matrix, with the tools of each cell', async () => {
  const { page } = watched;
  await go(page, 'Policy and grants');
  await page.getByRole('button', { name: /tools of everything for the local user/ }).click();
  await page.getByRole('dialog').getByText('everything__echo').waitFor();
  expect(await violations(page)).toEqual([]);
});

it('differences to the lock file are accepted one by one', async () => {
  const { page } = watched;
  await go(page, 'Definitions');
  const server = page.getByLabel('Differences of everything');
  await server.getByRole('button', { name: 'Accept echo' }).click();
  await server.getByRole('button', { name: 'Accept echo' }).waitFor({ state: 'detached' });
  const lock = JSON.parse(readFileSync(join(gateway.folder, 'switchboard.lock.json'), 'utf8'));
  expect(Object.keys(lock.servers.everything.tools)).toEqual(['echo']);
  await server.getByRole('button', { name: 'Accept all of everything' }).click();
  await server.waitFor({ state: 'detached' });
  expect(await violations(page)).toEqual([]);
});

it('the pages are clean in light colours and on a wide screen too', async () => {
  const wide = await loggedInPage(browser, gateway, { scheme: 'light' });
  for (const title of ['Try it', 'Connect a client', 'Definitions']) {
    await go(wide.page, title);
    expect(await violations(wide.page), title).toEqual([]);
  }
  await wide.page.context().close();
  expect(wide.problems).toEqual([]);
});

// The last one: the other tests need not load and show so many tools.
it('hostile names and texts stay text, and ten thousand tools come page by page', async () => {
  const { page } = watched;
  define(MANY);
  const authorization = `Bearer ${adminToken(gateway)}`;
  const headers = { authorization, 'content-type': 'application/json' };
  const restarted = await fetch(gateway.at('/admin/api/servers/many/restart'), { method: 'POST', headers, body: '{}' });
  expect(restarted.status).toBe(200);
  await go(page, 'Try it');
  await page.getByText(/^10,0\d\d found$/).waitFor();
  expect(await page.locator('.list li').count()).toBeLessThan(110);
  await page.getByLabel('Search').fill('many hostile');
  await page.getByRole('button', { name: /^many__hostile/ }).click();
  await page.getByText(SCRIPT, { exact: true }).first().waitFor();
  expect(await page.locator('.list').textContent()).toContain('safe\\u202egnihtyreve\\u200b');
  expect(await page.title()).toBe('Try it – Switchboard');
  expect(await page.locator('main img, main script').count()).toBe(0);
  await page.getByLabel('Search').fill('many very-long');
  await page.getByRole('button', { name: /^many__a-very-long/ }).click();
  await page.getByRole('heading', { name: /^many__a-very-long/ }).waitFor();
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  expect(await violations(page)).toEqual([]);
  await go(page, 'Definitions');
  await page.getByLabel('Differences of many').waitFor();
});
