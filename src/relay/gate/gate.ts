/**
 * The one gate in front of everything a client can reach: tools, prompts, resources, agents, builtin tools and methods of
 * extensions, at every endpoint and in both eras. `decide.ts` holds the order of one decision, `policy-decision.ts` what
 * follows from it.
 * @module
 */
import { insufficientScope } from '../../auth/tokens/insufficient-scope.ts';
import type { Call } from '../../core/call.ts';
import type { Caller } from '../../core/caller.ts';
import type { Identity } from '../../core/identity.ts';
import type { Member, Route, View } from '../../federation/types.ts';
import { CHANNELS } from '../../observe/events.ts';
import { calledAs } from '../../policy/arguments/denial.ts';
import { COMPLETION } from '../../policy/decision/decide.ts';
import type { Screened } from '../../policy/decision/notification-order.ts';
import { PolicyDecision } from '../../policy/decision/policy-decision.ts';
import { RoundTokens } from '../../policy/decision/round-tokens.ts';
import { screenNotification } from '../../policy/decision/screening.ts';
import { Denied } from '../../policy/denied.ts';
import { HIDDEN } from '../../policy/language/pointers.ts';
import type { Policy } from '../../policy/policy.ts';
import type { ApprovalNeed, Denial, Subject } from '../../policy/types.ts';
import type { Reservation } from '../../state/state.ts';
import { requireUniqueKeys, withExactNumbers } from '../../wire/json/source.ts';
import { isObject, type JsonObject, type Notification, type Request, type RequestId } from '../../wire/jsonrpc.ts';
import { RelayCall } from '../call.ts';
import type { CallTrace } from '../call-trace.ts';
import { bindingOf, type RequestContext } from '../request-context.ts';
import { unknownName } from '../unknown-names.ts';
import { PrincipalFilter } from './principal-filter.ts';
import { subjectNamed, subjectOf, subjectOfUri } from './subjects.ts';

/** A request towards a server, under the server's own names. */
interface GatedRequest {
  readonly method: string;
  readonly params: JsonObject;
}

export class Gate {
  readonly #policy: Policy;
  readonly #rounds = new RoundTokens();
  /** Requests for hidden names that are not recorded yet. */
  readonly #hiddenCalls: [RequestContext, Subject][] = [];
  #recording: NodeJS.Timeout | undefined;
  /** By grant (undefined: none), then by principal. */
  readonly #filters = new Map<string | undefined, Map<string, PrincipalFilter>>();

