/**
 * Temporary configuration files for tests.
 * @module
 */
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders: string[] = [];

/** A folder of its own, without symbolic links in its path. */
export async function temporaryFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'swb-config-')));
  folders.push(folder);
  return folder;
}

/** Writes `servers.json` into a folder of its own and returns its path. */
export async function configFile(content: unknown): Promise<string> {
  const file = join(await temporaryFolder(), 'servers.json');
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  return file;
}

/** For `afterEach`. */
export async function removeTemporaryFolders(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
}
