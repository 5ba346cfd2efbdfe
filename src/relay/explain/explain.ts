/**
 * `policy explain`: one decision of the gate, taken apart. The verdict comes from `gate/decide.ts`, which the gate runs too;
 * the rules behind it come from a second evaluation of the same documents (`policy/explain/trace.ts`). Nothing is reserved,
 * approved, sent or written to the audit.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import { grantIdentity, type Identity, LOCAL_IDENTITY } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import { CATALOG_KINDS } from '../../core/upstream.ts';
import type { Federation, Member, View } from '../../federation/types.ts';
import { limitDenial } from '../../policy/counters/denial.ts';
import { rehearse } from '../../policy/counters/rehearse.ts';
import { Denied } from '../../policy/denied.ts';
import {
  type ExplainedLimit,
  type ExplainedPass,
  type ExplainedVerdict,
  type ExplainRequest,
  type Explanation,
  requireGrant,
} from '../../policy/explain/explanation.ts';
import { tracePlan } from '../../policy/explain/trace.ts';
import type { HookAnswered } from '../../policy/hooks/outcome.ts';
import { DEFAULT_ALLOW } from '../../policy/language/pointers.ts';
import type { Policy } from '../../policy/policy.ts';
import type { ApprovalNeed, ArgumentCheck, Denial, LimitUse, Subject } from '../../policy/types.ts';
import type { CounterReading } from '../../state/state.ts';
import { LATEST_LEGACY } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { listed } from '../gate/access.ts';
import { decide, type PolicyRequest } from '../gate/decide.ts';
import type { Gate } from '../gate/gate.ts';
import { isOfNothing } from '../methods/unknown-uris.ts';
import { shorten } from '../request-context.ts';
import { unknownName } from '../unknown-name.ts';
import { findSubject, type RequestedSubject, sectionOf } from './requested-name.ts';

type Reading = CounterReading<LimitUse>;

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
export async function explain(context: ExplainContext, request: ExplainRequest): Promise<Explanation> {
  const { policy, gate, federation } = context;
  if (request.grant !== undefined) requireGrant(policy.grants, request.grant);
  const identity = request.grant === undefined ? LOCAL_IDENTITY : grantIdentity(request.grant);
  const view = gate.viewFor(identity, federation.all);
  await Promise.all(CATALOG_KINDS.map((kind) => view.prepare?.(kind)));
  const found = findSubject(federation, view, request);
  if (!found) return explainUnowned(request);
  const { subject, member } = found;
  const decision = new ExplainedDecision(policy, {
    caller: callerOf(identity),
    subject,
    plan: policy.planFor(identity.grant, subject),
    args: argumentsOf(request, subject.name),
    limits: [],
    need: undefined,
    shadow: [],
  });
  let denial: Denial | undefined;
  if (!found.exists) denial = decision.documentsOnly();
  else if (isKnown(view, found)) denial = await decision.run();
  else denial = hidden(policy, found, decision);
  if (denial && isDisguised(gate, decision.request, member, denial)) denial = { ...denial, hidden: true };

  const { args, limits, need, shadow } = decision.request;
  const passes = decision.passes();
  const reading = denial ? undefined : await readingOf(context, limits, request.times);
  const outcome = verdictOf(denial, need, reading, passes);
  const verdict = found.exists ? outcome : unknownVerdict(subject, outcome);
  const isSame = JSON.stringify(args ?? {}) === JSON.stringify(decision.given ?? {});
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
    presence: found.inList ? 'listed' : found.exists ? 'unlisted' : 'none',
    listed: isListed(view, found),
    passes,
    hooks: decision.hooks,
    approval: need ?? null,
    limits: reading ? reading.counts.map(limitOf) : [],
    shadow: shadow.map(({ policy: id, rule, reason }) => ({ policy: id, rule, reason })),
    sends: denial || isSame ? null : (args ?? {}),
    verdict,
    notes: notesOn(policy, request, { member, limits, verdict, reading }),
  };
}

/** One run of the decision, with what it evaluated on the way. */
class ExplainedDecision {
  readonly request: PolicyRequest;
  /** The arguments before hooks and redaction. */
  readonly given: JsonObject | undefined;
  readonly hooks: HookAnswered[] = [];
  readonly #policy: Policy;
  /** The arguments of each evaluation of the documents. */
  readonly #evaluated: (JsonObject | undefined)[] = [];
  #withSchemas = true;

