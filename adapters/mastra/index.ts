/**
 * Mastra servers as upstreams: their agents can be called, their tools are MCP tools. Measured against
 * `@mastra/core` 1.71 with `@mastra/hono` 1.7.
 *
 * A target's URL is the server's root, with or without a trailing `/api`, or the prefix its API is
 * mounted under. Headers go out as they are configured
 * (`Authorization: Bearer …` where the server authenticates) and no others. The MCP servers a Mastra server hosts, at
 * `/api/mcp/<server id>/mcp`, are servers of kind `mcp` of their own. Workflows are not offered: a started one goes on when
 * its client disconnects, and a suspended one seldom waits for something an elicitation form can ask for.
 *
 * Threads: `threadId` without `resourceId` belongs to the resource `switchboard:<principal>`, so that callers of the
 * gateway do not share threads; no client can name another one's. The threads and resources a grant names are
 * `switchboard:<grant>:<id>` on the server; the local user's are what it says.
 * @module
 */

import type { Adapter } from '../../src/core/adapter.ts';

const POLL_MS = 30_000;

export const mastraAdapter: Adapter = mastraAdapterPolling(POLL_MS);

/** The adapter, looking for changes about every `pollMs` milliseconds. */
export function mastraAdapterPolling(pollMs: number): Adapter {
  return {
    kind: 'mastra',
    label: 'Mastra',
    urlHint: 'it is the base URL',
    transports: ['http', 'sse', 'auto'],
    // Mastra servers can offer MCP and other protocols beside their own API.
    detectRank: 20,
    listsWhatItDeclares: false,
    speaksMcp: false,
    agents: { continuations: ['approve', 'decline', 'resume'] },
    detect: async (url, context) => (await import('./connect.ts')).detect(url, context),
    connect: async (context) => (await import('./connect.ts')).connect(context, pollMs),
  };
}
