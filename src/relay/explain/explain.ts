/**
 * `policy explain`: resolves the name as an endpoint would for its caller, then has policy explain its decision
 * (`policy/explain/explain.ts`).
 * @module
 */
import { grantIdentity, LOCAL_IDENTITY } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import { CATALOG_KINDS } from '../../core/upstream.ts';
import { isOffered } from '../../federation/names/offered-uris.ts';
import type { Federation, View } from '../../federation/types.ts';
import { explainSubject, type ResolvedSubject } from '../../policy/explain/explain.ts';
import { type ExplainRequest, type Explanation, requireGrant } from '../../policy/explain/explanation.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Denial } from '../../policy/types.ts';
import { turnOf } from '../agents/tool-call.ts';
import type { Gate } from '../gate/gate.ts';
import { listedAs } from '../gate/principal-filter.ts';
import { quoted } from '../request-context.ts';
import { isUnlisted, unknownName } from '../unknown-names.ts';
import { findSubject, type RequestedSubject, sectionOf } from './requested-name.ts';

export interface ExplainContext {
  policy: Policy;
  gate: Gate;
  federation: Federation;
  log: Log;
}

/**
 * Rejects with `SWB_INVALID_PARAMS` for an unknown grant, `SWB_UNKNOWN_SERVER`, and `SWB_AMBIGUOUS_NAME`. Unknown names
 * are explained too.
 */
export async function explain(
  { policy, gate, federation, log }: ExplainContext,
  request: ExplainRequest,
): Promise<Explanation> {
  if (request.grant !== undefined) requireGrant(policy.grants, request.grant);
  const identity = request.grant === undefined ? LOCAL_IDENTITY : grantIdentity(request.grant);
  const context = { policy, log, identity };
  const view = gate.viewFor(identity, federation.all);
  await Promise.all(CATALOG_KINDS.map((kind) => view.prepare?.(kind)));
  const found = findSubject(federation, view, request);
  if (!found) {
    return explainSubject(context, request, undefined, unknownName(sectionOf(request.kind), quoted(request.name)));
  }
  const { subject, exposed, inList, member } = found;
  const { section, name, namespaced } = subject;
  // As the endpoint does: see `Names.isUnoffered`.
  const isUnoffered = section === 'resources' && gate.hidesUris({ identity }, member) && !isOffered(member, name);
  if (isUnoffered && isKnown(view, found)) {
    return explainSubject(context, request, undefined, unknownName(section, namespaced));
  }

  const absence = (): Denial => {
    const entries = inList ? listedAs(inList.kind, { member, original: name, entry: inList.entry }) : [undefined];
    for (const entry of entries) {
      const kind = entry?.kind === 'agent' ? 'agents' : inList?.kind;
      const absent = policy.whyAbsent(identity, member, entry && kind && { kind, entry });
      if (absent) return absent;
    }
    return unreached(member.name);
  };
  const resolved: ResolvedSubject = {
    subject,
    exposed,
    presence: inList ? 'listed' : found.exists ? 'unlisted' : 'none',
    listed: isListed(view, found),
    hidden: isKnown(view, found) ? undefined : absence,
    // A URI its server does not offer is answered as an unknown one where names of the server are hidden.
    isDisguised: (denial) =>
      section === 'resources' && gate.hidesUris({ identity }, member) && isUnlisted(denial, member, name),
    server: member,
  };
  // The tool of an agent is decided about as the turn it asks for.
  const { args } = request;
  const isTool = section === 'agents' && (request.kind === 'tool' || args?.message !== undefined);
  const turn = isTool && args ? { ...request, args: turnOf(args, false) } : request;
  const unknown = unknownName(request.kind === 'tool' ? 'tools' : section, section === 'methods' ? name : namespaced);
  return explainSubject(context, turn, resolved, unknown);
}

/** Whether the name resolves for this principal, as the relay resolves it. */
function isKnown(view: View, { subject, exposed, inList, member }: RequestedSubject): boolean {
  const { section } = subject;
  // The tool of an agent has a name of its own.
  if (inList?.entry.agent && exposed !== undefined) return view.resolve('tools', exposed) !== undefined;
  // Methods belong to a server's own endpoint, which exists for principals who may see something of the server.
  if (section === 'methods' || exposed === undefined) return view.reaches(member);
  if (section === 'resources') return view.resolveUri(exposed)?.member === member;
  return view.resolve(section, exposed) !== undefined;
}

function isListed(view: View, { inList, member }: RequestedSubject): boolean {
  if (!inList) return false;
  return view.routes(inList.kind).some((route) => route.member === member && route.original === inList.entry.key);
}

/** The denial of a method whose server does not exist for the caller. */
const unreached = (server: string): Denial => ({
  code: 'SWB_DENIED',
  policy: 'gateway',
  rule: '(nothing of its server)',
  reason: `Nothing of the server "${server}" may be seen by this caller, so it has no endpoint.`,
  hidden: true,
});
