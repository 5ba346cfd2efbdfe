/**
 * `describeAgent`: what the catalog has on an agent, and what its server says when asked.
 * @module
 */
import { z } from 'zod';
import type { Adapter } from '../core/adapter.ts';
import { SwitchboardError, UpstreamError } from '../core/errors.ts';
import { line } from '../core/text.ts';
import { agentId } from '../relay/agents/outcome.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { agentName, agentSummary, resolveAgent } from './agents.ts';
import { AGENT_ARGUMENT, serverKind } from './schemas.ts';
import { someOf } from './text.ts';
import { defineTool } from './tool.ts';

const anything = () => z.record(z.string(), z.unknown());

export const describeAgent = (adapters: readonly Adapter[]) =>
  defineTool({
    name: 'describeAgent',
    title: 'Describe an agent',
    description:
      'What is known of one agent: name, server, description, and what its server tells about it (such as model, tools ' +
      'or input schema). When the server cannot be asked, the catalog entry is returned with the reason.',
    input: z.strictObject({ agent: z.string().min(1).max(512).meta({ description: AGENT_ARGUMENT }) }),
    output: z.object({
      agent: z.string().meta({ description: '`server/agent`.' }),
      server: z.string(),
      name: z.string(),
      description: z.string().optional(),
      kind: serverKind(adapters).optional(),
      stale: z.boolean(),
      entry: anything().meta({ description: 'The catalog entry.' }),
      details: anything().optional().meta({ description: 'What the server tells, as it tells it.' }),
      unavailable: z.string().optional().meta({ description: 'Why there are no details.' }),
    }),
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    async run({ agent }, context) {
      const { visible, call } = context;
      const route = await resolveAgent(visible, agent);
      const described = {
        agent: agentId(route),
        name: agentName(route),
        ...agentSummary(route),
        entry: route.entry.value,
      };
      const asked = await context.callAgent(route, 'agents/describe', { agent: route.original }, call).then(
        (details) => ({ details }),
        (error: unknown) => {
          if (call.aborted || !(error instanceof SwitchboardError || error instanceof UpstreamError)) throw error;
          // An agent the caller may not call is not described either.
          if (error instanceof SwitchboardError && error.code === 'SWB_DENIED') throw error;
          return { unavailable: error.message };
        },
      );
      const text = [
        `${described.agent}: ${line(described.name, 100)}${described.kind ? ` (${described.kind})` : ''}`,
        ...(described.description ? [described.description] : []),
        ...('details' in asked ? factLines(asked.details) : [`No details: ${asked.unavailable}`]),
      ];
      return { structured: { ...described, ...asked }, text: text.join('\n') };
    },
  });

/** Shown above, or of no use to a reader. */
const SAID = new Set(['name', 'title', 'id', 'agent', 'description']);
const MAX_FACTS = 20;

/** One line for each detail that fits in a line. */
function factLines(details: JsonObject): string[] {
  const facts: string[] = [];
  for (const [key, value] of Object.entries(details)) {
    if (SAID.has(key) || value === null || value === undefined || value === '') continue;
    facts.push(`- ${line(key, 60)}: ${factText(value)}`);
  }
  return facts.slice(0, MAX_FACTS);
}

function factText(value: unknown): string {
  if (Array.isArray(value)) {
    const names = value.map((each) => (isObject(each) ? (each.name ?? each.id ?? each.title) : each));
    if (value.length === 0) return 'none';
    const sayable = names.every((name) => typeof name === 'string' || typeof name === 'number');
    return sayable
      ? someOf(
          names.map((name) => line(String(name), 60)),
          20,
        )
      : `${value.length} items`;
  }
  if (isObject(value)) return someOf(Object.keys(value), 20) || 'none';
  return line(String(value), 300);
}
