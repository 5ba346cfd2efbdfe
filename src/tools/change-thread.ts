/**
 * `changeThread`: copies or removes a conversation of the caller with an agent, at its server.
 * @module
 */
import { z } from 'zod';
import { line } from '../core/text.ts';
import { agentId } from '../relay/agents/outcome.ts';
import { resolveAgent } from './agents.ts';
import { AGENT_ARGUMENT, RESOURCE_ARGUMENT } from './schemas.ts';
import { defineTool } from './tool.ts';

export const changeThread = defineTool({
  name: 'changeThread',
  title: 'Copy or remove a conversation',
  description:
    'Copies a conversation of the caller with an agent, so that it goes on twice (fork), or removes it for good (delete), ' +
    'where the server can.',
  input: z.strictObject({
    agent: z.string().min(1).max(512).meta({ description: AGENT_ARGUMENT }),
    threadId: z.string().min(1).max(512).meta({ description: 'As listThreads names it.' }),
    action: z.enum(['fork', 'delete']),
    resourceId: z.string().min(1).max(512).optional().meta({ description: RESOURCE_ARGUMENT }),
  }),
  output: z.object({
    agent: z.string().meta({ description: '`server/agent`.' }),
    action: z.enum(['fork', 'delete']),
    threadId: z.string().meta({ description: 'Of the copy, or of what was removed.' }),
  }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  async run({ agent, threadId, action, resourceId }, context) {
    const route = await resolveAgent(context, agent);
    const params = { agent: route.original, threadId, ...(resourceId === undefined ? {} : { resourceId }) };
    const made = await context.callAgent(route, `agents/threads/${action}`, params, context.call);
    const id = action === 'fork' && typeof made.threadId === 'string' ? made.threadId : threadId;
    const said = action === 'fork' ? `The copy is thread ${line(id, 200)}.` : `Thread ${line(id, 200)} was removed.`;
    return { structured: { agent: agentId(route), action, threadId: id }, text: said };
  },
});
