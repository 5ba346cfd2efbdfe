/**
 * The gateway that runs for a configuration: `serve` writes into the state folder where it listens, with a key of the local user,
 * and commands use it instead of connecting to every server themselves.
 *
 * The file can be read by its owner alone, as the admin token's, and its key ends with the process. Another configuration's
 * gateway is never used, whatever port it listens on.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from '../core/owner.ts';
import type { LoadedConfig } from '../load-config.ts';
import { isObject } from '../wire/jsonrpc.ts';

const FILE = 'gateway.json';
const MAX_FILE_BYTES = 16 * 1024;

export interface RunningGateway {
  /** Of its merged endpoint. */
  url: string;
  key: string;
  pid: number;
}

export const newLocalKey = (): string => randomBytes(32).toString('base64url');

/** Writes where the gateway listens. Returns what takes it back. Without a state folder nothing is written. */
export async function announce(config: LoadedConfig, url: string, key: string): Promise<() => Promise<void>> {
  const { stateDir } = config.gateway;
  if (stateDir === undefined) return async () => {};
  const target = join(stateDir, FILE);
  const draft = `${target}.${process.pid}-${randomBytes(8).toString('hex')}`;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ url, key, pid: process.pid, config: config.file ?? null })}\n`);
  } finally {
    await file.close();
  }
  await rename(draft, target);
  return async () => {
    // Another gateway on the same folder may have written its own since.
    if ((await read(stateDir))?.key === key) await rm(target, { force: true });
  };
}

/** The gateway of this configuration that runs on this machine; undefined when there is none. Never rejects. */
export async function findRunning(config: LoadedConfig): Promise<RunningGateway | undefined> {
  const { stateDir } = config.gateway;
  if (stateDir === undefined) return undefined;
  const found = await read(stateDir);
  return found && found.config === (config.file ?? null) && isAlive(found.pid) ? found : undefined;
}

async function read(stateDir: string): Promise<(RunningGateway & { config: unknown }) | undefined> {
  try {
    const path = join(stateDir, FILE);
    const { mode, size, uid } = await stat(path);
    // A file that others could write might lead anywhere. Windows has no such modes.
    const isPrivate = process.platform === 'win32' || ((mode & 0o077) === 0 && uid === process.getuid?.());
    if (!isPrivate || size > MAX_FILE_BYTES) return undefined;
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (!isObject(value)) return undefined;
    const { url, key, pid, config } = value;
    if (typeof url !== 'string' || typeof key !== 'string' || typeof pid !== 'number') return undefined;
    return { url, key, pid, config };
  } catch {
    return undefined;
  }
}
