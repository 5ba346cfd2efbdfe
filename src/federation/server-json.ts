/**
 * The state of a server as programs get it, from the tool `listServers` and the administration API. It holds no address
 * and no credential.
 * @module
 */
import { shortenTo } from '../core/text.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import type { ServerStatus, SkippedEntry } from './types.ts';

/** `since` is ISO 8601; `serverInfo` holds only what names the server: its own may hold anything. */
export function serverJson({ kind, speaksMcp: _, origin, since, serverInfo, skipped, ...rest }: ServerStatus) {
  return {
    ...rest,
    ...(skipped && { skipped: skipped.map((entry) => ({ ...entry, name: shortenTo(entry.name, 200) })) }),
    kind: kind === 'builtin' ? undefined : kind,
    origin: origin === 'builtin' ? ('file' as const) : origin,
    since: new Date(since).toISOString(),
    serverInfo: serverInfo && nameOf(serverInfo),
  };
}

const NOUNS = { tools: 'tool', prompts: 'prompt', resources: 'resource', templates: 'resource template' } as const;

/** A left-out entry and why, without a full stop. */
export const skippedText = ({ list, name, reason, clients }: SkippedEntry): string =>
  `the ${NOUNS[list]} '${shortenTo(name, 100)}' is left out${clients === 'legacy' ? ' for clients before 2026-07-28' : ''}: ${reason}`;

function nameOf(info: JsonObject): { name?: string; title?: string; version?: string } {
  const named: { name?: string; title?: string; version?: string } = {};
  for (const key of ['name', 'title', 'version'] as const) {
    const value = info[key];
    if (typeof value === 'string') named[key] = shortenTo(value.replace(/\s+/g, ' ').trim(), 200);
  }
  return named;
}
