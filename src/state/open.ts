/**
 * The store a configuration asks for.
 * @module
 */
import type { Log } from '../core/log.ts';
import { FileStore } from './file-store.ts';
import { MemoryStore } from './memory-store.ts';
import type { StateStore } from './store.ts';

/**
 * In the folder, or in memory when there is none. A folder that cannot be used (a configuration mounted read-only is
 * common) costs what survives a restart and nothing else, so it is a warning.
 */
export async function openState(folder: string | undefined, log: Log): Promise<StateStore> {
  if (folder === undefined) return new MemoryStore();
  try {
    return await FileStore.open(folder, log);
  } catch (error) {
    log.warn({ folder, err: error }, 'The state folder cannot be used: nothing will survive a restart.');
    return new MemoryStore();
  }
}