  constructor(policy: Policy) {
    this.#policy = policy;
    let { version } = policy;
    policy.onChanged(() => {
      if (policy.version !== version) this.#rounds.clear();
      version = policy.version;
      const grants = new Set(policy.grants.map(({ name }) => name));
      for (const [grant, filters] of [...this.#filters]) {
        if (grant !== undefined && !grants.has(grant)) this.#filters.delete(grant);
        for (const filter of [...filters.values()]) filter.policyChanged();
      }
    });
  }

  /** Whether anything may be hidden from or forbidden to this caller. */
  binds({ identity }: Pick<Caller, 'identity'>): boolean {
    return identity.scopes !== undefined || this.#policy.binds(identity.grant);
  }

  /** The view restricted to what this identity may know; the view itself where no policy binds it. */
  viewFor(identity: Identity, view: View): View {
    return this.binds({ identity }) ? view.restricted(this.#filterFor(identity)) : view;
  }

  #filterFor(identity: Identity): PrincipalFilter {
    let filters = this.#filters.get(identity.grant);
    if (!filters) {
      filters = new Map();
      this.#filters.set(identity.grant, filters);
    }
    let filter = filters.get(identity.principal);
    if (!filter) {
      // A stream that still has the filter of a forgotten principal ends at the next change of the policy.
      if (filters.size >= MAX_FILTERS) filters.delete(filters.keys().next().value as string);
      filter = new PrincipalFilter(this.#policy, identity);
      filters.set(identity.principal, filter);
    }
    return filter;
  }

  /** Called when what principals may see and do may have changed. Returns a way to stop listening. */
  onChanged(listener: () => void): () => void {
    return this.#policy.onChanged(listener);
  }

  /**
   * Decides about a client's request. Throws, or rejects with, {@link Denied}, or `SWB_UNKNOWN_…` where the name is hidden.
   * Undefined: the request is allowed and nothing follows from it (no policy binds the caller and decisions have no subscriber).
   */
  decide(
    context: RequestContext,
    subject: Subject,
    gated: GatedRequest,
  ): PolicyDecision | undefined | Promise<PolicyDecision> {
    const { caller, request } = context;
    const { method } = gated;
    const given = argumentsOf(gated);
    if (caller.identity.scopes) this.#requireScopes(caller, subject, method, given, request.id);
    const binds = this.#policy.binds(caller.identity.grant);
    const takesArguments = hasArguments(method);
    if (!binds && !isObserved()) {
      if (takesArguments && this.#validates(subject)) requireUniqueKeys(context.params, isArguments);
      this.#policy.requireFittingArguments(subject, given);
      return undefined;
    }
    const decision = this.#open(caller, subject, method, given, request.id, context.call.trace);
    const hasHook = this.#policy.hooks.has('call.before', subject.server);
    const isGoverned = binds && (decision.plan.governed || hasHook);
    // What judges the arguments and their server must read the same ones.
    const isJudged = takesArguments ? isGoverned || this.#validates(subject) : binds;
    try {
      if (isJudged) requireUniqueKeys(context.params, takesArguments ? isArguments : isNoEnvelope);
    } catch (error) {
      decision.conclude({ kind: 'error', error });
      throw error;
    }
    if (decision.plan.readsArguments || hasHook) {
      const exact = withExactNumbers(gated.params, takesArguments ? 'arguments' : undefined);
      if (exact !== gated.params) decision.exact = argumentsOf({ method, params: exact });
    }
    const isRound = this.#isExpectedRound(context);
    const allowed = (): PolicyDecision => {
      // A round is part of a call that was decided about, and a completion is no use of what it completes.
      if (isRound || method === COMPLETION) {
        decision.need = undefined;
        decision.limits = [];
      }
      return decision;
    };
    return this.#decide(decision, nameIn(context, subject), allowed, request.method);
  }

  /** Throws where the caller's access token lacks a scope for what an earlier request, which this one goes on with, was about. */
  requireScopesOf(caller: Caller, subject: Subject, { method, id }: Pick<Request, 'method' | 'id'>): void {
    this.#requireScopes(caller, subject, method, undefined, id);
  }

  /**
   * Throws where the caller's access token lacks a scope, or where no scope allows the subject. What policy denies whatever the
   * arguments is left to policy: no further scope would help, and a refusal must not show that a hidden tool exists.
   */
  #requireScopes(
    caller: Caller,
    subject: Subject,
    method: string,
    given: JsonObject | undefined,
    requestId?: RequestId,
  ): void {
    const missing = caller.identity.scopes?.missing(subject);
    if (missing?.length === 0 || !caller.identity.scopes) return;
    const decision = this.#open(caller, subject, method, given, requestId);
    if (decision.plan.denies) return;
    if (!missing) throw concluded(decision, NO_SCOPE);
    const error = insufficientScope(missing);
    decision.conclude({ kind: 'error', error });
    throw error;
  }

  /** Whether a tool's own schema reads the arguments of a call that no document governs. */
  #validates({ section, server }: Subject): boolean {
    return section === 'tools' && this.#policy.validatesArguments(server, false);
  }

  /** Decides about a call that a builtin tool makes within its own call: an agent called through `callAgent`. Undefined as in {@link decide}. */
  decideSubcall(
    outer: Call,
    route: Route,
    method: string,
    params: JsonObject,
  ): PolicyDecision | undefined | Promise<PolicyDecision> {
    if (!this.binds(outer.caller) && !isObserved()) return undefined;
    const { agent: _, _meta, ...args } = params;
    this.#requireScopes(outer.caller, subjectOf('agents', route), method, args);
    const trace = outer instanceof RelayCall ? outer.trace : undefined;
    const decision = this.#open(outer.caller, subjectOf('agents', route), method, args, undefined, trace);
    const counted = outer instanceof RelayCall ? (outer.decision?.limits ?? []) : [];
    const allowed = (): PolicyDecision => {
      // Limits of every call of a tool have counted this one already, as a call of the builtin tool.
      decision.limits = decision.limits.filter(
        ({ key, rule }) => !counted.some((use) => use.key === key && use.rule === rule),
      );
      return decision;
    };
    if (method === 'agents/call') return this.#decide(decision, route.exposed, allowed);
    // What is asked about an agent has no arguments to judge, uses no limit and needs no approval.
    const { denies } = decision.plan;
    if (denies) throw concluded(decision, denies);
    return decision;
  }

  /** For a run that is read on after a restart: screens its answer. Throws {@link Denied} where it may not be called now. */
  attach(caller: Caller, member: Member, section: 'agents' | 'tools', name: string): PolicyDecision | undefined {
    if (!this.binds(caller)) return undefined;
    const entry = member.catalog(section).entries.find(({ key }) => key === name);
    const subject = entry ? subjectOf(section, { member, original: name, entry }) : subjectNamed(section, member, name);
    const decision = this.#open(caller, subject, `${section}/attach`, undefined);
    if (decision.plan.denies) throw concluded(decision, decision.plan.denies);
    return decision;
  }

  /** A modern client was answered with this state: its next round belongs to a call that was decided about. */
  expectRound(context: RequestContext, requestState: unknown): void {
    this.#rounds.expect(bindingOf(context), requestState);
  }

  #isExpectedRound(context: RequestContext): boolean {
    const { requestState, inputResponses } = context.params;
    if (requestState === undefined && inputResponses === undefined) return false;
    return this.#rounds.take(bindingOf(context), requestState);
  }

