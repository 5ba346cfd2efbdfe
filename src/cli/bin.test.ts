/** `bin/switchboard.js`: the file npm links as the command. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { removeTemporaryFolders, temporaryFolder } from '../config/testing/files.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Makes the process believe it is Node 20; a process it starts knows better. */
const NODE_20 = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"20.20.0"})';

afterEach(removeTemporaryFolders);

async function run(folder: string, ...flags: string[]) {
  const child = spawn(process.execPath, [...flags, join(folder, 'bin/switchboard.js'), '--version']);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

/** A package of this name with the real `bin` and these files. */
async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder();
  cpSync(join(ROOT, 'bin'), join(folder, 'bin'), { recursive: true });
  for (const [file, text] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

describe('bin/switchboard.js', () => {
  const compiled = { 'dist/src/cli/main.js': 'console.log("compiled")' };

  it('runs the sources of a clone, also beside a build', async () => {
    const folder = await folderWith({ ...compiled, 'src/cli/main.ts': 'console.log("sources" as string)' });
    expect(await run(folder)).toEqual({ code: 0, stdout: 'sources\n', stderr: '' });
  });

  it('runs the compiled modules of an installed package', async () => {
    expect(await run(await folderWith(compiled))).toEqual({ code: 0, stdout: 'compiled\n', stderr: '' });
  });

  it('finds the modules of a clone, and packages and files beside them as Node does', async () => {
    const folder = await folderWith({
      'src/cli/main.ts': `import { word } from './../words/word.ts'; import { said } from 'package';
        console.log(word, said, (await import(new URL('../../mine/hook.js', import.meta.url).href)).default);`,
      'src/words/word.ts': "export { word } from './own.ts'",
      'src/words/own.ts': "export const word: string = 'own'",
      'node_modules/package/package.json': '{"main":"index.js"}',
      'node_modules/package/index.js': "exports.said = require('./part')",
      'node_modules/package/part.js': "module.exports = 'packaged'",
      'mine/package.json': '{"type":"commonjs"}',
      'mine/hook.js': "module.exports = require('./answer.js')",
      'mine/answer.js': "module.exports = 'hooked'",
    });
    expect(await run(folder)).toEqual({ code: 0, stdout: 'own packaged hooked\n', stderr: '' });
  });

  it('runs with the Node of the clone when its own is too old', async () => {
    const folder = await folderWith(compiled);
    mkdirSync(join(folder, 'node_modules/node/bin'), { recursive: true });
    symlinkSync(process.execPath, join(folder, 'node_modules/node/bin/node'));
    expect(await run(folder, '--import', NODE_20)).toEqual({ code: 0, stdout: 'compiled\n', stderr: '' });
  });

  it('says which Node it needs when there is none', async () => {
    const { code, stderr } = await run(await folderWith(compiled), '--import', NODE_20);
    expect(stderr).toMatch(/^error Switchboard needs Node 22\.19 or newer; .*npm ci/);
    expect(code).toBe(2);
  });
});
