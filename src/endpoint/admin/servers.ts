/**
 * `GET /admin/api/servers`: the servers behind the gateway and the state each is in, as the tool `listServers` shows them.
 * @module
 */
import { serverJson } from '../../federation/server-json.ts';
import type { AdminRoute, AdminSources } from './route.ts';

export const serverRoutes = (servers: AdminSources['servers']): AdminRoute[] => [
  {
    method: 'GET',
    path: '/admin/api/servers',
    handle: () => ({ json: { servers: servers().map(serverJson) } }),
  },
];
