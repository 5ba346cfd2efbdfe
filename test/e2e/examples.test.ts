/** The snippets people start from do what they say. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OwnGateway, startGateway, startReadyGateway } from './gateway.ts';
import { EVERYTHING } from './upstreams/everything.ts';

const ROOT = join(import.meta.dirname, '../..');
const EXAMPLES = join(ROOT, 'examples');

let gateway: OwnGateway;

beforeAll(async () => {
  gateway = await startReadyGateway({ servers: { everything: EVERYTHING } });
});
afterAll(() => gateway?.close());

const run = (example: string, ...args: string[]): Promise<string> => runNode([join(EXAMPLES, example), ...args]);

const switchboard = (...args: string[]): Promise<string> => runNode([join(ROOT, 'bin/switchboard.js'), ...args]);

async function runNode(words: string[], env: Record<string, string> = {}): Promise<string> {
  const child = spawn(process.execPath, words, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = await once(child, 'close');
  expect(code, output).toBe(0);
  return output;
}

it('client-sdk-v2.ts negotiates the newest revision, calls a tool and asks an agent', async () => {
  const output = await run('client-sdk-v2.ts', gateway.url);
  expect(output).toMatch(/^MCP 2026-07-28, \d+ tools$/m);
  expect(output).toContain('The sum of 1 and 2 is 3.');
  // An unknown agent: the example shows the tool's error.
  expect(await run('client-sdk-v2.ts', gateway.url, 'nobody/nothing')).toMatch(/undefined|error|code/i);
});

it('client-sdk-v1.ts lists and calls', async () => {
  const output = await run('client-sdk-v1.ts', gateway.url);
  expect(output).toMatch(/^\d+ tools, among them connectServer$/m);
  expect(output).toContain('The sum of 1 and 2 is 3.');
});

it('embed/in-process.ts serves and calls in one process', async () => {
  const output = await run('embed/in-process.ts');
  expect(output).toMatch(/^Listening at http:\/\/127\.0\.0\.1:\d+\/mcp$/m);
  expect(output).toMatch(/^everything ready$/m);
  expect(output).toContain('Echo: hi');
});

it('embed/hono.ts serves a client that calls the application itself', async () => {
  expect(await run('embed/hono.ts')).toContain('The sum of 1 and 2 is 3.');
});

it.each(['client-sdk-v2.ts', 'client-sdk-v1.ts', 'embed/in-process.ts'])('%s is short', (example) => {
  expect(readFileSync(join(EXAMPLES, example), 'utf8').split('\n').length).toBeLessThan(40);
});

it('policy/ gives a key, decides as its cases say, and lets a person approve', async () => {
  const root = mkdtempSync(join(tmpdir(), 'switchboard-example-'));
  const folder = join(root, 'examples/policy');
  cpSync(join(EXAMPLES, 'policy'), folder, { recursive: true, filter: (source) => !source.includes('.switchboard') });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  const file = join(folder, 'servers.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"port": 7300', '"port": 0'));
  let own: OwnGateway | undefined;
  try {
    const cases = join(folder, 'policy.cases.json');
    expect(await switchboard('policy', 'test', cases, '--config', file)).toMatch(/^(\d+) of \1 cases as expected\.$/m);

    const [key = ''] = (await switchboard('grants', 'add', 'reader', '--rotate', '--config', file)).split('\n');
    own = await startGateway({ folder });
    await own.reaches('everything', 'ready');
    const client = (): Promise<string> => runNode([join(EXAMPLES, 'policy/client.ts'), own?.url ?? ''], { KEY: key });
    const before = await client();
    expect(before.split('\n').slice(0, 3)).toEqual([
      'Tools: everything__echo, everything__get-sum, everything__get-tiny-image',
      'everything__get-sum {"a":1,"b":2} → allowed',
      'everything__get-sum {"a":101,"b":2} → SWB_DENIED /tools/get-sum/deny_if/args.a-gt: Numbers over 100 are not for you.',
    ]);
    expect(before).toContain('everything__get-tiny-image {} → SWB_APPROVAL_PENDING');
    expect(before).toContain('listServers {} → SWB_DENIED (default deny)');

    const [id = ''] = /apr_[\w-]{22}/.exec(before) ?? [];
    const at = ['--config', file, '--url', own.at('/').href];
    expect(await switchboard('approvals', 'list', ...at)).toContain(id);
    expect(await switchboard('approvals', 'approve', id, ...at)).toContain(`Approved ${id}`);
    expect(await client()).toContain('everything__get-tiny-image {} → allowed');
    expect(await client()).toContain('everything__get-tiny-image {} → SWB_APPROVAL_PENDING');
  } finally {
    await own?.close();
    rmSync(root, { recursive: true, force: true });
  }
});
