/**
 * A decision of the gate taken apart. The verdict comes from `judgement.ts`, which the gate asks too; what the gate then
 * does about it (take from limits, ask a person, send, write the audit) is left out.
 * @module
 */

import type { Caller } from '../../core/caller.ts';
import { grantIdentity, type Identity, LOCAL_IDENTITY } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import { CATALOG_KINDS } from '../../core/upstream.ts';
import type { Federation, Member, View } from '../../federation/types.ts';
import type { Look } from '../../policy/counters/counters.ts';
import { limitDenial } from '../../policy/counters/denial.ts';
import { rehearse } from '../../policy/counters/rehearse.ts';
import { Denied } from '../../policy/denied.ts';
import { DEFAULT_ALLOW } from '../../policy/engine/pointers.ts';
import {
  type ExplainedLimit,
  type ExplainedVerdict,
  type ExplainRequest,
  type Explanation,
  requireGrant,
} from '../../policy/explanation.ts';
import type { Policy } from '../../policy/policy.ts';
import type { ApprovalNeed, Denial, Subject } from '../../policy/types.ts';
import { LATEST_LEGACY } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { isOfNothing } from '../methods/unknown-uris.ts';
import { shorten } from '../request-context.ts';
import { unknownName } from '../unknown-name.ts';
import { listed } from './access.ts';
import { type AskedFor, askedFor, sectionOf } from './asked-for.ts';
import type { Gate } from './gate.ts';
import { beginPass, decide, type PolicyRequest, type Trace } from './judgement.ts';
import { notesOn } from './notes.ts';

export interface ExplainContext {
  policy: Policy;
  gate: Gate;
  federation: Federation;
  log: Log;
}

/**
 * Rejects with `SWB_INVALID_PARAMS` for a grant nobody has, `SWB_UNKNOWN_SERVER`, and `SWB_AMBIGUOUS_NAME`. A name nobody
 * has is explained too.
 */
export async function explain(context: ExplainContext, request: ExplainRequest): Promise<Explanation> {
  const { policy, gate, federation } = context;
  if (request.grant !== undefined) requireGrant(policy.grants, request.grant);
  const identity = request.grant === undefined ? LOCAL_IDENTITY : grantIdentity(request.grant);
  const seen = gate.viewFor(identity, federation.all);
  await Promise.all(CATALOG_KINDS.map((kind) => seen.prepare?.(kind)));
  const found = askedFor(federation, seen, request);
  if (!found) return nobodyHas(request);
  const { subject, member } = found;
  const matter: PolicyRequest = {
    caller: callerOf(identity),
    subject,
    plan: policy.planFor(identity.grant, subject),
    args: argumentsOf(request, subject.name),
    limits: [],
    need: undefined,
    shadow: [],
  };
  const given = matter.args;
  const witness: Trace = { passes: [], hooks: [] };
  let denial: Denial | undefined;
  if (!found.isThere) denial = documentsOnly(matter, witness);
  else if (isKnown(seen, found)) denial = await judged(policy, matter, witness);
  else denial = hidden(policy, found, matter, witness);
  if (denial && isDisguised(gate, matter, member, denial)) denial = { ...denial, hidden: true };
  const look = denial ? undefined : lookAt(context, matter, request.times);
  const isSame = JSON.stringify(matter.args ?? {}) === JSON.stringify(given ?? {});
  const verdict = found.isThere
    ? verdictOf(denial, matter, look, witness)
    : notThere(found.subject, verdictOf(denial, matter, look, witness));
  return {
    kind: request.kind,
    name: request.name,
    grant: request.grant ?? null,
    subject: {
      server: subject.server,
      section: subject.section,
      name: subject.name,
      namespaced: subject.namespaced,
      exposed: found.exposed ?? null,
    },
    presence: found.inList ? 'listed' : found.isThere ? 'unlisted' : 'none',
    listed: isListed(seen, found),
    passes: witness.passes,
    hooks: witness.hooks,
    approval: matter.need ?? null,
    limits: look ? look.counts.map(limitOf) : [],
    shadow: matter.shadow.map(({ policy: id, rule, reason }) => ({ policy: id, rule, reason })),
    sends: denial || isSame ? null : (matter.args ?? {}),
    verdict,
    notes: notesOn({ policy, request, member, matter, verdict, look }),
  };
}

/** Somebody with no session, who could not be asked anything. */
const callerOf = (identity: Identity): Caller => ({
  key: 'policy-explain',
  principal: identity.principal,
  identity,
  era: 'legacy',
  protocolVersion: LATEST_LEGACY,
  capabilities: {},
  clientInfo: undefined,
  logLevel: undefined,
  sessionId: undefined,
});

/** What conditions see as `args`, as the gate has them of a request. */
const argumentsOf = ({ kind, args }: ExplainRequest, name: string): JsonObject | undefined =>
  kind === 'resource' ? { ...args, uri: name } : args;

/** Whether the name leads anywhere for this principal, found as the relay finds it. */
function isKnown(seen: View, { subject, exposed, member }: AskedFor): boolean {
  const { section } = subject;
  // Methods are a server's own endpoint's, and that is there only for whoever may see something of the server.
  if (section === 'methods' || exposed === undefined) return seen.reaches(member);
  if (section === 'resources') return seen.resolveUri(exposed)?.member === member;
  return seen.resolve(section, exposed) !== undefined;
}