  constructor(policy: Policy, request: PolicyRequest) {
    this.#policy = policy;
    this.request = request;
    this.given = request.args;
  }

  /** The gate's own decision. */
  async run(): Promise<Denial | undefined> {
    try {
      await decide(this.#policy, this.request, {
        documents: (args) => this.#evaluated.push(args),
        hook: (asked) => this.hooks.push(asked),
      });
      return undefined;
    } catch (error) {
      if (error instanceof Denied) return error.denial;
      throw error;
    }
  }

  /** For what does not exist there is no schema to check, and hooks see only calls that could be made. */
  documentsOnly(): Denial | undefined {
    const { request } = this;
    const { plan, args, caller } = request;
    this.#withSchemas = false;
    this.#evaluated.push(args);
    const verdict = plan.decide(args ?? {}, caller);
    request.shadow.push(...verdict.shadow);
    if (verdict.effect === 'deny') return verdict.denial;
    request.limits = verdict.limits;
    request.need = verdict.effect === 'approve' ? verdict.need : undefined;
    return undefined;
  }

  /** Each evaluation, rule by rule and schema by schema. */
  passes(): ExplainedPass[] {
    const { plan, subject, caller } = this.request;
    return this.#evaluated.map((args) => {
      const schemas: ArgumentCheck[] = [];
      const reachesSchemas = this.#withSchemas && plan.decide(args ?? {}, caller).effect !== 'deny';
      if (reachesSchemas) this.#policy.checkArguments(subject, plan, args, [], schemas);
      return { args: args ?? {}, rules: tracePlan(plan, args ?? {}), schemas };
    });
  }
}

/** A caller without a session, who cannot be asked for input. */
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

/** Whether the name resolves for this principal, as the relay resolves it. */
function isKnown(view: View, { subject, exposed, member }: RequestedSubject): boolean {
  const { section } = subject;
  // Methods belong to a server's own endpoint, which exists for principals who may see something of the server.
  if (section === 'methods' || exposed === undefined) return view.reaches(member);
  if (section === 'resources') return view.resolveUri(exposed)?.member === member;
  return view.resolve(section, exposed) !== undefined;
}

function isListed(view: View, { inList, member, subject }: RequestedSubject): boolean {
  if (!inList) return false;
  return view.routes(inList.kind).some((route) => route.member === member && route.original === subject.name);
}

/** A URI its server does not offer is answered as an unknown one where names of the server are hidden from the caller. */
const isDisguised = (gate: Gate, { caller, subject }: PolicyRequest, member: Member, denial: Denial): boolean =>
  subject.section === 'resources' && gate.keepsSecrets(caller, member) && isOfNothing(denial, member, subject.name);

/** A call of a hidden name never reaches the gate: the documents alone say why it is hidden. */
function hidden(policy: Policy, found: RequestedSubject, decision: ExplainedDecision): Denial {
  const denial = decision.documentsOnly();
  if (denial?.hidden) return denial;
  const { member, inList, subject } = found;
  const entry = inList && {
    kind: inList.kind,
    entry: listed(inList.kind, { member, original: subject.name, entry: inList.entry }),
  };
  return (
    policy.whyAbsent(decision.request.caller.identity, member, entry) ?? {
      code: 'SWB_DENIED',
      policy: 'gateway',
      rule: UNREACHED_RULE,
      reason: `Nothing of the server "${member.name}" may be seen by this caller, so it has no endpoint.`,
      hidden: true,
    }
  );
}

