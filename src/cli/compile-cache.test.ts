import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compileCacheFolder } from './compile-cache.ts';

it('keeps compiled modules beside the installed package', () => {
  const installed = join('/', 'app', 'node_modules', 'agent-switchboard', 'dist', 'src', 'cli');
  expect(compileCacheFolder(installed)).toBe(join('/', 'app', 'node_modules', '.cache', 'agent-switchboard'));
});

it('keeps them in the checkout they are run from', () => {
  const checkout = join('/', 'home', 'me', 'switchboard', 'src', 'cli');
  const cache = join('/', 'home', 'me', 'switchboard', 'node_modules', '.cache', 'agent-switchboard');
  expect(compileCacheFolder(checkout)).toBe(cache);
});