function isListed(seen: View, { inList, member, subject }: AskedFor): boolean {
  if (!inList) return false;
  return seen.routes(inList.kind).some((route) => route.member === member && route.original === subject.name);
}

/** A URI its server does not offer is answered as one nobody has, where names of the server are kept from the caller. */
const isDisguised = (gate: Gate, { caller, subject }: PolicyRequest, member: Member, denial: Denial): boolean =>
  subject.section === 'resources' && gate.keepsSecrets(caller, member) && isOfNothing(denial, member, subject.name);

async function judged(policy: Policy, matter: PolicyRequest, witness: Trace): Promise<Denial | undefined> {
  try {
    await decide(policy, matter, witness);
    return undefined;
  } catch (error) {
    if (error instanceof Denied) return error.denial;
    throw error;
  }
}

/** Of what nobody has there is no schema to ask, and hooks are asked about calls that could be made only. */
function documentsOnly(matter: PolicyRequest, witness: Trace): Denial | undefined {
  const { plan, args, caller } = matter;
  const verdict = plan.decide(args ?? {}, caller, beginPass(witness, args).rules);
  matter.shadow.push(...verdict.shadow);
  if (verdict.effect === 'deny') return verdict.denial;
  matter.limits = verdict.limits;
  matter.need = verdict.effect === 'approve' ? verdict.need : undefined;
  return undefined;
}

/** The gate is never reached: only the documents are asked, and they ask nobody else. */
function hidden(policy: Policy, found: AskedFor, matter: PolicyRequest, witness: Trace): Denial {
  const denial = documentsOnly(matter, witness);
  if (denial?.hidden) return denial;
  const { member, inList, subject } = found;
  const entry = inList && {
    kind: inList.kind,
    entry: listed(inList.kind, { member, original: subject.name, entry: inList.entry }),
  };
  return (
    policy.whyAbsent(matter.caller.identity, member, entry) ?? {
      code: 'SWB_DENIED',
      policy: 'gateway',
      rule: UNREACHED_RULE,
      reason: `Nothing of the server "${member.name}" may be seen by this caller, so it has no endpoint.`,
      hidden: true,
    }
  );
}

const lookAt = ({ policy, log }: ExplainContext, { limits }: PolicyRequest, times: number | undefined): Look =>
  times === undefined ? policy.look(limits) : rehearse(limits, times, log);

function verdictOf(
  denial: Denial | undefined,
  { need }: PolicyRequest,
  look: Look | undefined,
  witness: Trace,
): ExplainedVerdict {
  if (denial) return denied(denial);
  // A person is asked first; limits are taken from when the queue is next.
  if (need) return approval(need);
  if (look?.refusal) return denied(limitDenial(look.refusal));
  const visits = witness.passes.at(-1)?.rules.filter(({ mode, outcome }) => mode === 'enforce' && outcome === 'passed');
  const decisive =
    visits?.findLast(({ rule, detail }) => rule.startsWith('/') && detail === 'listed') ?? visits?.at(-1);
  return {
    effect: 'allow',
    code: null,
    policy: decisive?.policy ?? null,
    rule: decisive?.rule ?? DEFAULT_ALLOW,
    reason: decisive ? 'Nothing is against it.' : 'No document is about this caller and server.',
    hidden: false,
    data: {},
  };
}

function denied({ code, policy, rule, reason, hidden: isHidden, retryAfterMs, data }: Denial): ExplainedVerdict {
  const told = retryAfterMs === undefined ? { ...data } : { ...data, retryAfterMs };
  return { effect: 'deny', code, policy, rule, reason, hidden: isHidden, data: told };
}

const approval = ({ policy, rule, reason, approver, timeoutMs }: ApprovalNeed): ExplainedVerdict => ({
  effect: 'approve',
  code: null,
  policy,
  rule,
  reason,
  hidden: false,
  data: { approver, timeoutMs },
});

/** A method of a server that does not exist for the caller. */
const UNREACHED_RULE = '(nothing of its server)';

/** Where a name nobody has leads to. `ifThere` is what the documents would say of it. */
export const UNKNOWN_RULE = '(unknown name)';

function notThere(
  { section, name, namespaced }: Pick<Subject, 'section' | 'namespaced'> & Partial<Pick<Subject, 'name'>>,
  ifThere: ExplainedVerdict | undefined,
): ExplainedVerdict {
  const { code, message } = unknownName(section, section === 'methods' ? (name ?? namespaced) : namespaced);
  const data = ifThere ? { ifThere: { ...ifThere } } : {};
  return { effect: 'deny', code, policy: null, rule: UNKNOWN_RULE, reason: message, hidden: false, data };
}

function nobodyHas({ kind, name, grant }: ExplainRequest): Explanation {
  return {
    kind,
    name,
    grant: grant ?? null,
    subject: null,
    presence: 'none',
    listed: false,
    passes: [],
    hooks: [],
    approval: null,
    limits: [],
    shadow: [],
    sends: null,
    verdict: notThere({ section: sectionOf(kind), namespaced: shorten(name) }, undefined),
    notes: [],
  };
}

function limitOf({ use, used, endsAt }: Look['counts'][number]): ExplainedLimit {
  const { policy, rule, counter, windowName, sliding, max, amount } = use;
  return {
    policy,
    rule,
    counter,
    window: windowName,
    sliding,
    max,
    amount,
    used,
    left: Math.max(0, max - used),
    resetsAt: endsAt === undefined ? null : new Date(Math.min(endsAt, 8.64e15)).toISOString(),
  };
}
