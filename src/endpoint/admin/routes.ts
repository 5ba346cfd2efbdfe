/**
 * The table of the administration API: one line per group of addresses.
 *
 * To add a page, metrics or another part of the API: write a file that returns {@link AdminRoute}s, and add its line.
 * @module
 */
import type { ServerStatus } from '../../federation/types.ts';
import type { Approvals } from '../../policy/approvals/types.ts';
import { approvalRoutes } from './approvals.ts';
import type { AdminRoute } from './route.ts';
import { serverRoutes } from './servers.ts';

/** What the administration shows and decides. */
export interface AdminSources {
  approvals: Pick<Approvals, 'list' | 'get' | 'decide' | 'refresh'>;
  /** The servers behind the gateway as they are now, without builtin ones. */
  servers(): readonly ServerStatus[];
}

export const adminRoutes = (sources: AdminSources): readonly AdminRoute[] => [
  ...approvalRoutes(sources.approvals),
  ...serverRoutes(sources.servers),
];
