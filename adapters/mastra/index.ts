/**
 * Mastra servers as upstreams: their agents can be called, their tools are MCP tools. Measured against
 * `@mastra/core` 1.71 with `@mastra/hono` 1.7.
 *
 * `docs/agents.md` says how a server is configured and what becomes what.
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
    agents: { continuations: ['approve', 'decline', 'resume'], takesThreadIds: true, takesKeys: true },
    detect: async (url, context) => (await import('./connect.ts')).detect(url, context),
    connect: async (context) => (await import('./connect.ts')).connect(context, pollMs),
  };
}
