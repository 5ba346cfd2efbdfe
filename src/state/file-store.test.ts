import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Log } from '../core/log.ts';
import { stateStoreCases } from './cases.ts';
import { FileStore } from './file-store.ts';
import { openState } from './open.ts';

const folders: string[] = [];

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'swb-state-'));
  folders.push(made);
  return made;
}

afterEach(async () => {
  for (const made of folders.splice(0)) await rm(made, { recursive: true, force: true });
});

function recorder(): Log & { warnings: string[] } {
  const warnings: string[] = [];
  const warn = (_fields: object, message = ''): void => void warnings.push(message);
  return { warnings, warn, debug() {}, info() {}, error() {} };
}

describe('FileStore', () => {
  stateStoreCases(async (limits) => FileStore.open(join(await folder(), 'state'), recorder(), limits));

  it('is there again after a restart', async () => {
    const at = await folder();
    const before = await FileStore.open(at, recorder());
    await before.set('servers', 'a', { url: 'http://a' });
    const after = await FileStore.open(at, recorder());
    expect(await after.entries('servers')).toEqual([['a', { url: 'http://a' }]]);
  });

  it('is readable by its owner only', async () => {
    const at = join(await folder(), 'deep', 'state');
    const store = await FileStore.open(at, recorder());
    await store.set('servers', 'a', 1);
    expect((await stat(at)).mode & 0o777).toBe(0o700);
    expect((await stat(join(at, 'servers.json'))).mode & 0o777).toBe(0o600);
  });

  it('leaves nothing behind but the files of its namespaces', async () => {
    const at = await folder();
    const store = await FileStore.open(at, recorder());
    await Promise.all([store.set('a', 'k', 1), store.set('b', 'k', 1), store.delete('a', 'none')]);
    expect((await readdir(at)).sort()).toEqual(['a.json', 'b.json']);
  });

  it.each([
    ['text', 'not json'],
    ['half a file', '{"format":1,"entries":[["a",'],
    ['another format', '{"format":2,"entries":[]}'],
    ['no pairs', '{"format":1,"entries":[1]}'],
    ['an empty file', ''],
  ])('sets a corrupt file aside with a warning and starts empty: %s', async (_what, text) => {
    const at = await folder();
    await writeFile(join(at, 'servers.json'), text);
    const log = recorder();
    const store = await FileStore.open(at, log);
    expect(await store.entries('servers')).toEqual([]);
    await store.set('servers', 'a', 1);
    expect(await store.get('servers', 'a')).toBe(1);
    expect(log.warnings).toHaveLength(1);
    const aside = (await readdir(at)).find((name) => name.startsWith('servers.json.corrupt-'));
    expect(await readFile(join(at, aside ?? ''), 'utf8')).toBe(text);
  });

  it('sees and keeps what another process writes into the same folder', async () => {
    const at = await folder();
    const one = await FileStore.open(at, recorder());
    const other = await FileStore.open(at, recorder());
    await one.set('servers', 'a', 1);
    await other.set('servers', 'b', 2);
    expect(await one.get('servers', 'b')).toBe(2);
    await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? one : other).set('servers', `k${i}`, i)));
    expect(await one.entries('servers')).toHaveLength(12);
    expect(await other.entries('servers')).toHaveLength(12);
  });

  it('takes over the lock of a process that died', async () => {
    const at = await folder();
    const store = await FileStore.open(at, recorder());
    const lock = join(at, 'servers.json.lock');
    await writeFile(lock, '');
    const long = new Date(Date.now() - 60_000);
    await utimes(lock, long, long);
    await store.set('servers', 'a', 1);
    expect(await store.get('servers', 'a')).toBe(1);
  });
});

describe('openState', () => {
  it('keeps everything in memory when no folder is configured', async () => {
    const store = await openState(undefined, recorder());
    await store.set('n', 'k', 1);
    expect(await store.get('n', 'k')).toBe(1);
  });

  it('warns and works on in memory when the folder cannot be used', async () => {
    const file = join(await folder(), 'a-file');
    await writeFile(file, '');
    const log = recorder();
    const store = await openState(join(file, 'state'), log);
    await store.set('n', 'k', 1);
    expect(await store.get('n', 'k')).toBe(1);
    expect(log.warnings).toEqual(['The state folder cannot be used: nothing will survive a restart.']);
  });
});
