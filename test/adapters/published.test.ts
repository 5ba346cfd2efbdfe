/** The package as another project uses it: built, installed, imported by its name. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const MODULES = join(ROOT, 'node_modules');
const execute = promisify(execFile);

describe('agent-switchboard/adapter', () => {
  const project = mkdtempSync(join(tmpdir(), 'switchboard-adapter-'));
  const node = (...args: string[]): Promise<{ stdout: string }> => execute(process.execPath, args, { cwd: project });

  beforeAll(async () => {
    const installed = join(project, 'node_modules/agent-switchboard');
    mkdirSync(installed, { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(installed, 'package.json'));
    const tsc = join(MODULES, 'typescript/bin/tsc');
    await node(tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(installed, 'dist'));
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    for (const name of [...Object.keys(dependencies), '@types/node']) {
      mkdirSync(join(project, 'node_modules', name, '..'), { recursive: true });
      symlinkSync(join(MODULES, name), join(project, 'node_modules', name));
    }
    for (const file of ['adapter.ts', 'server.ts', 'suite.ts']) {
      const text = readFileSync(join(import.meta.dirname, 'toy', file), 'utf8');
      writeFileSync(join(project, file), text.replace('../../../src/adapter.ts', 'agent-switchboard/adapter'));
    }
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
    writeFileSync(
      join(project, 'toy.test.ts'),
      `import * as runner from 'node:test';
import { adapterCases } from 'agent-switchboard/adapter';
import { toyCases } from './suite.ts';

adapterCases(runner, 'A toy', toyCases);
`,
    );
    const compilerOptions = {
      ...{ strict: true, noEmit: true, allowImportingTsExtensions: true, types: ['node'], skipLibCheck: false },
      ...{ module: 'nodenext', target: 'es2024', lib: ['es2024', 'esnext.iterator'] },
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  }, 120_000);

  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it('has the types an adapter and its tests are written against', { timeout: 60_000 }, async () => {
    const checked = await node(join(MODULES, 'typescript/bin/tsc'), '-p', 'tsconfig.json').catch((error) => error);
    expect(checked.stdout).toBe('');
  });

  it('runs its behaviour suite under node:test, without vitest', { timeout: 60_000 }, async () => {
    const { stdout } = await node('--test', '--test-reporter=tap', 'toy.test.ts');
    expect(stdout).toMatch(/^# pass 13$/m);
    expect(stdout).toMatch(/^# fail 0$/m);
  });
});
