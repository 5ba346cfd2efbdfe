/**
 * Which servers a request has to wait for while they are connecting for the first time: a list and a handshake for all of
 * its view, a call for the one it names. Builtin tools wait by themselves: only they know which server their arguments name.
 * @module
 */
import type { Federation, Member, View } from '../../federation/types.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import type { RequestContext } from '../request-context.ts';
import { mayHave } from '../unknown-names.ts';

const LISTS: ReadonlySet<string> = new Set([
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
]);

/** Answered by the gateway from what it knows, or open for as long as the client likes. */
const AT_ONCE: ReadonlySet<string> = new Set(['server/discover', 'ping', 'logging/setLevel', 'subscriptions/listen']);

/** Undefined: nothing to wait for, which is so for all requests but the first. Never rejects. */
export function awaitServers(
  federation: Pick<Federation, 'settling' | 'whenSettled'>,
  context: RequestContext,
): Promise<void> | undefined {
  if (!federation.settling) return undefined;
  const { request, view, caller } = context;
  if (AT_ONCE.has(request.method)) return undefined;
  // What servers declare beyond the protocol, such as channels, a legacy client reads in this result and never again.
  if (request.method === 'initialize') {
    return federation.whenSettled((member) => isOf(view, member), 'handshake', caller);
  }
  if (LISTS.has(request.method)) return federation.whenSettled((member) => isOf(view, member), 'list', caller);
  const isNamed = namedBy(context);
  return isNamed && federation.whenSettled((member) => isOf(view, member) && isNamed(member), 'call', caller);
}

/** The caller's credentials may be what a server needs to be connected at all. Rejects where a request that names it has none. */
export function introduceCaller(
  federation: Pick<Federation, 'awaitsCallers' | 'introduce'>,
  context: RequestContext,
): Promise<void> | undefined {
  const { request, view, caller } = context;
  if (!federation.awaitsCallers || AT_ONCE.has(request.method)) return undefined;
  const lists = request.method === 'initialize' || LISTS.has(request.method);
  const isNamed = lists ? () => true : namedBy(context);
  return isNamed && federation.introduce(caller.identity, (member) => isOf(view, member) && isNamed(member), !lists);
}

/** A list waits until it is known what servers list to clients with the caller's capabilities. Never rejects. */
export function awaitOffers(
  { offers }: Pick<Federation, 'offers'>,
  { request, view, caller }: RequestContext,
): Promise<void> | undefined {
  return offers && LISTS.has(request.method) ? offers.prepare(caller.capabilities, view, caller) : undefined;
}

const isOf = (view: View, member: Member): boolean =>
  (view.server === undefined || view.server === member.name) && (view.mayReach?.(member) ?? view.reaches(member));

/** The servers that what the request names may belong to. */
function namedBy(context: RequestContext): ((member: Member) => boolean) | undefined {
  const { view, request, params } = context;
  if (view.server !== undefined) return () => true;
  switch (request.method) {
    case 'tools/call':
      return byName(context, 'tools', params.name);
    case 'prompts/get':
      return byName(context, 'prompts', params.name);
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return byUri(context, params.uri);
    case 'completion/complete': {
      const ref = isObject(params.ref) ? params.ref : {};
      return ref.type === 'ref/prompt' ? byName(context, 'prompts', ref.name) : byUri(context, ref.uri);
    }
    default: {
      const { taskId } = params;
      const task = typeof taskId === 'string' ? context.fullView.resolveTask(taskId) : undefined;
      return task && ((member) => member === task.member);
    }
  }
}

function byName({ fullView }: RequestContext, kind: 'tools' | 'prompts', name: unknown) {
  if (typeof name !== 'string') return undefined;
  const route = fullView.resolve(kind, name);
  if (route) return (member: Member): boolean => member === route.member;
  return (member: Member): boolean => member.config.namespace === false || mayHave(fullView, member, name);
}

/** An original URI, without a server's part, may be any server's. */
function byUri({ fullView }: RequestContext, uri: unknown) {
  if (typeof uri !== 'string') return undefined;
  const found = fullView.resolveUri(uri);
  return (member: Member): boolean => found === undefined || member === found.member;
}
