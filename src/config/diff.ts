/**
 * Lists what an edit of the configuration changes.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import type { GatewayConfig, ServerConfig } from './types.ts';

export interface ServersDiff {
  added: ServerConfig[];
  removed: ServerConfig[];
  /** The new configurations of servers that were there under the same name with another one. */
  changed: ServerConfig[];
  unchanged: ServerConfig[];
}

export function diffServers(before: readonly ServerConfig[], after: readonly ServerConfig[]): ServersDiff {
  const old = new Map(before.map((server) => [server.name, server]));
  const diff: ServersDiff = { added: [], removed: [], changed: [], unchanged: [] };
  for (const server of after) {
    const previous = old.get(server.name);
    old.delete(server.name);
    if (previous === undefined) diff.added.push(server);
    else if (isDeepStrictEqual(previous, server)) diff.unchanged.push(server);
    else diff.changed.push(server);
  }
  diff.removed.push(...old.values());
  return diff;
}

/** Keys of the `gateway` section that differ, such as `gateway.port` or `gateway.auth.bridge`. */
export function diffGateway(before: GatewayConfig, after: GatewayConfig): string[] {
  return differing(before, after).flatMap((key) =>
    key === 'auth'
      ? differing(before.auth ?? {}, after.auth ?? {}).map((part) => `gateway.auth.${part}`)
      : [`gateway.${key}`],
  );
}

function differing<T extends object>(before: T, after: T): (string & keyof T)[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)] as (string & keyof T)[]);
  return [...keys].filter((key) => !isDeepStrictEqual(before[key], after[key]));
}
