/**
 * `listAgents`: the agents in the merged catalog, a page at a time. No server is asked.
 * @module
 */
import { z } from 'zod';
import type { Adapter } from '../core/adapter.ts';
import { SwitchboardError } from '../core/errors.ts';
import { line, plural, shortenTo } from '../core/text.ts';
import type { Member, Route } from '../federation/types.ts';
import { agentId } from '../relay/agents/outcome.ts';
import { agentName, agentSummary, aliasesOf, requireServer } from './agents.ts';
import { serverKind, serverState } from './schemas.ts';
import { defineTool } from './tool.ts';

const DEFAULT_PAGE = 50;
const MAX_PAGE = 200;
const MAX_DESCRIPTION = 500;

const agent = (adapters: readonly Adapter[]) =>
  z.object({
    agent: z.string().meta({ description: '`server/agent`, as callAgent and describeAgent take it.' }),
    name: z.string(),
    server: z.string(),
    tool: z.string().optional().meta({ description: 'The tool that calls this agent, where there is one.' }),
    description: z.string().optional(),
    kind: serverKind(adapters).optional(),
    stale: z.boolean().meta({ description: 'The server is away; the agent is what it last offered.' }),
  });

const absent = z.object({ server: z.string(), state: serverState, error: z.string().optional() });

export const listAgents = (adapters: readonly Adapter[]) =>
  defineTool({
    name: 'listAgents',
    title: 'List agents',
    description:
      'The agents of all servers behind this gateway, or of one, or those that fit some words: id, name, description and kind of ' +
      'server, from the catalog; no server is called. Servers that are away are named, since agents of theirs may be missing.',
    input: z.strictObject({
      server: z.string().min(1).max(256).optional().meta({ description: 'Only the agents of this server.' }),
      query: z.string().min(1).max(200).optional().meta({
        description: 'Only agents whose id, name or description has all of these words, upper or lower case.',
      }),
      limit: z.int().min(1).max(MAX_PAGE).default(DEFAULT_PAGE).meta({ description: 'Agents on one page.' }),
      cursor: z.string().min(1).max(2_000).optional().meta({ description: 'nextCursor of the page before.' }),
    }),
    output: z.object({
      agents: z.array(agent(adapters)),
      total: z.number().meta({ description: 'Agents on all pages.' }),
      nextCursor: z.string().optional().meta({ description: 'There are more: the cursor of the next page.' }),
      away: z.array(absent).meta({ description: 'Servers that are not ready.' }),
    }),
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    async run({ server, query, limit, cursor }, { visible }) {
      const isNamed = ({ name, builtin }: Member): boolean => !builtin && (server === undefined || name === server);
      await visible.whenSettled(server === undefined ? 'list' : 'named', isNamed);
      if (server !== undefined) requireServer(visible, server);
      const fits = fitting(query);
      const found = (await visible.routes('agents')).filter((route) => isNamed(route.member) && fits(route));
      const start = cursor === undefined ? 0 : startOf(found, cursor);
      const page = found.slice(start, start + limit);
      const tools = new Map(
        (await visible.routes('tools')).flatMap(({ entry, exposed }) => (entry.agent ? [[entry.agent, exposed]] : [])),
      );
      const agents = page.map((route) => {
        const { description, ...summary } = agentSummary(route);
        return {
          agent: agentId(route),
          name: line(agentName(route), 200),
          ...summary,
          tool: tools.get(route.entry),
          description: description && shortenTo(description, MAX_DESCRIPTION),
        };
      });
      const away = visible
        .servers()
        .filter((member) => isNamed(member) && member.state !== 'ready')
        .map((member) => ({ server: member.name, state: member.state, error: member.status().error }));
      const last = page.at(-1);
      const nextCursor = last && start + page.length < found.length ? cursorAfter(last) : undefined;
      const structured = { agents, total: found.length, ...(nextCursor ? { nextCursor } : {}), away };
      return { structured, text: textOf(structured, { server, query, start }) };
    },
  });

/** Whether an agent has all words of a query. */
function fitting(query: string | undefined): (route: Route) => boolean {
  const words = query?.toLowerCase().split(/\s+/).filter(Boolean) ?? [];
  if (words.length === 0) return () => true;
  return (route) => {
    const { description } = agentSummary(route);
    const text = [agentId(route), agentName(route), description ?? '', ...aliasesOf(route.entry)]
      .join('\n')
      .toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

/** The agent the page ended with: an agent that comes or goes elsewhere moves nothing. */
const cursorAfter = (route: Route): string => Buffer.from(route.exposed).toString('base64url');

function startOf(found: readonly Route[], cursor: string): number {
  const exposed = Buffer.from(cursor, 'base64url').toString('utf8');
  const last = found.findIndex((route) => route.exposed === exposed);
  if (last >= 0) return last + 1;
  throw new SwitchboardError(
    'SWB_STALE_CURSOR',
    'The agent this cursor stands after is no longer in the list, or the cursor is not one of it. Start again without a cursor.',
  );
}

interface Page {
  agents: readonly { agent: string; name: string; server: string; description?: string | undefined; stale: boolean }[];
  total: number;
  nextCursor?: string;
  away: readonly { server: string; state: string; error?: string | undefined }[];
}

function textOf(
  { agents, total, nextCursor, away }: Page,
  asked: { server?: string; query?: string; start: number },
): string {
  const of = `${asked.server === undefined ? '' : ` on ${asked.server}`}${asked.query === undefined ? '' : ` for '${line(asked.query, 100)}'`}`;
  const shown = agents.length < total ? ` These are ${asked.start + 1} to ${asked.start + agents.length}.` : '';
  const lines = agents.map(({ agent: id, name, server, description, stale }) => {
    const also = name === id.slice(server.length + 1) ? '' : ` (${line(name, 80)})`;
    const about = description ? `: ${line(description, 160)}` : '';
    return `- ${id}${also}${about}${stale ? ' [server is away]' : ''}`;
  });
  const more = nextCursor ? [`More with the cursor ${nextCursor}`] : [];
  const missing = away
    .slice(0, MAX_AWAY)
    .map((each) => `- server ${each.server} is ${each.state}${each.error ? `. ${line(each.error, 200)}` : ''}`);
  const note = missing.length > 0 ? ['Not ready, so agents may be missing:', ...missing] : [];
  return [`${plural(total, 'agent')}${of}.${agents.length > 0 ? shown : ''}`, ...lines, ...more, ...note].join('\n');
}

const MAX_AWAY = 20;
