/**
 * What opens the administration API, as the configuration says.
 * @module
 */

import { adminToken } from '../../auth/admin-token.ts';
import type { Log } from '../../core/log.ts';
import type { Config } from '../../load-config.ts';
import type { Policy } from '../../policy/policy.ts';
import type { AdminOptions } from './admin.ts';

/** Undefined: there is no place to keep a token, and none is configured, so that there is no administration API. */
export async function adminOptions(policy: Policy, config: Config, log: Log): Promise<AdminOptions | undefined> {
  const token = await adminToken(config.policy?.adminToken, config.gateway.stateDir, log);
  return token === undefined ? undefined : { token, approvals: policy.approvals };
}
