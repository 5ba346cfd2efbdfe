/**
 * The table of the administration API: one line per group of addresses.
 *
 * To add a page, metrics or another part of the API: write a file that returns {@link AdminRoute}s, and add its line.
 * @module
 */
import { approvalRoutes } from './approvals.ts';
import type { AdminRoute, AdminSources } from './route.ts';
import { serverRoutes } from './servers.ts';

export const adminRoutes = (sources: AdminSources): readonly AdminRoute[] => [
  ...approvalRoutes(sources.approvals),
  ...serverRoutes(sources.servers),
];
