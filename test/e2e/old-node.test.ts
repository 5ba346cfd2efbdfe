/** The command with a Node that lacks what newer ones have. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
/** As in Node 23.0 to 23.4. */
const WITHOUT_HOOKS = `import module from 'node:module'; delete module.registerHooks; module.syncBuiltinESMExports();`;

it('the command runs with a Node whose imports cannot be hooked', async () => {
  const without = `data:text/javascript,${encodeURIComponent(WITHOUT_HOOKS)}`;
  const args = ['--import', without, join(ROOT, 'bin/switchboard.js'), '--version'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout.trim()).toBe(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version);
});
