/**
 * Agents as a caller may know them: their ids, and which one a caller means. Read from the catalog; no server is asked.
 * @module
 */
import { editDistance, nearest } from '../config/nearest.ts';
import { SwitchboardError } from '../core/errors.ts';
import { line } from '../core/text.ts';
import type { Member, Route } from '../federation/types.ts';
import { agentId } from '../relay/agents/outcome.ts';
import { someOf } from './text.ts';
import type { VisibleServers } from './visible-servers.ts';

/** The agent's name for people. */
export function agentName({ entry, original }: Route): string {
  for (const name of [entry.value.title, entry.value.name]) if (typeof name === 'string' && name !== '') return name;
  return original;
}

export interface AgentSummary {
  server: string;
  description: string | undefined;
  kind: string | undefined;
  stale: boolean;
}

export function agentSummary({ member, entry }: Route): AgentSummary {
  const { kind, stale } = member.status();
  const { description } = entry.value;
  return {
    server: member.name,
    description: typeof description === 'string' && description !== '' ? description : undefined,
    kind: kind === 'builtin' ? undefined : kind,
    stale,
  };
}

/** The server of this name, or `SWB_UNKNOWN_SERVER` with the nearest one, as the caller may know them. */
export function requireServer(visible: VisibleServers, name: string): Member {
  const member = visible.server(name);
  if (member) return member;
  const names = visible.servers().map((each) => each.name);
  const meant = nearest(name, names);
  throw new SwitchboardError(
    'SWB_UNKNOWN_SERVER',
    `There is no server '${line(name, 100)}'.${meant ? ` The nearest name is '${meant}'.` : ''} listServers shows all of them.`,
    { data: { servers: names.slice(0, 50) } },
  );
}

/** From the plainest spelling to the loosest; the first that fits anything decides. */
const SPELLINGS: readonly ((route: Route) => string)[] = [
  agentId,
  (route) => `${route.member.name}:${route.original}`,
  (route) => route.exposed,
  (route) => route.original,
];

/**
 * The one agent `wanted` means among those the caller may know of and that `counts` says. Never a guess: several are
 * `SWB_AMBIGUOUS_NAME` with the candidates, none is `SWB_UNKNOWN_AGENT` with the nearest, or why its server is away.
 */
export async function resolveAgent(
  visible: VisibleServers,
  wanted: string,
  counts: (route: Route) => boolean = () => true,
): Promise<Route> {
  const named = serverOf(visible, wanted);
  await visible.whenSettled(named ? 'call' : 'list', (member) => named === undefined || member === named);
  const routes = (await visible.routes('agents')).filter(counts);
  // An agent the caller knows but no list shows is found last; the gate then says that it may not be called.
  const found = namedAgent(wanted, routes) ?? namedAgent(wanted, (await visible.unlistedAgents()).filter(counts));
  if (found) return found;
  // A server that has not been seen yet may well have this agent: then the reason why it is away is the answer.
  const server = serverOf(visible, wanted);
  if (server && server.state !== 'ready' && server.catalog('agents').entries.length === 0) server.require();
  const candidates = nearestAgents(wanted, routes);
  const near = candidates.length > 0 ? ` The nearest: ${candidates.join(', ')}.` : '';
  throw new SwitchboardError(
    'SWB_UNKNOWN_AGENT',
    `There is no agent '${line(wanted, 100)}'${server ? ` on server '${server.name}'` : ''}.${near} listAgents shows all of them.`,
    { data: { candidates } },
  );
}

function namedAgent(wanted: string, routes: readonly Route[]): Route | undefined {
  for (const spelling of SPELLINGS) {
    const found = routes.filter((route) => spelling(route) === wanted);
    const [only] = found;
    if (only && found.length === 1) return only;
    if (only) {
      const candidates = found.map(agentId);
      throw new SwitchboardError(
        'SWB_AMBIGUOUS_NAME',
        `Several servers have an agent '${line(wanted, 100)}': ${someOf(candidates, 20)}. The full id says which one is meant.`,
        { data: { candidates: candidates.slice(0, 50) } },
      );
    }
  }
  return undefined;
}

const serverOf = (visible: VisibleServers, wanted: string): Member | undefined =>
  visible.servers().find(({ name }) => wanted.startsWith(`${name}/`) || wanted.startsWith(`${name}:`));

/** Comparing takes time by the product of the lengths, and what a caller writes may be long. */
const MAX_COMPARED = 128;
const MAX_NEAREST = 5;

function nearestAgents(wanted: string, routes: readonly Route[]): string[] {
  const word = wanted.slice(0, MAX_COMPARED).toLowerCase().replace(':', '/');
  const bare = word.slice(word.indexOf('/') + 1);
  const distance = (route: Route): number => {
    const id = agentId(route).slice(0, MAX_COMPARED).toLowerCase();
    const original = route.original.slice(0, MAX_COMPARED).toLowerCase();
    if (bare !== '' && original.includes(bare)) return 0;
    return Math.min(editDistance(word, id), editDistance(bare, original));
  };
  return routes
    .slice(0, 2_000)
    .map((route) => ({ id: agentId(route), distance: distance(route) }))
    .filter((each) => each.distance <= Math.max(2, Math.floor(bare.length / 3)))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, MAX_NEAREST)
    .map((each) => each.id);
}
