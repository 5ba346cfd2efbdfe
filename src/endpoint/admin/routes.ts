/**
 * The table of the administration API: one line per group of addresses.
 *
 * To add a part of the API: write a file that returns {@link AdminRoute}s, and add its line. Pages are listed in `pages/app.ts`.
 * @module
 */
import { accessRoutes } from './access.ts';
import { approvalRoutes } from './approvals.ts';
import { callRoutes } from './calls.ts';
import { connectionRoutes } from './connections.ts';
import { definitionRoutes } from './definitions.ts';
import { entryRoutes } from './entries.ts';
import { grantRoutes } from './grants.ts';
import { liveRoutes } from './live.ts';
import { loginRoutes } from './login.ts';
import { metricRoutes } from './metrics.ts';
import type { AdminRoute, RouteSources } from './route.ts';
import { serverEntryRoutes } from './server-entries.ts';
import { serverRoutes } from './servers.ts';
import { shellRoutes } from './shell.ts';
import type { PageSources } from './sources.ts';
import { tryRoutes } from './try.ts';

export const adminRoutes = (sources: RouteSources): readonly AdminRoute[] => [
  ...approvalRoutes(sources.approvals),
  ...serverRoutes(sources.servers, sources.pages),
  ...(sources.metrics ? metricRoutes(sources.metrics) : []),
  ...connectionRoutes(sources.connections),
  ...(sources.pages ? pageRoutes(sources, sources.pages) : []),
];

/** The pages, and what only they show. */
const pageRoutes = (sources: RouteSources, pages: PageSources): readonly AdminRoute[] => [
  ...shellRoutes(),
  ...loginRoutes(sources),
  ...liveRoutes(sources, pages),
  ...serverEntryRoutes(pages),
  ...callRoutes(pages),
  ...entryRoutes(pages),
  ...tryRoutes(pages),
  ...definitionRoutes(pages),
  ...accessRoutes(sources, pages),
  ...grantRoutes(pages),
];
