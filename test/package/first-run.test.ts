/** What a newcomer meets: the packed package, installed elsewhere, started where nothing is configured. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Clients } from '../e2e/clients.ts';
import { until } from '../e2e/until.ts';
import { EVERYTHING } from '../e2e/upstreams/everything.ts';
import { type Packed, pack, type Started, start } from './packed.ts';

// Each starts a process or several, on a machine that may be busy.
vi.setConfig({ testTimeout: 240_000 });

let packed: Packed;
/** An empty folder, and a home folder, for each test. */
let folder: string;
let home: string;
const started: Started[] = [];
const clients = new Clients();

beforeAll(async () => {
  packed = await pack();
}, 240_000);
afterAll(() => packed?.remove());

beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), 'switchboard-newcomer-'));
  folder = join(root, 'project', 'empty');
  home = join(root, 'home');
  mkdirSync(folder, { recursive: true });
  mkdirSync(home);
});

afterEach(async () => {
  await clients.close();
  for (const each of started.splice(0)) await each.end();
  rmSync(join(home, '..'), { recursive: true, force: true, maxRetries: 3 });
});

/** Words behind the installed command, in the empty folder. */
function run(words: readonly string[], { cwd = folder, env = {} } = {}): Started {
  const each = start([process.execPath, packed.bin, ...words], cwd, { HOME: home, ...env });
  started.push(each);
  return each;
}

/** The same on a terminal, which shows both streams. */
function runOnTerminal(words: readonly string[], cwd = folder): Started {
  const line = [process.execPath, packed.bin, ...words].map((word) => `'${word}'`).join(' ');
  const each = start(['script', '--quiet', '--return', '--command', line, '/dev/null'], cwd, {
    ...{ HOME: home, NO_COLOR: '1', TERM: 'xterm' },
  });
  started.push(each);
  return each;
}

const endpointOf = async (each: Started): Promise<string> => {
  const [, url = ''] = await each.said(/listens at (http:\/\/127\.0\.0\.1:\d+\/mcp)/);
  return url;
};

const logIn = (url: string, body: object): Promise<number> =>
  fetch(new URL('/admin/api/login', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: new URL(url).origin },
    body: JSON.stringify(body),
  }).then(({ status }) => status);

describe('the package', () => {
  it('holds what it needs to run, the documentation, and no tests', () => {
    expect(packed.files).toEqual(
      expect.arrayContaining([
        'README.md',
        'LICENSE',
        'docs/operations.md',
        'dist/src/cli/main.js',
        'bin/switchboard.js',
      ]),
    );
    // The suite that adapters of others are tested with is part of it.
    const own = packed.files.filter((name) => !name.startsWith('dist/adapters/testing/'));
    expect(own.filter((name) => /\.test\.|(^|\/)(testing|test)\/|\.switchboard/.test(name))).toEqual([]);
    // Of the packages whose code is in it, their licences are too.
    expect(
      readFileSync(join(packed.folder, 'node_modules/agent-switchboard/dist/THIRD-PARTY-NOTICES'), 'utf8'),
    ).toMatch(/^zod \d+\.\d+\.\d+ \(MIT\)\n\nMIT License\n\nCopyright /);
  });

  it('has one copy of its modules, for the command and for a hook that imports it', async () => {
    const hook = `import { hookOptionError, readHookOptions } from 'agent-switchboard';
      import { z } from 'zod';
      export default (options) => {
        const { word } = readHookOptions(z.strictObject({ word: z.string() }), options);
        throw hookOptionError(['word'], word + ' is no word');
      };`;
    writeFileSync(join(packed.folder, 'hook.mjs'), hook);
    const hooks = [{ name: 'one', module: './hook.mjs', options: { word: 'x' } }];
    writeFileSync(join(packed.folder, 'hooked.json'), JSON.stringify({ gateway: { hooks }, mcpServers: {} }));
    const refused = run(['serve', '--config', 'hooked.json', '--port', '0'], { cwd: packed.folder });
    expect(await ended(refused)).toBe(2);
    // What the hook throws is an error of the gateway's own class.
    expect(refused.output()).toContain('options.word: x is no word.');
    expect(refused.output()).not.toContain('its factory failed');
  });

  it('is what npx starts in a folder that has it', async () => {
    const npx = start(['npx', '--no', '--', 'agent-switchboard', '--port', '0'], packed.folder, { HOME: home });
    started.push(npx);
    const url = await endpointOf(npx);
    expect((await fetch(new URL('/healthz', url))).status).toBe(200);
    await npx.said(/There is no servers\.json in \S+switchboard-elsewhere-\S+ yet/);
  });
});

