/**
 * Parts of schemas that several tools share.
 * @module
 */
import { z } from 'zod';
import type { Adapter } from '../core/adapter.ts';

export const serverState = z.enum(['configured', 'connecting', 'ready', 'degraded', 'stopped']);

export const serverKind = (adapters: readonly Adapter[]) => z.enum(adapters.map(({ kind }) => kind));

export const counts = z.object({
  tools: z.number(),
  prompts: z.number(),
  resources: z.number(),
  templates: z.number(),
  agents: z.number(),
});

/** What tools say of `resourceId`. */
export const RESOURCE_ARGUMENT = 'Whom the conversation belongs to, for servers that keep memory by user.';

/** What tools that take an agent say of it. */
export const AGENT_ARGUMENT =
  'The agent, as listAgents names it: `server/agent`, or the bare agent id when only one server has it. ' +
  '`server:agent` is read too.';
