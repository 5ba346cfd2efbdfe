/**
 * `GET /metrics`: metrics as Prometheus text, for scrapers that present the admin token. They are counted from the first
 * request on, where nothing else reads them: until then they cost nothing.
 * @module
 */
import type { AdminRoute, AdminSources } from './route.ts';

export const metricRoutes = (metrics: NonNullable<AdminSources['metrics']>): AdminRoute[] => [
  { method: 'GET', path: '/metrics', handle: () => metrics() },
];
