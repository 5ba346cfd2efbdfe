/**
 * URIs nobody has. At a server's own endpoint any URI is the server's to judge, so that what is hidden there would be told
 * from what does not exist by who answers, and in which words. Where a name of a server is kept secret from a caller,
 * both are answered alike: by the gateway.
 * @module
 */

import { RPC, UpstreamError } from '../../core/errors.ts';
import type { Member, Route } from '../../federation/types.ts';
import { Denied } from '../../policy/denied.ts';
import { DEFAULT_DENY } from '../../policy/language/pointers.ts';
import type { Denial } from '../../policy/types.ts';
import { subjectOfUri } from '../gate/subjects.ts';
import { isOffered } from '../gate/templates.ts';
import type { RequestContext } from '../request-context.ts';
import { unknownName } from '../unknown-name.ts';

/** Whose a URI is; undefined where nobody has it. What is kept from this client is nobody's for it, and written down. */
export function routeOf({ inbound, whole, services }: RequestContext, uri: string): Omit<Route, 'entry'> | undefined {
  const route = inbound.view.resolveUri(uri);
  if (route) return route;
  const kept = services.gate && whole.resolveUri(uri);
  if (kept) services.gate?.keptSecret(inbound, subjectOfUri(kept.member, kept.original));
  return undefined;
}

export function requireUri(turn: RequestContext, uri: string): Omit<Route, 'entry'> {
  const route = routeOf(turn, uri);
  if (!route) throw unknownName('resources', uri);
  return route;
}

interface Asked {
  /** As the client spelled it. */
  uri: string;
  member: Member;
  original: string;
}

const NOT_FOUND: ReadonlySet<number> = new Set([RPC.resourceNotFound, RPC.invalidParams]);

/** The error of a request that named this URI, as its caller may know it. */
export function withoutTelling(
  { inbound, services }: RequestContext,
  { uri, member, original }: Asked,
  error: unknown,
): unknown {
  if (services.gate?.keepsSecrets(inbound.caller, member) !== true) return error;
  if (error instanceof UpstreamError)
    return NOT_FOUND.has(error.rpcCode) || !isOffered(member, original) ? unknownName('resources', uri) : error;
  return error instanceof Denied && isOfNothing(error.denial, member, original) ? unknownName('resources', uri) : error;
}

/** That the policy lists the URI nowhere says something of it only where the server offers it. */
export const isOfNothing = ({ rule }: Pick<Denial, 'rule'>, member: Member, original: string): boolean =>
  rule === DEFAULT_DENY && !isOffered(member, original);

/** For what asks no server: whether the caller is to be told that there is no such thing, because no list has it. */
export const isUnoffered = ({ inbound, services }: RequestContext, { member, original }: Asked): boolean =>
  services.gate?.keepsSecrets(inbound.caller, member) === true && !isOffered(member, original);

export function requireOffered(turn: RequestContext, asked: Asked): void {
  if (isUnoffered(turn, asked)) throw unknownName('resources', asked.uri);
}
