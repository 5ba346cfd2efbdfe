/**
 * Agents as a caller may know them: their ids, and which one a caller means. Read from the catalog; no server is asked.
 * @module
 */
import { editDistance, nearest } from '../config/nearest.ts';
import type { Call } from '../core/call.ts';
import { SwitchboardError } from '../core/errors.ts';
import { line } from '../core/text.ts';
import type { Entry } from '../core/upstream.ts';
import type { Member, Route } from '../federation/types.ts';
import { agentId } from '../relay/agents/outcome.ts';
import { someOf } from './text.ts';
import type { ToolContext } from './tool.ts';
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
const SPELLINGS: readonly ((route: Route) => readonly string[])[] = [
  (route) => [agentId(route)],
  ({ member, original }) => [`${member.name}/${original}`, `${member.name}:${original}`],
  ({ member, entry }) => aliasesOf(entry).flatMap((alias) => [`${member.name}/${alias}`, `${member.name}:${alias}`]),
  ({ exposed }) => [exposed],
  ({ original }) => [original],
  ({ entry }) => aliasesOf(entry),
];

/** Other names of the agent, such as the ids of its server. */
export const aliasesOf = ({ value: { aliases } }: Entry): string[] =>
  Array.isArray(aliases) ? aliases.filter((alias) => typeof alias === 'string') : [];

/**
 * The one agent `wanted` means among those the caller may know of and that `counts` says. Never a guess: several are
 * `SWB_AMBIGUOUS_NAME` with the candidates, none is `SWB_UNKNOWN_AGENT` with the nearest, or why its server is away. In the
 * first moments it waits for the server that is named, until that has connected or its time is over; progress says so.
 */
export function resolveAgent(
  context: Pick<ToolContext, 'visible' | 'call'>,
  wanted: string,
  counts: (route: Route) => boolean = () => true,
): Route | Promise<Route> {
  const routes = context.visible.routes('agents');
  // No server that is still to come has a plainer spelling of its own.
  const exact = routes instanceof Promise ? undefined : idsOf(routes).get(wanted);
  return exact && counts(exact) ? exact : searchAgent(context, wanted, counts);
}

async function searchAgent(
  { visible, call }: Pick<ToolContext, 'visible' | 'call'>,
  wanted: string,
  counts: (route: Route) => boolean,
): Promise<Route> {
  const lookUp = async (): Promise<{ found: Route | undefined; routes: readonly Route[] }> => {
    const routes = (await visible.routes('agents')).filter(counts);
    // An agent the caller knows but no list shows is found last; the gate then says that it may not be called.
    const found = namedAgent(wanted, routes) ?? namedAgent(wanted, (await visible.unlistedAgents()).filter(counts));
    return { found, routes };
  };
  const isNamed = ({ name }: Member): boolean => namesServer(wanted, name);
  const names = visible.settling().some(isNamed);
  // A bare id may turn out to be another server's too.
  if (!names) await visible.whenSettled('list');
  let { found, routes } = await lookUp();
  if (!found) {
    const waiting = visible.whenSettled('named', (member) => !names || isNamed(member));
    if (waiting) {
      tellWaiting(
        call,
        visible.settling().filter((member) => !names || isNamed(member)),
      );
      await waiting;
      if (call.aborted) throw call.signal.reason;
      ({ found, routes } = await lookUp());
    }
  }
  if (found) return found;
  const server = visible.servers().find(isNamed) ?? visible.settling().find(isNamed);
  if (server) requireAgents(server);
  const settling = visible.settling();
  const candidates = nearestAgents(wanted, routes);
  const near = candidates.length > 0 ? ` The nearest: ${candidates.join(', ')}.` : '';
  if (!server && settling.length > 0) {
    throw new SwitchboardError(
      'SWB_UPSTREAM_UNAVAILABLE',
      `There is no agent '${line(wanted, 100)}' so far, but servers are still connecting: ${someOf(
        settling.map(({ name }) => name),
        10,
      )}.${near}`,
      { data: { candidates, connecting: settling.slice(0, 50).map(({ name }) => name) }, retryAfterMs: 2_000 },
    );
  }
  throw new SwitchboardError(
    'SWB_UNKNOWN_AGENT',
    `There is no agent '${line(wanted, 100)}'${server ? ` on server '${server.name}'` : ''}.${near} listAgents shows all of them.`,
    { data: { candidates } },
  );
}

/**
 * Throws why the agents of a server are not known: it has not been seen yet, or its list could not be fetched. It may well
 * have the agent that is asked for.
 */
function requireAgents(server: Member): void {
  if (server.catalog('agents').entries.length > 0) return;
  if (server.settling) {
    throw new SwitchboardError(
      'SWB_UPSTREAM_UNAVAILABLE',
      `Server '${server.name}' is still connecting; its agents are not known yet.`,
      { data: { server: server.name }, retryAfterMs: 2_000 },
    );
  }
  server.require();
  const problem = server.listProblem?.('agents');
  if (problem === undefined) return;
  throw new SwitchboardError(
    'SWB_UPSTREAM_UNAVAILABLE',
    `Server '${server.name}' is connected, but ${problem}. The gateway asks again; try later.`,
    { data: { server: server.name, reason: problem } },
  );
}

function tellWaiting(call: Call, servers: readonly Member[]): void {
  if (!call.wantsProgress || servers.length === 0) return;
  const names = someOf(
    servers.map(({ name }) => name),
    5,
  );
  const message = `Waiting for ${servers.length === 1 ? 'server' : 'servers'} ${names}, still connecting.`;
  call.notify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 0, message } });
}

/** The ids have the server in front. */
const namesServer = (wanted: string, server: string): boolean =>
  wanted.startsWith(`${server}/`) || wanted.startsWith(`${server}:`);

/** By list: a view keeps one for as long as it holds. */
const IDS = new WeakMap<readonly Route[], ReadonlyMap<string, Route | undefined>>();

/** The agents of a list by their full ids; undefined: several have this one. */
function idsOf(routes: readonly Route[]): ReadonlyMap<string, Route | undefined> {
  const known = IDS.get(routes);
  if (known) return known;
  const ids = new Map<string, Route | undefined>();
  for (const route of routes) ids.set(agentId(route), ids.has(agentId(route)) ? undefined : route);
  IDS.set(routes, ids);
  return ids;
}

function namedAgent(wanted: string, routes: readonly Route[]): Route | undefined {
  for (const spelling of SPELLINGS) {
    const found = routes.filter((route) => spelling(route).includes(wanted));
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
