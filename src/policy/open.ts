/**
 * Opens the policy room: loads what the configuration names, and takes up what was kept.
 * @module
 */

import { GrantKeys } from '../auth/grant-keys.ts';
import type { Log } from '../core/log.ts';
import { openAuditHasher } from '../observe/audit/key.ts';
import type { StateStore } from '../state/store.ts';
import { openApprovals } from './approvals/approvals.ts';
import { openCounters } from './counters/open.ts';
import { Hooks } from './hooks/hooks.ts';
import type { PolicyConfig } from './language/types.ts';
import { openLock } from './pinning/lock.ts';
import { Policy } from './policy.ts';

export interface PolicyOptions {
  config: PolicyConfig;
  state: StateStore;
  /** Whether the state survives a restart: counts that do not are not written. */
  persistent: boolean;
  log: Log;
}

/** Rejects with `SWB_CONFIG` when hooks or the lock file cannot be loaded. */
export async function openPolicy({ config, state, persistent, log }: PolicyOptions): Promise<Policy> {
  const hooks = await Hooks.load(config.hooks, { log });
  const lock = await openLock(config.lock, log);
  const [counters, approvals, hasher] = await Promise.all([
    openCounters({ log, state: persistent ? state : undefined }),
    openApprovals({ log, state }),
    openAuditHasher(state, log),
  ]);
  return new Policy(config, { hooks, lock, counters, approvals, hasher, keys: new GrantKeys(config), log });
}
