/**
 * State in a folder, shared by every gateway that uses it. `state.db` holds what must survive (keys and values, secrets);
 * `shared.db` what several processes do together and may lose with the machine (counters, events, bus).
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { newReplicaId } from '../replica.ts';
import { STATE_LIMITS, type State, type StateLimits } from '../state.ts';
import { SqliteBus } from './bus.ts';
import { COUNTERS_SCHEMA, SqliteCounters } from './counters.ts';
import { openDatabase } from './database.ts';
import { EVENTS_SCHEMA, SqliteEventLog } from './events.ts';
import { KEY_VALUE_SCHEMA, SqliteKeyValue } from './key-value.ts';
import { takeOverOldFiles } from './old-files.ts';
import { ProcessLock } from './process-lock.ts';

export interface SqliteStateOptions extends Partial<StateLimits> {
  log: Log;
  /** How long a change waits for other processes, in milliseconds. */
  lockWaitMs?: number;
  /** How often a process that shares the counters looks whether it is the only one left, in milliseconds. */
  tryAloneEveryMs?: number;
  /** Milliseconds since the epoch, for counters. */
  clock?: () => number;
}

const LOCK_WAIT_MS = 15_000;

/**
 * Makes the folder if it is not there; files in it are readable by their owner only, because they may hold credentials.
 * Throws `SWB_STATE` when the folder cannot be used.
 */
export function openSqliteState(folder: string, options: SqliteStateOptions): State {
  const { log, lockWaitMs = LOCK_WAIT_MS, clock = Date.now } = options;
  const limits = { ...STATE_LIMITS, ...options };
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SwitchboardError('SWB_STATE', `The state folder cannot be used (${code}).`, { cause: error });
  }
  const open = (name: string, schema: string, durable: boolean) =>
    openDatabase({ file: join(folder, name), schema, durable, log, lockWaitMs });
  const state = open('state.db', KEY_VALUE_SCHEMA, true);
  const shared = open('shared.db', `${COUNTERS_SCHEMA}; ${EVENTS_SCHEMA}`, false);
  takeOverOldFiles(folder, { state, shared, limits, log });

  const replica = newReplicaId();
  const kv = new SqliteKeyValue(state, limits);
  const events = new SqliteEventLog(shared);
  const bus = new SqliteBus(events, replica, join(folder, 'bus'), log);
  const counters = new SqliteCounters({
    db: shared,
    lock: new ProcessLock(join(folder, 'counting.lock')),
    bus,
    log,
    maxCounters: limits.maxCounters,
    clock,
    lockWaitMs,
    tryAloneEveryMs: options.tryAloneEveryMs,
  });
  return {
    replica,
    kv,
    counters,
    events,
    bus,
    async secret(name) {
      if ((await kv.get('secrets', name)) === undefined)
        await kv.setIfAbsent('secrets', name, randomBytes(32).toString('base64url'));
      return Buffer.from(String(await kv.get('secrets', name)), 'base64url');
    },
    async close() {
      await counters.close();
      bus.close();
      await kv.settled();
      state.close();
      shared.close();
    },
  };
}
