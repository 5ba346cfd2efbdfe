/**
 * The tools that stand for a server's agents: one for each agent, so that clients that know tools alone can call it. They are
 * made of the agents' catalog, and no server is asked.
 *
 * An agent and its tool are one thing to policy, the queue and pinning: the tool's entry names the agent's.
 * @module
 */
import { agentToolValue } from '../../core/agent-tool.ts';
import { globMatcher } from '../../core/globs.ts';
import type { Catalog, Entry } from '../../core/upstream.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { schemaAt } from '../entries/output-schema.ts';
import { agentToolName } from '../names/naming.ts';

/** Which agents appear as tools: globs of their own names, `exclude` wins, no `include` means all. `false`: none. */
export type AgentToolFilter = false | { readonly include: readonly string[]; readonly exclude: readonly string[] };

export interface AgentTools {
  /** By the agent's key, whether or not lists show it: what policy says of the tool is about the agent everywhere. */
  readonly byAgent: ReadonlyMap<string, Entry>;
  /** Those that lists show and that can be called, in the order of the agents. */
  readonly shown: readonly Entry[];
  /** False: the server's own tools are not known yet, and one of them may have one of these names. */
  readonly areCertain: boolean;
}

const NO_AGENT_TOOLS: AgentTools = { byAgent: new Map(), shown: [], areCertain: true };

/** Makes the tools of one server, again only when a list has changed. */
export class AgentToolsOf {
  readonly #server: string;
  readonly #shows: (agent: string) => boolean;
  #agents: Catalog | undefined;
  #tools: Catalog | undefined;
  #made = NO_AGENT_TOOLS;

  constructor(server: string, filter: AgentToolFilter | undefined) {
    this.#server = server;
    this.#shows = filterOf(filter);
  }

  /**
   * `tools`: every tool of the server, those that its filter leaves out too, so that a name does not change with the filter.
   * Before they are known nothing is shown: a name may never change its meaning from an agent to a tool.
   */
  get(agents: Catalog, tools: Catalog, areToolsKnown: boolean): AgentTools {
    const isMade = agents === this.#agents && tools === this.#tools && areToolsKnown === this.#made.areCertain;
    if (isMade) return this.#made;
    const before = this.#made;
    this.#agents = agents;
    this.#tools = tools;
    this.#made = this.#make(agents.entries, tools.entries, areToolsKnown, before);
    return this.#made;
  }

  #make(agents: readonly Entry[], tools: readonly Entry[], areCertain: boolean, before: AgentTools): AgentTools {
    const names = namesOf(this.#server, agents, new Set(tools.map(({ key }) => key)));
    const byAgent = new Map<string, Entry>();
    for (const agent of agents) {
      const key = names.get(agent.key) ?? agent.key;
      const known = before.byAgent.get(agent.key);
      // Entries keep their identity until they change: what is derived from them is cached.
      const isSame = known?.key === key && known.agent === agent;
      byAgent.set(agent.key, isSame ? known : { key, value: this.#valueOf(key, agent), agent });
    }
    const shown = areCertain ? [...byAgent.values()].filter(({ agent }) => agent && this.#shows(agent.key)) : [];
    return { byAgent, shown, areCertain };
  }

  #valueOf(name: string, { key, value }: Entry): JsonObject {
    const { inputSchema } = value;
    const input = isObject(inputSchema) ? schemaAt('#/properties/input', inputSchema) : undefined;
    return agentToolValue({ name, server: this.#server, agent: key, value, input });
  }
}

/** The names of the tools by agent. Agents that need another name than their own come last, and take none away. */
function namesOf(server: string, agents: readonly Entry[], taken: Set<string>): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const isTaken = (name: string): boolean => taken.has(name);
  const late: string[] = [];
  const claim = (agent: string, name: string): void => {
    names.set(agent, name);
    taken.add(name);
  };
  for (const { key } of agents) {
    const first = agentToolName(server, key, () => false);
    if (isTaken(first)) late.push(key);
    else claim(key, first);
  }
  for (const key of late) claim(key, agentToolName(server, key, isTaken));
  return names;
}

function filterOf(filter: AgentToolFilter | undefined): (agent: string) => boolean {
  if (filter === false) return () => false;
  const included = filter?.include.map(globMatcher) ?? [];
  const excluded = filter?.exclude.map(globMatcher) ?? [];
  return (agent) =>
    (included.length === 0 || included.some((matches) => matches(agent) === true)) &&
    !excluded.some((matches) => matches(agent) !== false);
}
