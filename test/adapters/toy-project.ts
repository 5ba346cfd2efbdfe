/**
 * The toy adapter as a project of its own has it: it imports the package by its name, and runs the behaviour suite under `node:test`.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes its modules and its test into a folder. */
export function writeToy(folder: string): void {
  for (const file of ['adapter.ts', 'server.ts', 'suite.ts']) {
    const text = readFileSync(join(import.meta.dirname, 'toy', file), 'utf8');
    writeFileSync(join(folder, file), text.replace('../../../src/adapter.ts', 'agent-switchboard/adapter'));
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(
    join(folder, 'toy.test.ts'),
    `import * as runner from 'node:test';
import { adapterCases } from 'agent-switchboard/adapter';
import { toyCases } from './suite.ts';

adapterCases(runner, 'A toy', toyCases);
`,
  );
}
