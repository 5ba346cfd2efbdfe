/**
 * Resolves the names and URIs of requests, and answers for those that lead nowhere. A hidden name gets the very same
 * answer as an unknown one, so all of these errors are made here.
 *
 * At a server's own endpoint any URI goes to the server. Where resources of the server are hidden, its "not found", and the time it
 * takes, would tell an unknown URI from a hidden one: there the gateway itself answers for URIs that the server does not offer.
 * @module
 */
import type { Caller } from '../core/caller.ts';
import { RPC, SwitchboardError, UpstreamError } from '../core/errors.ts';
import type { CatalogKind } from '../core/upstream.ts';
import { isOffered } from '../federation/names/offered-uris.ts';
import type { Federation, Member, Route, View } from '../federation/types.ts';
import { Denied } from '../policy/denied.ts';
import { DEFAULT_DENY } from '../policy/language/pointers.ts';
import type { PolicySection } from '../policy/language/types.ts';
import type { Denial, Subject } from '../policy/types.ts';
import type { Era } from '../wire/eras.ts';
import { isObject } from '../wire/jsonrpc.ts';
import { subjectOf, subjectOfUri } from './gate/subjects.ts';
import { methodNotFound, quoted, type RequestContext } from './request-context.ts';

const LISTED = {
  tools: ['SWB_UNKNOWN_TOOL', 'tool'],
  prompts: ['SWB_UNKNOWN_PROMPT', 'prompt'],
  resources: ['SWB_UNKNOWN_RESOURCE', 'resource'],
  agents: ['SWB_UNKNOWN_AGENT', 'agent'],
} as const;

/** `name` is the client's own spelling: it must not learn another one. */
export function unknownName(section: PolicySection, name: string): SwitchboardError {
  // No list has methods.
  if (section === 'methods') return methodNotFound(name);
  const [code, noun] = LISTED[section];
  return new SwitchboardError(
    code,
    `Unknown ${noun}: '${quoted(name)}'. List the ${noun}s to see what there is.`,
    section === 'resources' ? { data: { uri: name } } : {},
  );
}

/** What the gate knows of hidden names. */
export interface HiddenNames {
  hidesUris(caller: Caller, member: Member): boolean;
  recordHidden(context: RequestContext, subject: Subject): void;
}

/** A URI in a request. */
export interface RequestedUri {
  /** The client's spelling. */
  uri: string;
  member: Member;
  /** The server's spelling. */
  original: string;
}

export class Names {
  readonly #federation: Pick<Federation, 'members'>;
  readonly #hidden: HiddenNames | undefined;

  /** Without `hidden` no name is hidden from anyone. */
  constructor(federation: Pick<Federation, 'members'>, hidden: HiddenNames | undefined) {
    this.#federation = federation;
    this.#hidden = hidden;
  }

