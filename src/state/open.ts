/**
 * The state a configuration asks for.
 * @module
 */
import type { Log } from '../core/log.ts';
import { memoryState } from './memory/memory-state.ts';
import { openSqliteState } from './sqlite/sqlite-state.ts';
import type { State } from './state.ts';

/**
 * In the folder, or in memory when there is none. A folder that cannot be used (a configuration mounted read-only is
 * common) costs only what would survive a restart, so it is a warning.
 */
export function openState(folder: string | undefined, log: Log): State {
  if (folder === undefined) return memoryState(log);
  try {
    return openSqliteState(folder, { log });
  } catch (error) {
    log.warn({ folder, err: error }, 'The state folder cannot be used: nothing will survive a restart.');
    return memoryState(log);
  }
}