  /**
   * Whether a client's own notification may go to a server, as a method of the same name may. No person can
   * approve it and no response can carry a denial: what is not simply allowed is dropped, and written to the audit.
   */
  allowsNotification(caller: Caller, member: Member, { method, params }: Notification): boolean | Promise<boolean> {
    const subject = subjectNamed('methods', member, method);
    const commit = (reservation: Reservation): boolean => {
      reservation.commit();
      return true;
    };
    const refuse = (error: unknown): boolean => {
      if (CHANNELS.concluded.hasSubscribers)
        this.#open(caller, subject, method, params).conclude({ kind: 'error', error });
      return false;
    };
    try {
      this.#requireScopes(caller, subject, method, params);
      if (params && this.binds(caller)) requireUniqueKeys(params, isNoEnvelope);
      const plan = this.#policy.planFor(caller.identity.grant, subject);
      const exact = params && plan.readsArguments ? withExactNumbers(params) : params;
      const verdict = plan.decide(exact ?? {}, caller);
      if (verdict.effect === 'deny') throw new Denied(verdict.denial);
      if (verdict.effect === 'approve') throw new Denied(unapprovable(verdict.need));
      const reserved = this.#policy.reserve(verdict.limits);
      return reserved instanceof Promise ? reserved.then(commit, refuse) : commit(reserved);
    } catch (error) {
      return refuse(error);
    }
  }

  /** A server's notification outside any call as this caller may see it. */
  screenNotification(caller: Caller, member: Member, sent: Notification): Screened | Promise<Screened> {
    const { hooks } = this.#policy;
    if (!hooks.has('notify', member.name)) return sent;
    return screenNotification(hooks, { caller, subject: subjectNamed('methods', member, sent.method) }, sent);
  }

  /** Whether changes of this resource may be reported to the caller. */
  allowsUpdates(caller: Caller, member: Member, original: string): boolean {
    const missing = caller.identity.scopes?.missing(subjectOfUri(member, original));
    if (caller.identity.scopes && missing?.length !== 0) return false;
    return this.#updatesDenial(caller, member, original) === undefined;
  }

  /** Throws the {@link Denied} of a subscription to this resource, which the audit then has. */
  requireUpdates({ caller, request }: RequestContext, member: Member, original: string): void {
    this.#requireScopes(caller, subjectOfUri(member, original), request.method, { uri: original }, request.id);
    const denial = this.#updatesDenial(caller, member, original);
    if (!denial) return;
    if (!CHANNELS.concluded.hasSubscribers) throw new Denied(denial);
    const given = { uri: original };
    throw concluded(this.#open(caller, subjectOfUri(member, original), request.method, given, request.id), denial);
  }

  /** The denial of reading a resource: unconditional, or by a condition on its URI. */
  #updatesDenial(caller: Caller, member: Member, original: string): Denial | undefined {
    const plan = this.#policy.planFor(caller.identity.grant, subjectOfUri(member, original));
    if (plan.denies) return plan.denies;
    const verdict = plan.decide({ uri: original }, caller);
    return verdict.effect === 'deny' ? verdict.denial : undefined;
  }

  /** Whether a resource of this server may be hidden from the caller: then a hidden and an unknown URI get the same answer. */
  hidesUris({ identity }: Pick<Caller, 'identity'>, member: Member): boolean {
    return this.#policy.hidesUris(identity.grant, member.name);
  }

