import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { removeTemporaryFolders, temporaryFolder } from '../config/testing/files.ts';
import { compileCacheFolder } from './compile-cache.ts';

afterAll(removeTemporaryFolders);

/** Runs in the command's process before its own modules: writes down every module that is loaded. */
const RECORDER = `
import { getCompileCacheDir, registerHooks } from 'node:module';
import { writeFileSync } from 'node:fs';
const loaded = [];
registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
process.on('exit', () => writeFileSync(process.env.LOADED, JSON.stringify({
  cache: getCompileCacheDir(), loaded, builtins: process.moduleLoadList,
})));
`;

/** What only a part needs that is off, or another command. */
const UNNEEDED = [
  '@a2a-js/sdk',
  '@modelcontextprotocol/client',
  '@modelcontextprotocol/sdk',
  '@opentelemetry/api',
  '@opentelemetry/sdk-trace',
  'ajv',
  'ajv-formats',
  'eventsource',
  'ioredis',
  'jose',
  'mqtt',
  'mqtt-packet',
  'oidc-provider',
  'preact',
  'smol-toml',
  'undici',
  'ws',
];

it('serve without servers loads nothing that is not on, and reads compiled modules from the cache', async () => {
  const folder = await temporaryFolder();
  const [recorder, loaded, config] = ['recorder.mjs', 'loaded.json', 'servers.json'].map((name) => join(folder, name));
  await writeFile(recorder as string, RECORDER);
  await writeFile(config as string, '{ "gateway": { "stateDir": false }, "mcpServers": {} }');
  const args = ['--import', recorder as string, join(import.meta.dirname, '../../bin/switchboard.js')];
  const child = spawn(process.execPath, [...args, 'serve', '--config', config as string, '--port', '0'], {
    env: { PATH: process.env.PATH ?? '', LOADED: loaded },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  for await (const text of child.stderr.setEncoding('utf8')) {
    said += text;
    // A second signal would not wait for an orderly end.
    if (!child.killed && said.includes('listens at')) child.kill('SIGTERM');
  }
  if (child.exitCode === null) await once(child, 'exit');
  expect([child.exitCode, said]).toEqual([0, expect.stringContaining('listens at')]);
  const record = JSON.parse(await readFile(loaded as string, 'utf8')) as Record<'loaded' | 'builtins', string[]> & {
    cache: string;
  };
  const packages = new Set(record.loaded.map((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]));
  expect(packages).toContain('pino');
  expect(UNNEEDED.filter((name) => packages.has(name))).toEqual([]);
  // Node's own `fetch`: `core/node-http.ts` says what would load it.
  expect(record.builtins.filter((name) => name.includes('undici'))).toEqual([]);
  const commands = record.loaded.flatMap((url) => /\/src\/cli\/commands\/([\w-]+)\.ts$/.exec(url)?.[1] ?? []);
  expect(commands.sort()).toEqual(['policy', 'serve']);
  expect(record.cache.startsWith(compileCacheFolder())).toBe(true);
}, 180_000);
