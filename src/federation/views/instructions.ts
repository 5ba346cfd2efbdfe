/**
 * `instructions` of the merged view: the servers, how names are formed, and the servers' own instructions. The gateway's
 * part states facts and gives a model no orders.
 * @module
 */
import { shorten } from '../../core/text.ts';
import type { ViewMember } from '../members/facts.ts';
import { SEPARATOR } from '../names/naming.ts';

/** Characters of one server's instructions, and of all together. Clients put this text into every conversation. */
const MAX_OF_ONE = 2_000;
const MAX_OF_ALL = 16_000;
const MAX_NAMES = 50;
const MAX_TITLE = 100;

/** Leaves out instructions of servers that `shown` rejects. */
export function mergedInstructions(
  members: readonly ViewMember[],
  shown: (member: ViewMember, text: string) => boolean = () => true,
): string {
  const servers = members.filter(({ builtin, state }) => !builtin && state !== 'stopped');
  const own = members.flatMap(({ builtin, facts }) => (builtin && facts?.instructions ? [facts.instructions] : []));
  return [...own, introduction(servers), ...sections(servers, shown)].join('\n\n');
}

function introduction(servers: readonly ViewMember[]): string {
  if (servers.length === 0) return 'This endpoint is a gateway to other servers. None is configured.';
  const names = servers.slice(0, MAX_NAMES).map(described).join(', ');
  const more = servers.length > MAX_NAMES ? ` and ${servers.length - MAX_NAMES} more` : '';
  return (
    `This endpoint is a gateway to ${servers.length === 1 ? 'one server' : `${servers.length} servers`}: ${names}${more}. ` +
    `Tools, prompts and agents of a server are named <server>${SEPARATOR}<name>; ` +
    'URIs of its resources begin with <server>+, or with ui://<server>+ where the scheme is ui.'
  );
}

function described({ name, config: { namespace, title } }: ViewMember): string {
  const notes = [
    ...(title === undefined ? [] : [JSON.stringify(shorten(title, MAX_TITLE))]),
    ...(namespace === name ? [] : [namespace === false ? 'names without prefix' : `prefix ${namespace}${SEPARATOR}`]),
  ];
  return notes.length === 0 ? name : `${name} (${notes.join(', ')})`;
}

function sections(servers: readonly ViewMember[], shown: (member: ViewMember, text: string) => boolean): string[] {
  let left = MAX_OF_ALL;
  return servers.flatMap((server) => {
    const { name, facts } = server;
    const text = facts?.instructions?.trim();
    if (!text || left <= 0 || !shown(server, facts?.instructions ?? '')) return [];
    const part = shorten(text, Math.min(MAX_OF_ONE, left));
    left -= part.length;
    return [`## ${name}\n\n${part}`];
  });
}
