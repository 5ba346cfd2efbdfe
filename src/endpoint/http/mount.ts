/**
 * The endpoint inside another server: which part of a request's path is the gateway's own.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { SwitchboardError } from '../../core/errors.ts';

/** Express and Connect cut the path at which a handler is mounted off `url` and keep the whole here. */
type Mounted = IncomingMessage & { originalUrl?: string };

/** `basePath` with a slash before and none after; '' for none. Throws `SWB_CONFIG` for what is no path. */
export function checkBasePath(basePath: string | undefined): string {
  const path = basePath?.replace(/\/$/, '') ?? '';
  if (path === '' || /^(\/[^/?#\s]+)+$/.test(path)) return path;
  throw new SwitchboardError('SWB_CONFIG', `basePath is '${path}'; allowed: a path such as /gateway.`);
}

/** The path and query of a request as the gateway's own addresses begin. */
export function pathBelow(req: IncomingMessage, basePath: string): string {
  const url = req.url ?? '/';
  return basePath !== '' && url.startsWith(`${basePath}/`) ? url.slice(basePath.length) : url;
}

/** What stands in front of the gateway's own addresses for this request's client. */
export function mountedAt(req: Mounted, basePath: string): string {
  const { originalUrl, url = '' } = req;
  const cut = originalUrl?.endsWith(url) ? originalUrl.slice(0, -url.length) : '';
  return cut + (cut === '' || url.startsWith(`${basePath}/`) ? basePath : '');
}
