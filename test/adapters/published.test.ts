/** An adapter in a project of its own, which has the package installed. `test/library` compiles it against the published types. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../build.ts';
import { linkDependencies } from '../package/dependencies.ts';
import { writeToy } from './toy-project.ts';

const ROOT = join(import.meta.dirname, '../..');
const execute = promisify(execFile);

describe('agent-switchboard/adapter', () => {
  const project = mkdtempSync(join(tmpdir(), 'switchboard-adapter-'));

  beforeAll(async () => {
    const installed = join(project, 'node_modules/agent-switchboard');
    mkdirSync(installed, { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(installed, 'package.json'));
    await build(join(installed, 'dist'));
    linkDependencies(join(project, 'node_modules'));
    writeToy(project);
  });

  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it('runs its behaviour suite under node:test, without vitest', { timeout: 60_000 }, async () => {
    const args = ['--test', '--test-reporter=tap', 'toy.test.ts'];
    const { stdout } = await execute(process.execPath, args, { cwd: project });
    expect(stdout).toMatch(/^# pass 13$/m);
    expect(stdout).toMatch(/^# fail 0$/m);
  });
});
