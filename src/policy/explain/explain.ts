/**
 * One decision of policy, taken apart. The verdict comes from `decision/decide.ts`, which the gate runs too; the rules
 * behind it come from a second evaluation of the same documents (`trace.ts`). Nothing is reserved, approved, sent or
 * written to the audit.
 * @module
 */
import type { Caller } from '../../core/caller.ts';
import type { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import type { CounterReading } from '../../state/state.ts';
import { LATEST_LEGACY } from '../../wire/eras.ts';
import { withDoubles } from '../../wire/json/exact.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { limitDenial } from '../counters/denial.ts';
import { rehearse } from '../counters/rehearse.ts';
import { decide, type PolicyRequest } from '../decision/decide.ts';
import { Denied } from '../denied.ts';
import type { HookAnswered } from '../hooks/outcome.ts';
import { DEFAULT_ALLOW } from '../language/pointers.ts';
import type { Policy } from '../policy.ts';
import type { ApprovalNeed, ArgumentCheck, Denial, LimitUse, Subject } from '../types.ts';
import type { ExplainedLimit, ExplainedPass, ExplainedVerdict, ExplainRequest, Explanation } from './explanation.ts';
import { tracePlan } from './trace.ts';

type Reading = CounterReading<LimitUse>;

/** A resolved name, as its caller may know it. */
export interface ResolvedSubject extends Pick<Explanation, 'presence' | 'listed'> {
  subject: Subject;
  /** The client's spelling; undefined for methods and for what does not exist. */
  exposed: string | undefined;
  /** Undefined: the name resolves for the caller. Why it does not, where no document hides it. */
  hidden: (() => Denial) | undefined;
  /** Whether the caller gets the answer for an unknown name instead of this denial. */
  isDisguised(denial: Denial): boolean;
  server: { builtin: boolean; state: string };
}

/** `unknown` is the error of an unknown name. Of a `resolved` that is undefined nothing can be said but that. */
export async function explainSubject(
  context: { policy: Policy; log: Log; identity: Identity },
  request: ExplainRequest,
  resolved: ResolvedSubject | undefined,
  unknown: SwitchboardError,
): Promise<Explanation> {
  const { policy, identity } = context;
  const { kind, name, grant = null } = request;
  if (!resolved) return { kind, name, grant, ...NOTHING, verdict: unknownVerdict(unknown, undefined) };
  const { subject, hidden, presence, listed } = resolved;
  // What conditions see as `args`, as the gate has them of a request.
  const exact = kind === 'resource' ? { ...request.args, uri: subject.name } : request.args;
  const given = withDoubles(exact) as JsonObject | undefined;
  const run = new ExplainedRun(policy, {
    caller: callerOf(identity),
    subject,
    plan: policy.planFor(identity.grant, subject),
    given,
    exact,
    args: given,
    limits: [],
    need: undefined,
    shadow: [],
  });
  let denial: Denial | undefined;
  if (presence === 'none') denial = run.documentsOnly();
  else if (!hidden) denial = await run.decide();
  else {
    // A call of a hidden name never reaches the gate: the documents alone say why it is hidden.
    denial = run.documentsOnly();
    if (!denial?.hidden) denial = hidden();
  }
  if (denial && resolved.isDisguised(denial)) denial = { ...denial, hidden: true };

  const { args, limits, need, shadow } = run.request;
  const passes = run.passes();
  const reading = denial ? undefined : await readingOf(context, limits, request.times);
  const outcome = verdictOf(denial, need, reading, passes);
  const verdict = presence === 'none' ? unknownVerdict(unknown, outcome) : outcome;
  const isSame = JSON.stringify(args ?? {}) === JSON.stringify(given ?? {});
  const { server, section, name: own, namespaced } = subject;
  return {
    kind,
    name,
    grant,
    subject: { server, section, name: own, namespaced, exposed: resolved.exposed ?? null },
    presence,
    listed,
    passes,
    hooks: run.hooks,
    approval: need ?? null,
    limits: reading ? reading.counts.map(limitOf) : [],
    shadow: shadow.map(({ policy: id, rule, reason }) => ({ policy: id, rule, reason })),
    sends: denial || isSame ? null : (args ?? {}),
    verdict,
    notes: notesOn(policy, request, { ...resolved, limits, verdict, reading }),
  };
}

const NOTHING = {
  subject: null,
  presence: 'none',
  listed: false,
  passes: [],
  hooks: [],
  approval: null,
  limits: [],
  shadow: [],
  sends: null,
  notes: [],
} as const;

/** One run of the decision, with what it evaluated on the way. */
class ExplainedRun {
  readonly request: PolicyRequest;
  readonly hooks: HookAnswered[] = [];
  readonly #policy: Policy;
  /** The arguments of each evaluation of the documents. */
  readonly #evaluated: (JsonObject | undefined)[] = [];
  #withSchemas = true;

  constructor(policy: Policy, request: PolicyRequest) {
    this.#policy = policy;
    this.request = request;
  }

  /** The gate's own decision. */
  async decide(): Promise<Denial | undefined> {
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
    const { plan, exact, caller } = request;
    this.#withSchemas = false;
    this.#evaluated.push(exact);
    const verdict = plan.decide(exact ?? {}, caller);
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
      if (reachesSchemas)
        this.#policy.checkArguments(subject, plan, withDoubles(args) as JsonObject | undefined, [], schemas);
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

const readingOf = (
  { policy, log }: { policy: Policy; log: Log },
  limits: readonly LimitUse[],
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
  if (need) {
    const { policy, rule, reason, approver, timeoutMs } = need;
    return { effect: 'approve', code: null, policy, rule, reason, hidden: false, data: { approver, timeoutMs } };
  }
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

function denied({ code, policy, rule, reason, hidden, retryAfterMs, data }: Denial): ExplainedVerdict {
  const all = retryAfterMs === undefined ? { ...data } : { ...data, retryAfterMs };
  return { effect: 'deny', code, policy, rule, reason, hidden, data: all };
}

/** The rule of an unknown name. `data.ifThere` is what the documents would decide if it existed. */
const UNKNOWN_RULE = '(unknown name)';

function unknownVerdict({ code, message }: SwitchboardError, ifThere: ExplainedVerdict | undefined): ExplainedVerdict {
  const data = ifThere ? { ifThere: { ...ifThere } } : {};
  return { effect: 'deny', code, policy: null, rule: UNKNOWN_RULE, reason: message, hidden: false, data };
}

function limitOf({ use, used, endsAt }: Reading['counts'][number]): ExplainedLimit {
  const { policy, rule, counter, windowName, sliding, max, amount } = use;
  const resetsAt = endsAt === undefined ? null : new Date(Math.min(endsAt, 8.64e15)).toISOString();
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
    resetsAt,
  };
}

interface Noted {
  server: ResolvedSubject['server'];
  limits: readonly LimitUse[];
  verdict: ExplainedVerdict;
  reading: Reading | undefined;
}

/** What a reader should know beside the verdict. */
function notesOn(policy: Policy, request: ExplainRequest, { server, limits, verdict, reading }: Noted): string[] {
  const notes: string[] = [];
  const grant = policy.grants.find(({ name }) => name === request.grant);
  if (grant?.expiresAt !== undefined && grant.expiresAt <= Date.now()) {
    notes.push(
      `The grant expired at ${new Date(grant.expiresAt).toISOString()}: its key is refused (401) before anything here.`,
    );
  }
  if (verdict.hidden) notes.push('The caller is answered as for a name that nobody has.');
  if (request.kind === 'agent')
    notes.push('Through the tool callAgent, that tool is decided about first: explain callAgent too.');
  if (!server.builtin && server.state !== 'ready')
    notes.push(`The server is not ready (${server.state}): what is known of it is what it last said.`);
  if (verdict.effect === 'approve' && reading?.refusal)
    notes.push(`A limit is reached too: once approved, the call is denied. ${limitDenial(reading.refusal).reason}`);
  if (limits.some(({ key }) => isOfSession(key)))
    notes.push('Limits of scope "session" are shown for a session that begins with this call.');
  return notes;
}

/** The second part of a count's key is the scope. */
const isOfSession = (key: string): boolean => (JSON.parse(key) as unknown[])[1] === 'session';
