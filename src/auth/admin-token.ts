/**
 * What opens the administration API. It is never a key that clients hold: an agent must not approve its own calls.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, link, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SwitchboardError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';

const FILE = 'admin-token';
const MAX_FILE_BYTES = 4 * 1024;
/** Where the token of a state folder is, for those who may read it. */
export const tokenFile = (stateDir: string): string => join(stateDir, FILE);

/** Visible ASCII, long enough not to be guessed. */
const TOKEN = /^[\x21-\x7e]{16,1024}$/;

/** As {@link makeToken} makes them: 256 bits. */
const MADE = /^[\w-]{43}$/;

/** Whether {@link adminToken} is one that a person chose, who may have chosen a short one. */
export const isChosen = (configured: string | undefined, token: string): boolean =>
  configured !== undefined || !MADE.test(token);

/**
 * The configured token; else the one kept in the state folder, made there the first time; else none, and the API is
 * off. Whatever keeps the folder's token from being used is logged and costs the API only: everything else can run.
 * `without`: what follows where there is none, for the log.
 */
export async function adminToken(
  configured: string | undefined,
  stateDir: string | undefined,
  log: Log,
  without = 'The administration API is off',
): Promise<string | undefined> {
  if (configured !== undefined) return configured;
  if (stateDir === undefined) {
    log.info({}, `${without}: there is neither gateway.adminToken nor a state folder to keep one in.`);
    return undefined;
  }
  try {
    return (await readAdminToken(stateDir)) ?? (await makeToken(stateDir));
  } catch (error) {
    const why =
      error instanceof SwitchboardError ? error.message : `The admin token cannot be kept (${codeOf(error)}).`;
    log.error({ folder: stateDir }, `${without}. ${why}`);
    return undefined;
  }
}

/**
 * The token in the state folder; undefined when there is none yet. Rejects with `SWB_STATE` when the file is not to be
 * trusted or holds no token.
 */
export async function readAdminToken(stateDir: string): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await open(join(stateDir, FILE), 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new SwitchboardError(
      'SWB_STATE',
      `The file '${FILE}' in the state folder cannot be read (${codeOf(error)}).`,
      {
        cause: error,
      },
    );
  }
  try {
    return await readPrivate(file);
  } finally {
    await file.close();
  }
}

async function readPrivate(file: FileHandle): Promise<string> {
  const stats = await file.stat();
  if (!stats.isFile() || stats.size > MAX_FILE_BYTES) throw noToken();
  // Windows has no such modes: there the folder's own rights decide.
  if (process.platform !== 'win32' && (stats.mode & 0o077) !== 0) {
    throw new SwitchboardError(
      'SWB_STATE',
      `The file '${FILE}' in the state folder can be read or changed by others. Delete it: a new one is made at the next start.`,
    );
  }
  const token = (await file.readFile('utf8')).trim();
  if (!TOKEN.test(token)) throw noToken();
  return token;
}

const noToken = (): SwitchboardError =>
  new SwitchboardError(
    'SWB_STATE',
    `The file '${FILE}' in the state folder holds no token. Delete it: a new one is made at the next start.`,
  );

/** Several gateways may start at once: one of them makes the file, whole, and all use what is in it. */
async function makeToken(stateDir: string): Promise<string> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const target = join(stateDir, FILE);
  const draft = `${target}.${process.pid}-${randomBytes(8).toString('hex')}`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(`${randomBytes(32).toString('base64url')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    // Unlike a rename this never replaces the file of a gateway that was faster.
    await link(draft, target).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  const token = await readAdminToken(stateDir);
  if (token === undefined) throw noToken();
  return token;
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code;
