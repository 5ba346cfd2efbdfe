/**
 * Opens policy: loads the hooks and the lock file that the configuration names, and the approvals of the state.
 * @module
 */

import { GrantKeys } from '../auth/grant-keys.ts';
import type { Log } from '../core/log.ts';
import { openAuditHasher } from '../observe/audit/key.ts';
import type { State } from '../state/state.ts';
import { openApprovals } from './approvals/approvals.ts';
import type { ApprovalLimits } from './approvals/types.ts';
import { Hooks } from './hooks/hooks.ts';
import type { PolicyConfig, StateFailure } from './language/types.ts';
import { openLock } from './pinning/lock.ts';
import { Policy } from './policy.ts';

export interface PolicyOptions {
  config: PolicyConfig;
  /** Names of the gateway's builtin tools, which no own name of a server may be taken for. */
  builtins: ReadonlySet<string>;
  state: State;
  /** The gateway that events are published of. */
  instance?: string;
  approvalLimits?: Partial<ApprovalLimits>;
  /** What becomes of calls whose limits cannot be counted, where these do not say so. */
  onStateFailure?: StateFailure | undefined;
  log: Log;
}

/** Rejects with `SWB_CONFIG` when hooks or the lock file cannot be loaded. */
export async function openPolicy({
  config,
  builtins,
  state,
  instance = '',
  approvalLimits: limits = {},
  onStateFailure,
  log,
}: PolicyOptions): Promise<Policy> {
  const hooks = await Hooks.load(config.hooks, { log });
  const lock = await openLock(config.lock, log);
  const [approvals, hasher] = await Promise.all([openApprovals({ log, state, limits }), openAuditHasher(state, log)]);
  const { counters } = state;
  return new Policy(config, {
    instance,
    builtins,
    hooks,
    lock,
    counters,
    onStateFailure,
    approvals,
    hasher,
    keys: new GrantKeys(config),
    log,
  });
}
