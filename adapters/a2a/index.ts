/**
 * A2A agents (protocol 1.0 and 0.3, over JSON-RPC and HTTP+JSON) as upstreams: each is a server with one agent, its task
 * is a run, its context a thread. docs/agents.md has the mapping.
 * @module
 */
import { z } from 'zod';
import type { Adapter } from '../../src/core/adapter.ts';

export const a2aAdapter: Adapter = {
  kind: 'a2a',
  label: 'A2A',
  urlHint: 'it is the URL of the agent, or of its agent card',
  transports: ['http', 'auto'],
  // Above MCP, which one server may offer at the same URL; below the kinds whose servers also publish agent cards.
  detectRank: 5,
  listsWhatItDeclares: false,
  speaksMcp: false,
  options: {
    agentEndpoint: z
      .url()
      .optional()
      .meta({
        description:
          'For an A2A agent whose card names another origin than `url`: the address its requests go to, credentials ' +
          'included. Default: the address in the card, where it has the origin of `url`.',
      }),
  },
  agents: { continuations: ['taskId'], takesKeys: true },
  detect: async (url, context) => (await import('./connect.ts')).detect(url, context),
  connect: async (context) => (await import('./connect.ts')).connect(context),
};
