/**
 * Which agent a client of mcp-agent-proxy means. That program guesses where ours asks: of several agents with one id it takes the
 * one of `server0`, then the first.
 * @module
 */
import type { Member, Route } from '../../federation/types.ts';
import { aliasesOf } from '../agents.ts';
import { serversAt, serverUrl } from '../server-names.ts';
import type { ToolContext } from '../tool.ts';

export interface Resolution {
  /** What our own tools take in place of what the client wrote. */
  agent: string;
  serverUrl?: string | undefined;
  method:
    | 'explicit_qualification'
    | 'explicit_url_override'
    | 'unique_auto_resolution'
    | 'conflict_default_server'
    | 'conflict_first_available';
}

const DEFAULT_SERVER = 'server0';

/** `url`: the `serverUrl` beside the id. An agent that is not found is left to our own tools, which say what there is. */
export async function resolve(wanted: string, url: string | undefined, context: ToolContext): Promise<Resolution> {
  const { visible } = context;
  const mark = wanted.search(/[:/]/);
  const named = mark > 0 ? visible.server(wanted.slice(0, mark)) : undefined;
  // That program looks at the server's name first, and at the URL only where it knows no such server.
  if (named) return { agent: wanted, method: 'explicit_qualification' };
  const bare = mark > 0 && wanted[mark] === ':' ? wanted.slice(mark + 1) : wanted;
  if (url !== undefined) return { agent: bare, serverUrl: url, method: 'explicit_url_override' };
  await visible.whenSettled('list');
  const found = (await visible.routes('agents')).filter((route) => isCalled(route, wanted));
  const [first] = found;
  if (found.length < 2 || first === undefined) return { agent: wanted, method: 'unique_auto_resolution' };
  const usual = found.find(({ member }) => member.name === DEFAULT_SERVER);
  const { member, original } = usual ?? first;
  return {
    agent: `${member.name}/${original}`,
    method: usual ? 'conflict_default_server' : 'conflict_first_available',
  };
}

const isCalled = (route: Route, wanted: string): boolean =>
  route.original === wanted || route.exposed === wanted || aliasesOf(route.entry).includes(wanted);

/** The agent's full id where it is the only one of its id at a URL; what the client wrote otherwise. */
export async function atUrl({ agent, serverUrl: url }: Resolution, { visible }: ToolContext): Promise<string> {
  if (url === undefined) return agent;
  const servers: readonly Member[] = serversAt(visible.servers(), serverUrl(url).href);
  const found = (await visible.routes('agents')).filter(
    (route) => servers.includes(route.member) && isCalled(route, agent),
  );
  const [only] = found;
  return only && found.length === 1 ? `${only.member.name}/${only.original}` : agent;
}
