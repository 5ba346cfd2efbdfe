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

/** The server that is already in the federation at this URL (and name), if the caller may know it. */
export function findExisting({ visible }: ToolContext, name: string | undefined, href: string): Member | undefined {
  const here = serversAt(visible.servers(), href);
  return name === undefined ? here[0] : here.find((member) => member.name === name);
}

export function admit({ connect, federation, visible, connecting, call, shareOf }: ToolContext): void {
  if (!connect.enabled) {
    throw new SwitchboardError(
      'SWB_NOT_SUPPORTED',
      'The operator has switched off connecting servers at run time (gateway.connect.enabled).',
    );
  }
  const running = federation.members().filter((member) => member.config.origin === 'runtime' && !member.builtin);
  const names = new Set([...running.map((member) => member.name), ...connecting.keys()]);
  if (names.size < connect.maxServers) {
    const share = shareOf?.(connect.maxServers) ?? connect.maxServers;
    const { principal } = call.caller;
    const own = new Set([
      ...running.flatMap(({ name, config }) => (config.connectedBy === principal ? [name] : [])),
      ...[...connecting].flatMap(([name, each]) => (each.principal === principal ? [name] : [])),
    ]);
    if (own.size < share) return;
    throw new SwitchboardError(
      'SWB_CONNECT_FAILED',
      `${own.size} servers are connected at run time by this caller, the most that one of several may have. ` +
        'disconnectServer makes room.',
      { data: { limit: share } },
    );
  }
  // A number would reveal servers that the caller may not know.
  const limit = running.every((member) => visible.reaches(member)) ? connect.maxServers : undefined;
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

/** Refuses a server that another call is connecting at this moment. */
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
 * Reserves a name and a prefix no other server has, until the server is in the federation.
 *
 * Names and prefixes are one set for all callers, so a caller can find out that one is taken; the error names its owner
 * only where the caller may know that server. A URL is refused at the host and port of a server that this caller may not
 * know, or that has a policy of its own: under a second name that server would be open to callers it is closed to. That goes for
 * servers the operator configured: one that another call has brought in, this caller could have brought in itself, and under
 * the published policy for `connectServer` it may know none of them. The refusal is the one of any URL the operator does
 * not allow, so it does not reveal the server.
 */
export function claim(
  wanted: Wanted,
  url: URL,
  { federation, visible, connecting, call, governs }: ToolContext,
): Pick<RuntimeServer, 'name' | 'namespace'> {
  const members = federation.members();
  const isClosed = (member: Member): boolean =>
    governs(member.name) || (member.config.origin !== 'runtime' && !visible.reaches(member));
  if (serversNear(members, url).some(isClosed)) {
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
  // Without a prefix documents name the server's tools by its name.
  const prefix = namespace === false ? name : namespace;
  const owner = ownerOfPrefix(members, prefix);
  if (owner) {
    const whose = visible.reaches(owner) ? `Server '${owner.name}'` : 'Another server';
    const uses =
      owner.config.namespace === prefix
        ? `already uses the prefix '${prefix}'`
        : `can make the names of the prefix '${prefix}' that server '${name}' would have`;
    throw new SwitchboardError('SWB_INVALID_PARAMS', `${whose} ${uses}. Another namespace or name is needed.`);
  }
  connecting.set(name, { href: url.href, principal: call.caller.principal });
  return { name, namespace };
}

/** Adds the server and waits for its first connection. Removes it again when that fails or the call is aborted. */
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

/** Saves the server; false when it will not survive a restart. */
export async function keep(server: RuntimeServer, { runtimeServers, persistent, log }: ToolContext): Promise<boolean> {
  try {
    await runtimeServers.save(server);
    return persistent;
  } catch (error) {
    log.error({ server: server.name, err: error }, 'A connected server could not be saved; a restart forgets it.');
    return false;
  }
}
