/**
 * One writer at a time for one file, across processes: a desktop client and an editor each start a gateway of their own
 * from the same configuration, and both write the same state.
 *
 * The lock is a file beside it that only one can create. A process that dies leaves it behind, so one that is older
 * than any write can take is taken over.
 * @module
 */
import { open, rm, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { SwitchboardError } from '../core/errors.ts';

/** A write takes milliseconds; a lock this old has no owner any more. */
const STALE_MS = 10_000;
const WAIT_MS = 15_000;
const RETRY_MS = 20;

export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const lock = `${file}.lock`;
  await acquire(lock);
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

async function acquire(lock: string): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    try {
      await (await open(lock, 'wx', 0o600)).close();
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (await isStale(lock)) await rm(lock, { force: true });
    else if (Date.now() > deadline)
      throw new SwitchboardError('SWB_STATE', 'The state folder stays locked by another process.');
    else await delay(RETRY_MS);
  }
}

async function isStale(lock: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(lock)).mtimeMs > STALE_MS;
  } catch {
    return false;
  }
}
