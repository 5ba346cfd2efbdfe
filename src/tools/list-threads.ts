/**
 * `listThreads`: the caller's conversations with an agent, as its server keeps them.
 * @module
 */
import { z } from 'zod';
import type { AgentThread } from '../core/agent-call.ts';
import { line, plural } from '../core/text.ts';
import { agentId } from '../relay/agents/outcome.ts';
import { isObject } from '../wire/jsonrpc.ts';
import { resolveAgent } from './agents.ts';
import { AGENT_ARGUMENT, RESOURCE_ARGUMENT } from './schemas.ts';
import { defineTool } from './tool.ts';

const thread = z.object({
  threadId: z.string().meta({ description: 'As callAgent takes it.' }),
  title: z.string().optional(),
  agent: z.string().optional(),
  status: z.string().optional().meta({ description: 'idle, busy, interrupted or error, where the server tells.' }),
  createdAt: z.string().optional(),
  updatedAt: z.string().optional(),
});

export const listThreads = defineTool({
  name: 'listThreads',
  title: 'List conversations',
  description:
    'The conversations of the caller with an agent, newest first, as its server keeps them; those of others are not ' +
    'among them. What was said in one is the resource <kind>://threads/<threadId> of its server.',
  input: z.strictObject({
    agent: z.string().min(1).max(512).meta({ description: AGENT_ARGUMENT }),
    resourceId: z.string().min(1).max(512).optional().meta({ description: RESOURCE_ARGUMENT }),
    limit: z.int().min(1).max(100).optional().meta({ description: 'Most threads in a page.', default: 20 }),
    cursor: z.string().min(1).max(512).optional().meta({ description: 'nextCursor of the page before.' }),
  }),
  output: z.object({
    agent: z.string().meta({ description: '`server/agent`.' }),
    threads: z.array(thread),
    nextCursor: z.string().optional(),
  }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
  async run({ agent, ...query }, context) {
    const route = await resolveAgent(context, agent);
    const params = { ...query, agent: route.original };
    const found = await context.callAgent(route, 'agents/threads/list', params, context.call);
    const listed = Array.isArray(found.threads) ? found.threads.filter(isObject) : [];
    const threads = listed.filter((each): each is AgentThread => typeof each.threadId === 'string');
    const lines = threads.map(({ threadId, title, status, updatedAt }) => {
      const about = [status, updatedAt && `last used ${updatedAt}`].filter(Boolean).join(', ');
      return `- ${line(threadId, 200)}${title ? ` (${line(title, 80)})` : ''}${about === '' ? '' : `: ${about}`}`;
    });
    const more = typeof found.nextCursor === 'string' ? { nextCursor: found.nextCursor } : {};
    const last = 'nextCursor' in more ? ['There are more: call again with cursor set to nextCursor.'] : [];
    const text = [`${plural(threads.length, 'conversation')} with ${agentId(route)}.`, ...lines, ...last].join('\n');
    return { structured: { agent: agentId(route), threads, ...more }, text };
  },
});