  /**
   * Writes a request for a hidden name to the audit. Its caller receives the error of an unknown name, and receives it first:
   * an unknown name leaves no record, and the time that one takes would tell them apart.
   */
  recordHidden(context: RequestContext, subject: Subject): void {
    if (!CHANNELS.concluded.hasSubscribers) return;
    this.#hiddenCalls.push([context, subject]);
    // Nor may it delay a request that is sent right behind: all of some time are recorded at once.
    this.#recording ??= setTimeout(() => this.flush(), RECORD_AFTER_MS).unref();
    if (this.#hiddenCalls.length >= MAX_HIDDEN_CALLS) this.flush();
  }

  /** Records now what waits to be recorded. */
  flush(): void {
    clearTimeout(this.#recording);
    this.#recording = undefined;
    for (const [context, subject] of this.#hiddenCalls.splice(0)) this.#recordHidden(context, subject);
  }

  #recordHidden({ caller, request, params }: RequestContext, subject: Subject): void {
    const given = argumentsOf({ method: request.method, params });
    const decision = this.#open(caller, subject, request.method, given, request.id);
    const verdict = decision.plan.decide(given ?? {}, caller);
    concluded(decision, verdict.effect === 'deny' && verdict.denial.hidden ? verdict.denial : NOT_VISIBLE);
  }

  #open(
    caller: Caller,
    subject: Subject,
    method: string,
    given: JsonObject | undefined,
    requestId?: RequestId,
    trace?: CallTrace,
  ): PolicyDecision {
    return new PolicyDecision(this.#policy, { caller, subject, method, requestId, trace, given });
  }

  /** `name` is the client's spelling of the subject. */
  #decide(
    decision: PolicyDecision,
    name: string,
    allowed: () => PolicyDecision,
    requested?: string,
  ): PolicyDecision | Promise<PolicyDecision> {
    const denied = (error: unknown): never => {
      if (!(error instanceof Denied)) throw error;
      const { section, namespaced } = decision.subject;
      // An agent's tool is asked for as a tool.
      if (error.denial.hidden) throw unknownName(requested === 'tools/call' ? 'tools' : section, name);
      const denial = calledAs(error.denial, namespaced, name);
      throw denial === error.denial ? error : new Denied(denial);
    };
    try {
      return decision.decide()?.then(allowed, denied) ?? allowed();
    } catch (error) {
      return denied(error);
    }
  }
}

/** Whether anybody hears of decisions. */
const isObserved = (): boolean => CHANNELS.concluded.hasSubscribers || CHANNELS.decision.hasSubscribers;

/** How long requests for hidden names wait to be recorded, and how many. */
const RECORD_AFTER_MS = 20;
const MAX_HIDDEN_CALLS = 1_000;

function concluded(decision: PolicyDecision, denial: Denial): Denied {
  const error = new Denied(denial);
  decision.conclude({ kind: 'error', error });
  return error;
}

/** Principals of one grant whose filters are kept. */
const MAX_FILTERS = 10_000;

const isArguments = (name: string): boolean => name === 'arguments';
const isNoEnvelope = (name: string): boolean =>
  name !== '_meta' && name !== 'requestState' && name !== 'inputResponses';

const hasArguments = (method: string): boolean => method === 'tools/call' || method === 'prompts/get';

/** What conditions see as `args`. */
function argumentsOf({ method, params }: GatedRequest): JsonObject | undefined {
  if (hasArguments(method)) return isObject(params.arguments) ? params.arguments : undefined;
  const { _meta, requestState, inputResponses, ...rest } = params;
  return rest;
}

/** Params that hooks and redaction do not change: they name what was decided about. */
const KEPT = ['_meta', 'requestState', 'inputResponses', 'uri', 'ref'] as const;

/** The params with the arguments that the decision lets through. */
export function decidedParams({ method, params }: GatedRequest, { args }: PolicyDecision): JsonObject {
  if (hasArguments(method)) return { ...params, arguments: args };
  const kept = KEPT.filter((key) => Object.hasOwn(params, key));
  return { ...args, ...Object.fromEntries(kept.map((key) => [key, params[key]])) };
}

const unapprovable = ({ policy, rule }: ApprovalNeed): Denial => ({
  code: 'SWB_DENIED',
  policy,
  rule,
  reason: 'A person would have to approve this notification, and nobody can be asked about one.',
  hidden: false,
});

/** Of a token of an issuer with `scopes`, for what none of them allows. */
const NO_SCOPE: Denial = {
  code: 'SWB_DENIED',
  policy: 'scopes',
  rule: '(no scope)',
  reason: 'No scope of an access token allows this.',
  hidden: false,
};

/** Hidden by pinning, by a hook, or because the grant does not include the server. */
const NOT_VISIBLE: Denial = {
  code: 'SWB_DENIED',
  policy: 'gateway',
  rule: HIDDEN,
  reason: 'It does not exist for this caller.',
  hidden: true,
};

/** The client's own spelling of what it asks for. */
function nameIn({ request, params }: RequestContext, { section }: Subject): string {
  const named = isObject(params.ref) ? params.ref : params;
  return section === 'methods' ? request.method : String(section === 'resources' ? named.uri : named.name);
}
