import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Log } from '../core/log.ts';
import { adminToken, readAdminToken } from './admin-token.ts';

let folder: string;
let lines: string[];
const log: Log = {
  debug() {},
  info: (_fields, message = '') => void lines.push(`info ${message}`),
  warn() {},
  error: (_fields, message = '') => void lines.push(`error ${message}`),
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'swb-admin-'));
  lines = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('the configured token is used, and none is kept', async () => {
  expect(await adminToken('configured', folder, log)).toBe('configured');
  expect(await readdir(folder)).toEqual([]);
});

it('one is made once, of 256 bits, private, and found again', async () => {
  const state = join(folder, 'deep', 'state');
  const made = await adminToken(undefined, state, log);
  expect(Buffer.from(made ?? '', 'base64url')).toHaveLength(32);
  expect(await adminToken(undefined, state, log)).toBe(made);
  expect(await readAdminToken(state)).toBe(made);
  expect((await stat(join(state, 'admin-token'))).mode & 0o777).toBe(0o600);
  expect(await readdir(state)).toEqual(['admin-token']);
  expect(lines).toEqual([]);
});

it('gateways that start at once agree on one', async () => {
  const tokens = await Promise.all(Array.from({ length: 20 }, () => adminToken(undefined, folder, log)));
  expect(new Set(tokens).size).toBe(1);
  expect(await readdir(folder)).toEqual(['admin-token']);
  expect((await readFile(join(folder, 'admin-token'), 'utf8')).trim()).toBe(tokens[0]);
});

it('without a state folder there is none, and the log says why, once', async () => {
  expect(await adminToken(undefined, undefined, log)).toBeUndefined();
  expect(lines).toEqual([expect.stringMatching(/^info The administration API is off.*gateway\.adminToken/)]);
});

it.each([0o644, 0o640, 0o660, 0o602])('a file of mode %o is not trusted', async (mode) => {
  const file = join(folder, 'admin-token');
  await writeFile(file, 'A'.repeat(43));
  await chmod(file, mode);
  await expect(readAdminToken(folder)).rejects.toMatchObject({ code: 'SWB_STATE' });
  expect(await adminToken(undefined, folder, log)).toBeUndefined();
  expect(lines).toEqual([expect.stringContaining('can be read or changed by others')]);
  expect(await readFile(file, 'utf8')).toBe('A'.repeat(43));
});

it.each([
  ['nothing', ''],
  ['a short one', 'secret'],
  ['several lines', `${'A'.repeat(20)}\n${'B'.repeat(20)}`],
  ['far too much', 'A'.repeat(5_000)],
])('a file that holds %s is no token', async (_what, text) => {
  await writeFile(join(folder, 'admin-token'), text, { mode: 0o600 });
  await expect(readAdminToken(folder)).rejects.toThrow('holds no token');
  expect(await adminToken(undefined, folder, log)).toBeUndefined();
  expect(lines).toHaveLength(1);
});

it('what is no file is no token', async () => {
  await mkdir(join(folder, 'a', 'admin-token'), { recursive: true });
  await expect(readAdminToken(join(folder, 'a'))).rejects.toMatchObject({ code: 'SWB_STATE' });
  await mkdir(join(folder, 'b'));
  await symlink('/nonexistent/token', join(folder, 'b', 'admin-token'));
  expect(await adminToken(undefined, join(folder, 'b'), log)).toBeUndefined();
  expect(lines).toHaveLength(1);
});

it('a folder that cannot be used costs the API only', async () => {
  await writeFile(join(folder, 'file'), '');
  expect(await adminToken(undefined, join(folder, 'file'), log)).toBeUndefined();
  expect(lines).toEqual([expect.stringMatching(/^error The administration API is off\./)]);
});
