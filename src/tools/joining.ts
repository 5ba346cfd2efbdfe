/**
 * How a server connected at run time comes into the federation: once, under a name and a prefix of its own, within the
 * operator's bounds, and only when it can be reached.
 * @module
 */
import { nameOfUrl } from '../config/names.ts';
import { type RuntimeServer, runtimeServerConfig } from '../federation/runtime-servers.ts';
import type { Federation, Member, ServerStatus } from '../federation/types.ts';
import { SwitchboardError } from '../wire/errors.ts';
import { hrefOf, ownerOfPrefix, serversAt } from './server-names.ts';
import type { ToolContext } from './tool.ts';
import { untilAborted } from './until-aborted.ts';

/** The server asked for, when it is here already. Its name with another URL is a mistake. */
export function findExisting(federation: Federation, name: string | undefined, href: string): Member | undefined {
  if (name === undefined) return serversAt(federation, href)[0];
  const member = federation.member(name);
  if (!member || hrefOf(member) === href) return member;
  throw new SwitchboardError(
    'SWB_INVALID_PARAMS',
    `The name '${name}' belongs to another server. A different name is needed, or none: one is made from the URL then.`,
  );
}

export function admit({ connect, federation, connecting }: ToolContext): void {
  if (!connect.enabled) {
    throw new SwitchboardError(
      'SWB_NOT_SUPPORTED',
      'The operator has switched off connecting servers at run time (gateway.connect.enabled).',
    );
  }
  const running = federation.members().filter((member) => member.config.origin === 'runtime' && !member.builtin);
  const names = new Set([...running.map((member) => member.name), ...connecting.keys()]);
  if (names.size >= connect.maxServers) {
    throw new SwitchboardError(
      'SWB_CONNECT_FAILED',
      `${names.size} servers are connected at run time, the most the operator allows (gateway.connect.maxServers). disconnectServer makes room.`,
      { data: { limit: connect.maxServers } },
    );
  }
}

/** A server on its way in is neither here nor absent: it may yet fail. */
export function refuseBusy(name: string | undefined, url: URL, { connecting }: ToolContext): void {
  const busy = name === undefined ? [...connecting.values()].includes(url.href) : connecting.has(name);
  if (!busy) return;
  throw new SwitchboardError('SWB_CONNECT_FAILED', 'This server is being connected at this moment.', {
    retryAfterMs: 1_000,
  });
}

export interface Wanted {
  name?: string | undefined;
  namespace?: string | false | undefined;
}

/** Reserves a name and a prefix nobody else has, until the server is in the federation. */
export function claim(
  wanted: Wanted,
  url: URL,
  { federation, connecting }: ToolContext,
): Pick<RuntimeServer, 'name' | 'namespace'> {
  const members = federation.members().flatMap(({ name, config }) => [name, config.namespace || name]);
  const name = wanted.name ?? nameOfUrl(url, new Set([...members, ...connecting.keys()]));
  const namespace = wanted.namespace ?? name;
  const owner = namespace === false ? undefined : ownerOfPrefix(federation, namespace);
  if (owner) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `Server '${owner.name}' already uses the prefix '${namespace}'. Another namespace or name is needed.`,
    );
  }
  connecting.set(name, url.href);
  return { name, namespace };
}

/** Adds the server and waits for its first connection. One that has none, or that nobody waits for, is taken out. */
export async function join(server: RuntimeServer, { federation, guard, call }: ToolContext): Promise<ServerStatus> {
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
    if (federation.member(server.name)?.upstream) return status;
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
