/**
 * Servers with OpenAI's Responses API (`POST /v1/responses`) as upstreams: each model or configured agent is an agent, a
 * stored response is the head of a thread. `README.md` beside this file has the mapping.
 * @module
 */
import { z } from 'zod';
import type { Adapter } from '../../src/core/adapter.ts';

const agent = z.strictObject({
  description: z.string().max(4_000).optional(),
  model: z.string().min(1).optional(),
  /** Members of every request for this agent: `agent_id`, `instructions`, `tools`. */
  request: z.record(z.string(), z.unknown()).optional(),
});

export const responsesAdapter: Adapter = {
  kind: 'responses',
  label: 'Responses',
  urlHint: 'it is the base URL, which ends with /v1',
  transports: ['http', 'auto'],
  // Servers of other kinds offer this API beside their own.
  detectRank: -10,
  listsWhatItDeclares: false,
  speaksMcp: false,
  options: {
    models: z
      .record(z.string().min(1).max(128), agent)
      .optional()
      .meta({
        description:
          'Of a server with the Responses API: its agents by name, each with `description`, `model` (default: the name) and ' +
          '`request`, members of every request such as `instructions`, `tools` or `agent_id`. Default: the models the server lists.',
      }),
  },
  agents: { continuations: ['input'], takesKeys: true },
  detect: async (url, context) => (await import('./connect.ts')).detect(url, context),
  connect: async (context) => (await import('./connect.ts')).connect(context),
};
