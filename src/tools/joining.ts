/**
 * How a server connected at run time comes into the federation: once, under a name and a prefix of its own, within the
 * operator's bounds, and only when it can be reached.
 * @module
 */
import { nameOfUrl } from '../config/names.ts';
import { untilAborted } from '../core/deadline.ts';
import { SwitchboardError } from '../core/errors.ts';
import { type RuntimeServer, runtimeServerConfig } from '../federation/members/runtime-servers.ts';
import type { Member } from '../federation/types.ts';
import { ownerOfPrefix, serversAt, serversNear } from './server-names.ts';
import type { ToolContext } from './tool.ts';

/** The server asked for, when it is here already and the caller may know it. */
export function findExisting({ seen }: ToolContext, name: string | undefined, href: string): Member | undefined {
  const here = serversAt(seen.servers(), href);
  return name === undefined ? here[0] : here.find((member) => member.name === name);
}

export function admit({ connect, federation, seen, connecting }: ToolContext): void {
  if (!connect.enabled) {
    throw new SwitchboardError(
      'SWB_NOT_SUPPORTED',
      'The operator has switched off connecting servers at run time (gateway.connect.enabled).',
    );
  }
  const running = federation.members().filter((member) => member.config.origin === 'runtime' && !member.builtin);
  const names = new Set([...running.map((member) => member.name), ...connecting.keys()]);
  if (names.size < connect.maxServers) return;
  // A number would tell how many there are that the caller may not know of.
  const limit = running.every((member) => seen.reaches(member)) ? connect.maxServers : undefined;
  const how =
    limit === undefined
      ? 'As many servers are connected at run time as the operator allows'
      : `${names.size} servers are connected at run time, the most the operator allows`;
  throw new SwitchboardError(
    'SWB_CONNECT_FAILED',
    `${how} (gateway.connect.maxServers). disconnectServer makes room.`,
    limit === undefined ? {} : { data: { limit } },
  );
}

/** A server on its way in is neither here nor absent: it may yet fail. */
export function refuseBusy(name: string | undefined, url: URL, { connecting }: ToolContext): void {
  const busy = name === undefined ? connecting.values().some(({ href }) => href === url.href) : connecting.has(name);
  if (!busy) return;
  throw new SwitchboardError('SWB_CONNECT_FAILED', 'This server is being connected at this moment.', {
    retryAfterMs: 1_000,
  });
}

export interface Wanted {
  name?: string | undefined;
  namespace?: string | false | undefined;
}

/**
 * Reserves a name and a prefix nobody else has, until the server is in the federation.
 *
 * Names and prefixes are the same for everybody, so that one is taken can be found out by trying to take it; whose it is
 * is told to nobody who may not know it. A URL of a server kept from the caller is refused: under a second name the
 * server would be open to whom it is closed to. So is one of a server that has a policy of its own, which no other name
 * has; by its host and port, since an address has many spellings. The refusal is that of any other URL the operator does not allow, and
 * does not say that a server is connected there.
 */
export function claim(
  wanted: Wanted,
  url: URL,
  { federation, seen, connecting, call, governs }: ToolContext,
): Pick<RuntimeServer, 'name' | 'namespace'> {
  const members = federation.members();
  if (serversNear(members, url).some((member) => !seen.reaches(member) || governs(member.name))) {
    throw new SwitchboardError(
      'SWB_URL_REFUSED',
      'The URL of the server is not accepted: the operator does not allow it to this caller.',
    );
  }
  if (wanted.name !== undefined && federation.member(wanted.name)) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `The name '${wanted.name}' belongs to another server. A different name is needed, or none: one is made from the URL then.`,
    );
  }
  const taken = members.flatMap(({ name, config }) => [name, config.namespace || name]);
  const name = wanted.name ?? nameOfUrl(url, new Set([...taken, ...connecting.keys()]));
  const namespace = wanted.namespace ?? name;
  const owner = namespace === false ? undefined : ownerOfPrefix(members, namespace);
  if (owner) {
    const whose = seen.reaches(owner) ? `Server '${owner.name}'` : 'Another server';
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `${whose} already uses the prefix '${namespace}'. Another namespace or name is needed.`,
    );
  }
  connecting.set(name, { href: url.href, principal: call.caller.principal });
  return { name, namespace };
}

/** Adds the server and waits for its first connection. One that has none, or that nobody waits for, is taken out. */
export async function join(server: RuntimeServer, { federation, guard, call }: ToolContext): Promise<Member> {
  await guard().check(new URL(server.url));
  if (call.aborted) throw call.signal.reason;
  // The configuration may have been edited meanwhile; from here to `add` nothing waits.
  if (federation.member(server.name)) {
    throw new SwitchboardError(
      'SWB_CONNECT_FAILED',
      `The name '${server.name}' has just been taken by the configuration.`,
    );
  }
  try {
    const status = await untilAborted(federation.add(runtimeServerConfig(server)), call);
    const member = federation.member(server.name);
    if (member?.upstream) return member;
    throw new SwitchboardError(
      'SWB_CONNECT_FAILED',
      `The server could not be connected and was not added${status.error ? `: ${status.error}` : ''}.`,
    );
  } catch (error) {
    if (federation.member(server.name)?.config.origin === 'runtime') await federation.remove(server.name);
    throw error;
  }
}

/** The server is connected whether or not it can be saved; the answer says which. */
export async function keep(server: RuntimeServer, { runtimeServers, persistent, log }: ToolContext): Promise<boolean> {
  try {
    await runtimeServers.save(server);
    return persistent;
  } catch (error) {
    log.error({ server: server.name, err: error }, 'A connected server could not be saved; a restart forgets it.');
    return false;
  }
}