  /** Throws `SWB_UPSTREAM_UNAVAILABLE` where the server of the name is away, `SWB_UNKNOWN_…` otherwise. */
  require(context: RequestContext, kind: 'tools' | 'prompts', name: string): Route {
    const route = context.view.resolve(kind, name);
    if (route) return route;
    refuseAway(this.#federation.members(), context.view, kind, name);
    refuseUnlisted(this.#federation.members(), context.view, kind, name);
    const hidden = this.#hidden && context.fullView.resolve(kind, name);
    if (hidden) this.#hidden?.recordHidden(context, subjectOf(kind, hidden));
    throw unknownName(kind, name);
  }

  /** Undefined for a URI that no server has, or a hidden one, which the audit then has. */
  findUri(context: RequestContext, uri: string): Omit<Route, 'entry'> | undefined {
    const route = context.view.resolveUri(uri);
    if (route) return route;
    const hidden = this.#hidden && context.fullView.resolveUri(uri);
    if (hidden) this.#hidden?.recordHidden(context, subjectOfUri(hidden.member, hidden.original));
    return undefined;
  }

  requireUri(context: RequestContext, uri: string): Omit<Route, 'entry'> {
    const route = this.findUri(context, uri);
    if (!route) throw unknownName('resources', uri);
    return route;
  }

  /** Whether the caller must get the answer for an unknown URI, because no list or template has this one and others are hidden. */
  isUnoffered({ caller }: RequestContext, { member, original }: Omit<RequestedUri, 'uri'>): boolean {
    return this.#hidden?.hidesUris(caller, member) === true && !isOffered(member, original);
  }

  /** The error of a request that named this URI, without what would tell a hidden URI from an unknown one. */
  uriError({ caller }: RequestContext, { uri, member, original }: RequestedUri, error: unknown): unknown {
    if (this.#hidden?.hidesUris(caller, member) !== true) return error;
    const isRevealing =
      error instanceof UpstreamError
        ? NOT_FOUND.has(error.rpcCode) || !isOffered(member, original)
        : error instanceof Denied && isUnlisted(error.denial, member, original);
    return isRevealing ? unknownName('resources', uri) : error;
  }
}

/** A default denial of a URI that its server does not offer: it must look like the answer for an unknown URI. */
export const isUnlisted = ({ rule }: Pick<Denial, 'rule'>, member: Member, original: string): boolean =>
  rule === DEFAULT_DENY && !isOffered(member, original);

/**
 * Throws `SWB_UPSTREAM_UNAVAILABLE` when a server that is away, and has listed nothing of this kind so far, may have this
 * name: any name in its own view, names under its prefix in the merged one. Clients keep names from before the gateway
 * started again, and that the server is away helps them more than that the name is unknown. Servers that the view does not
 * reach are not named.
 */
export function refuseAway(members: readonly Member[], view: View, kind: 'tools' | 'prompts', name: string): void {
  for (const member of members) {
    if (member.builtin || member.upstream || member.catalog(kind).entries.length > 0) continue;
    if (mayHave(view, member, name) && view.reaches(member)) member.require();
  }
}

/**
 * Throws `SWB_UPSTREAM_UNAVAILABLE` with the reason when a connected server that may have this name has not listed it for want of
 * a first list, which failed or is still to come: that the name is unknown would not be true. Agents are tools, too, where they are shown as such.
 */
export function refuseUnlisted(members: readonly Member[], view: View, kind: 'tools' | 'prompts', name: string): void {
  for (const member of members) {
    if (member.builtin || !mayHave(view, member, name) || !view.reaches(member)) continue;
    const isAgentToo = kind === 'tools' && member.config?.agentTools !== false;
    for (const each of isAgentToo ? (['tools', 'agents'] as const) : [kind]) {
      requireListed(member, each);
      if (member.isUnlisted?.(each)) throw notListed(member, `its ${each} are still being listed`);
    }
  }
}

/** Throws `SWB_UPSTREAM_UNAVAILABLE` when this list of a connected server has failed and nothing is known from before. */
function requireListed(member: Member, kind: CatalogKind): void {
  const problem = member.listProblem?.(kind);
  if (problem === undefined || member.catalog(kind).entries.length > 0) return;
  throw notListed(member, problem);
}

function notListed(member: Member, problem: string): SwitchboardError {
  return new SwitchboardError(
    'SWB_UPSTREAM_UNAVAILABLE',
    `Server '${member.name}' is connected, but ${problem}. The gateway asks again; try later.`,
    { data: { server: member.name, reason: problem } },
  );
}

/**
 * Throws where a server's own endpoint must not answer with an empty list: -32601 for a list the server does not declare, as it
 * would say itself, and the reason for one that could not be fetched.
 */
export function requireList({ view, request }: RequestContext, members: readonly Member[], kind: CatalogKind): void {
  if (view.server === undefined) return;
  const member = members.find(({ name, builtin }) => !builtin && name === view.server);
  if (!member || !view.reaches(member)) return;
  if (member.hasList?.(kind) === false) throw methodNotFound(request.method);
  requireListed(member, kind);
}

/** Whether a name is spelled like one of this server: any name in its own view, one under its prefix in the merged view. */
export const mayHave = (view: View, { config, name: server }: Member, name: string): boolean =>
  view.server === undefined
    ? config.namespace !== false && name.startsWith(`${config.namespace}__`)
    : server === view.server;

const NOT_FOUND: ReadonlySet<number> = new Set([RPC.resourceNotFound, RPC.invalidParams]);

/**
 * An error of `resources/read` with `data.uri` in the client's spelling. Where a server left `data` out, modern clients
 * get it all the same: there the code alone no longer says that a resource was not found (2026-07-28 server/resources,
 * "Error Handling").
 */
export function withRequestedUri(
  error: unknown,
  { uri, original, era }: Omit<RequestedUri, 'member'> & { era: Era },
): unknown {
  if (!(error instanceof UpstreamError) || !NOT_FOUND.has(error.rpcCode)) return error;
  const { data, rpcCode: code, message } = error;
  if (data === undefined) return era === 'modern' ? new UpstreamError({ code, message, data: { uri } }) : error;
  if (!isObject(data) || data.uri !== original || uri === original) return error;
  return new UpstreamError({ code, message, data: { ...data, uri } });
}