describe('a first run', () => {
  /** One gateway for these tests, which go on from each other's folder. */
  let served: Started;
  let url: string;
  let own: string;
  let ownHome: string;
  let mark: string;

  beforeAll(async () => {
    const root = mkdtempSync(join(tmpdir(), 'switchboard-first-'));
    own = join(root, 'project', 'empty');
    ownHome = join(root, 'home');
    mark = join(root, 'started');
    mkdirSync(join(own, '.vscode'), { recursive: true });
    mkdirSync(ownHome);
    // What it must not read: each would start a command that leaves a mark.
    const entry = {
      command: process.execPath,
      args: ['-e', `require('fs').writeFileSync(${JSON.stringify(mark)}, '')`],
    };
    const text = JSON.stringify({ mcpServers: { surprise: entry }, servers: { surprise: entry } });
    for (const place of [
      ...[join(own, '..', 'servers.json'), join(ownHome, 'servers.json'), join(ownHome, '.claude.json')],
      ...[join(own, 'mcp.json'), join(own, '.mcp.json'), join(own, '.vscode/mcp.json')],
    ])
      writeFileSync(place, text);
    writeFileSync(join(own, '.env'), `SWITCHBOARD_CONFIG=${join(ownHome, 'servers.json')}\n`);
    served = start([process.execPath, packed.bin, '--port', '0'], own, { HOME: ownHome });
    url = await endpointOf(served);
    await served.said(/Ctrl\+C ends it\./);
  }, 240_000);
  afterAll(async () => {
    await served?.end();
    rmSync(join(own, '../..'), { recursive: true, force: true, maxRetries: 3 });
  });

  const token = (): string => readFileSync(join(own, '.switchboard/admin-token'), 'utf8').trim();

  it('says that there is no configuration, where it listens, how to log in and what to do next', async () => {
    const text = served.output();
    expect(text).toContain(
      `There is no servers.json in ${own} yet. Until there is one, only the builtin tools are served.`,
    );
    const file = join(own, '.switchboard/admin-token');
    expect(text).toContain(`log in with the admin token in ${file}:\n  ${url.replace('mcp', 'admin/')}`);
    expect(await logIn(url, { token: token() })).toBe(200);
    expect(text).not.toContain(token());
    const [entry, example] = [...text.matchAll(/^ +(\{ "mcpServers": .*)$/gm)].map(([, json = '']) => JSON.parse(json));
    expect(entry).toEqual({ mcpServers: { switchboard: { type: 'http', url } } });
    expect(Object.keys(example.mcpServers)).toEqual(['everything']);
    expect(text).toContain(`claude mcp add --transport http switchboard ${url}\n`);
    expect(text).toContain(`Save this as ${join(own, 'servers.json')}`);
    expect(text).not.toMatch(/error|warn|"level"/);
    expect(statSync(join(own, '.switchboard')).mode & 0o077).toBe(0);
  });

  it.each(['v1', 'v2-modern'] as const)('serves the builtin tools to an official client (%s)', async (kind) => {
    const client = await clients.connect(kind, { http: url });
    expect(await client.tools()).toEqual(expect.arrayContaining(['connectServer', 'listServers', 'callAgent']));
    const { isError, content } = await client.call('connectServer', { url: 'http://127.0.0.1:9/mcp' });
    expect(isError).toBe(true);
    expect(content[0]?.text).toContain('gateway.connect.allowPrivate');
  });

  it('reads no file of a folder above, of another program or of a home folder, and starts none of their commands', async () => {
    const client = await clients.connect('v2-auto', { http: url });
    expect((await client.call('listServers', {})).content[0]?.text).not.toContain('surprise');
    expect(existsSync(mark)).toBe(false);
    expect(readdirSync(ownHome).sort()).toEqual(['.claude.json', 'servers.json']);
  });

  it('is found by the commands that ask the gateway that runs, and by no others', async () => {
    const [call, approvals, check] = [['call', 'listServers'], ['approvals', 'list'], ['check']].map((words) =>
      run(words, { cwd: own }),
    ) as [Started, Started, Started];
    expect(await ended(call)).toBe(0);
    expect(call.output()).toContain(`Using the gateway that runs at ${url}`);
    expect(await ended(approvals)).toBe(0);
    // One that connects by itself has nothing to connect to.
    expect(await ended(check)).toBe(2);
    expect(check.output()).toContain(`There is no servers.json in ${own}.`);
  });

  it('has its servers.json made by the first entry that is written on the pages, and the next start finds it', async () => {
    const address = new URL('/admin/api/servers/everything/entry', url);
    const headers = { authorization: `Bearer ${token()}`, 'content-type': 'application/json' };
    const shown = (await (await fetch(address, { headers })).json()) as { revision: string; entry?: object };
    expect(shown.entry).toBeUndefined();
    const body = JSON.stringify({ entry: EVERYTHING, revision: shown.revision, write: true });
    const written = await fetch(address, { method: 'POST', headers, body });
    expect([written.status, await written.json()]).toMatchObject([200, { written: true }]);
    const file = join(own, 'servers.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ mcpServers: { everything: EVERYTHING } });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await joined(served, url);
    expect(await served.end()).toBe(0);
    const again = run(['--port', '0'], { cwd: own });
    await again.said(/Federates 1 server:\n {2}everything/);
    expect(again.output()).toContain(`Configuration: ${file}`);
  });

  it('reads a servers.json that is saved while it runs', async () => {
    const other = run(['--port', '0']);
    const at = await endpointOf(other);
    writeFileSync(join(folder, 'servers.json'), JSON.stringify({ mcpServers: { everything: EVERYTHING } }));
    await joined(other, at);
  });

  it('keeps to loopback: beyond it there must be a token', async () => {
    const refused = run(['--host', '0.0.0.0', '--port', '0']);
    expect(await ended(refused)).toBe(2);
    expect(refused.output()).toContain('no token is set');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a first run on a terminal', () => {
  it('prints a link that logs in once', async () => {
    const served = runOnTerminal(['--port', '0']);
    const [, page = '', code = ''] = await served.said(/(http:\/\/127\.0\.0\.1:\d+\/admin\/)#login=([\w-]+)/);
    await served.said(/Ctrl\+C ends it\./);
    expect(await logIn(page, { link: code })).toBe(200);
    expect(await logIn(page, { link: code })).toBe(403);
    expect(served.output()).not.toMatch(/"level"|admin-token/);
  });

  it('opens the pages in a folder that cannot be written, and keeps nothing', async () => {
    // No user can make folders here.
    const served = runOnTerminal(['--port', '0'], '/proc');
    const [, page = '', code = ''] = await served.said(/(http:\/\/127\.0\.0\.1:\d+\/admin\/)#login=([\w-]+)/);
    await served.said(/Nothing is kept on disk/);
    expect(await logIn(page, { link: code })).toBe(200);
    expect(served.output()).not.toMatch(/error/i);
  });
});

describe('a first run on stdio', () => {
  it('serves its client, says on stderr that there is no configuration, and leaves the folder as it was', async () => {
    const args = [packed.bin, 'serve', '--stdio'];
    const client = await clients.connect('v1', {
      stdio: { command: process.execPath, args, cwd: folder, env: { HOME: home } },
    });
    expect(await client.tools()).toContain('connectServer');
    await client.close();
    expect(readdirSync(folder)).toEqual([]);
    const told = run(['serve', '--stdio']);
    await told.said(/There is no servers\.json in .*only the builtin tools are served/);
    expect(told.stdout()).toBe('');
  });
});

/** Resolves when clients see the tools of the server that has been added. */
async function joined(each: Started, url: string): Promise<void> {
  const client = await clients.connect('v2-auto', { http: url });
  await until(
    async () => (await client.tools()).includes('everything__echo'),
    () => `the server to join:\n${each.output()}`,
    150_000,
  );
}

/** The exit code of a command that ends by itself. */
const ended = async ({ child }: Started): Promise<number | null> => {
  await until(() => child.exitCode !== null, 'the command to end', 150_000);
  return child.exitCode;
};
