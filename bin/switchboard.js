#!/usr/bin/env node
/**
 * The `switchboard` and `agent-switchboard` commands. Runs the sources where they are (a clone, without a build) and the
 * built modules elsewhere (an installed package). Plain JavaScript that an old Node can read, so that it can say what
 * is wrong with itself.
 * @module
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const at = (path) => new URL(`../${path}`, import.meta.url);

/** A path from one source to another. */
const OWN = /^\.\.?\/.*\.ts$/;

/** The folder of `src/cli/compile-cache.ts` in an installed package and in a clone, for a process that has loaded no module yet. */
function compileCacheFolder() {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const beside = dirname(root);
  const modules = basename(beside) === 'node_modules' ? beside : join(root, 'node_modules');
  return join(modules, '.cache', 'agent-switchboard');
}

/**
 * Finds the gateway's sources by their address alone, since an import between them names its file in full. Node looks for
 * each import as for any package's, which took a tenth of a start (measured: some 2,300 imports in 750 modules). Packages,
 * and what a configuration names, are found as always.
 */
function findSources() {
  const folders = ['src/', 'adapters/', 'hooks/'].map((folder) => at(folder).href);
  // Node has it from 22.15 and 23.5 on; without it Node's own search finds them.
  nodeModule.registerHooks?.({
    resolve(specifier, context, next) {
      const { parentURL } = context;
      const isOwn = OWN.test(specifier) && folders.some((folder) => parentURL?.startsWith(folder));
      if (!isOwn) return next(specifier, context);
      return { url: new URL(specifier, parentURL).href, format: 'module-typescript', shortCircuit: true };
    },
  });
}

const [major, minor] = process.versions.node.split('.').map(Number);

if (major > 22 || (major === 22 && minor >= 19)) {
  // Before the first module in TypeScript: without the cache for it, Node loads a compiler at every start.
  nodeModule.enableCompileCache(compileCacheFolder());
  const source = at('src/cli/main.ts');
  const isClone = existsSync(source);
  if (isClone) findSources();
  await import(isClone ? source : at('dist/src/cli/main.js'));
} else if (existsSync(at('node_modules/node/bin/node'))) {
  // `npm ci` brings a Node that is new enough.
  const node = fileURLToPath(at('node_modules/node/bin/node'));
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends SIGINT to the child as well.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => (signal !== 'SIGINT' || !process.stdin.isTTY ? child.kill(signal) : undefined));
  }
  child.on('exit', (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code)));
} else {
  process.stderr.write(
    `error Switchboard needs Node 22.19 or newer; this is ${process.version}. Install it from https://nodejs.org, or in a clone ` +
      'run `npm ci`, which brings one.\n',
  );
  process.exitCode = 2;
}