const readingOf = (
  { policy, log }: ExplainContext,
  limits: PolicyRequest['limits'],
  times: number | undefined,
): Reading | Promise<Reading> => (times === undefined ? policy.readLimits(limits) : rehearse(limits, times, log));

function verdictOf(
  denial: Denial | undefined,
  need: ApprovalNeed | undefined,
  reading: Reading | undefined,
  passes: readonly ExplainedPass[],
): ExplainedVerdict {
  if (denial) return denied(denial);
  // Approval comes first; limits are reserved just before the queue.
  if (need) return approval(need);
  if (reading?.refusal) return denied(limitDenial(reading.refusal));
  const steps = passes.at(-1)?.rules.filter(({ mode, outcome }) => mode === 'enforce' && outcome === 'passed');
  const decisive = steps?.findLast(({ rule, detail }) => rule.startsWith('/') && detail === 'listed') ?? steps?.at(-1);
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
  const all = retryAfterMs === undefined ? { ...data } : { ...data, retryAfterMs };
  return { effect: 'deny', code, policy, rule, reason, hidden: isHidden, data: all };
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

/** The rule of a denial of a method whose server does not exist for the caller. */
const UNREACHED_RULE = '(nothing of its server)';

/** The rule of an unknown name. `data.ifThere` is what the documents would decide if it existed. */
export const UNKNOWN_RULE = '(unknown name)';

function unknownVerdict(
  { section, name, namespaced }: Pick<Subject, 'section' | 'namespaced'> & Partial<Pick<Subject, 'name'>>,
  ifThere: ExplainedVerdict | undefined,
): ExplainedVerdict {
  const { code, message } = unknownName(section, section === 'methods' ? (name ?? namespaced) : namespaced);
  const data = ifThere ? { ifThere: { ...ifThere } } : {};
  return { effect: 'deny', code, policy: null, rule: UNKNOWN_RULE, reason: message, hidden: false, data };
}

/** A name that no server has and whose prefix names none. */
function explainUnowned({ kind, name, grant }: ExplainRequest): Explanation {
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
    verdict: unknownVerdict({ section: sectionOf(kind), namespaced: shorten(name) }, undefined),
    notes: [],
  };
}

function limitOf({ use, used, endsAt }: Reading['counts'][number]): ExplainedLimit {
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

interface Noted {
  member: Member;
  limits: PolicyRequest['limits'];
  verdict: ExplainedVerdict;
  reading: Reading | undefined;
}

/** What a reader should know beside the verdict. */
function notesOn(policy: Policy, request: ExplainRequest, { member, limits, verdict, reading }: Noted): string[] {
  const notes: string[] = [];
  const grant = policy.grants.find(({ name }) => name === request.grant);
  if (grant?.expiresAt !== undefined && grant.expiresAt <= Date.now()) {
    notes.push(
      `The grant expired at ${new Date(grant.expiresAt).toISOString()}: its key is refused (401) before anything here.`,
    );
  }
  if (verdict.hidden) notes.push('The caller is answered as for a name that nobody has.');
  if (request.kind === 'agent')
    notes.push('Agents are asked through the tool callAgent, which is decided about first: explain callAgent too.');
  if (!member.builtin && member.state !== 'ready')
    notes.push(`The server is not ready (${member.state}): what is known of it is what it last said.`);
  if (verdict.effect === 'approve' && reading?.refusal)
    notes.push(`A limit is reached too: once approved, the call is denied. ${limitDenial(reading.refusal).reason}`);
  if (limits.some(({ key }) => isOfSession(key)))
    notes.push('Limits of scope "session" are shown for a session that begins with this call.');
  return notes;
}

/** The second part of a count's key is the scope. */
const isOfSession = (key: string): boolean => (JSON.parse(key) as unknown[])[1] === 'session';
