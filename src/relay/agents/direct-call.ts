/**
 * Agents for endpoints of other protocols than MCP: which there are for a caller, and one turn with one of them, as a run that
 * can go on without its client. Gate and queue are those of `callAgent` and of the agent's tool.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { exposedName } from '../../federation/names/naming.ts';
import type { Route, View } from '../../federation/types.ts';
import { subjectOf } from '../gate/subjects.ts';
import type { RequestContext } from '../request-context.ts';
import type { LastingCalls } from '../runs/lasting-calls.ts';
import type { Run } from '../runs/run.ts';
import { agentId, agentToolResult } from './outcome.ts';
import { PATH_META, type PathOf } from './path.ts';

/** An agent by its server, and its key, one of its aliases, or the name of its tool. */
export interface AgentName {
  server: string;
  agent: string;
}

/** The agents a view shows, in the order of lists. */
export const agentsOf = (view: View): readonly Route[] => view.routes('agents');

/** Undefined where the view shows no such agent. */
export function agentNamed(view: View, { server, agent }: AgentName): Route | undefined {
  const routes = view.routes('agents').filter(({ member }) => member.name === server);
  const exact = routes.find(({ original }) => original === agent);
  if (exact) return exact;
  return routes.find(({ original, entry: { value } }) => {
    if (Array.isArray(value.aliases) && value.aliases.includes(agent)) return true;
    return exposedName(false, server, original) === agent;
  });
}

/** Begins one turn: `params` are those of `agents/call`, without the agent. The run's result is that of the agent's tool. */
export async function beginAgentDirectly(
  lasting: LastingCalls,
  context: RequestContext,
  name: AgentName,
  pathOf: PathOf,
): Promise<Run> {
  const route = agentNamed(context.view, name);
  if (!route) throw unknownAgent(name);
  const { member, original } = route;
  const startedAt = performance.now();
  return lasting.begin(context, {
    member,
    method: 'agents/call',
    subject: subjectOf('agents', route),
    params: context.params,
    added: { agent: original, _meta: { [PATH_META]: pathOf(context.call, route) } },
    name: agentId(route),
    speaks: true,
    result: (result) => agentToolResult(route, result, Math.round(performance.now() - startedAt)),
    prepare: (call) => {
      call.agent = route;
    },
  });
}

export const unknownAgent = ({ server, agent }: AgentName): SwitchboardError =>
  new SwitchboardError(
    'SWB_UNKNOWN_AGENT',
    `There is no agent '${agent.slice(0, 100)}' on a server '${server.slice(0, 100)}'.`,
  );
