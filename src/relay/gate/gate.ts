/**
 * The one gate in front of everything: tools, prompts, resources, agents, the gateway's own tools and methods nobody
 * knows, at every endpoint and in both eras. It asks the policy room and says what may go on, in the order of the design:
 * hidden or denied by default, conditions, argument schemas, hooks, approval; limits last, when the queue is next.
 * @module
 */
import type { Call } from '../../core/call.ts';
import type { Caller } from '../../core/caller.ts';
import type { Identity } from '../../core/identity.ts';
import type { Reply } from '../../core/upstream.ts';
import type { Member, Route, View } from '../../federation/types.ts';
import { Denied } from '../../policy/denied.ts';
import { HIDDEN } from '../../policy/language/pointers.ts';
import type { Policy } from '../../policy/policy.ts';
import type { ApprovalNeed, Denial, LimitUse, Subject } from '../../policy/types.ts';
import { requireUniqueKeys } from '../../wire/json/source.ts';
import { isObject, type JsonObject, type Notification, type RequestId } from '../../wire/jsonrpc.ts';
import { digestRequest } from '../asks/request-state.ts';
import type { Dispatch } from '../dispatch.ts';
import type { RequestContext } from '../request-context.ts';
import { unknownName } from '../unknown-name.ts';
import { PrincipalFilter } from './access.ts';
import { type AdmissionHost, type Held, type Outcome, PolicyDecision } from './admission.ts';
import { auditRecord } from './audit.ts';
import { RoundTokens } from './continuations.ts';
import { COMPLETION, decide } from './decide.ts';
import { hookInput, screenNote, screenReply } from './screening.ts';
import { subjectNamed, subjectOf, subjectOfUri } from './subjects.ts';

export class Gate implements AdmissionHost {
  readonly continuations = new RoundTokens();
  readonly #policy: Policy;
  /** By grant (undefined: none), then by principal. */
  readonly #filters = new Map<string | undefined, Map<string, PrincipalFilter>>();

  constructor(policy: Policy) {
    this.#policy = policy;
    let { version } = policy;
    policy.onChanged(() => {
      if (policy.version !== version) this.continuations.clear();
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
    return this.#policy.binds(identity.grant);
  }

  /** The view as this identity may know it. */
  viewFor(identity: Identity, view: View): View {
    return this.#policy.binds(identity.grant) ? view.restricted(this.#filterFor(identity)) : view;
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

  /**
   * Lets a client's request in, or throws {@link Denied}. What hooks and redaction make of its arguments goes into `what`.
   * Undefined: it is let in, and nothing has to be kept to.
   */
  judge(turn: RequestContext, what: Dispatch): PolicyDecision | undefined | Promise<PolicyDecision> {
    const { caller, view, request } = turn.inbound;
    const subject = what.subject as Subject;
    const isUnbound = !this.#policy.binds(caller.identity.grant) && !this.#policy.audit;
    if (!isUnbound || (subject.section === 'tools' && this.#policy.validatesArguments(subject.server))) {
      requireUniqueKeys(turn.params, hasArguments(what) ? isArguments : isNoEnvelope);
    }
    if (isUnbound) {
      this.#policy.requireFittingArguments(subject, argumentsOf(what));
      return undefined;
    }
    const admission = this.#open(caller, subject, what.method, argumentsOf(what), request.id);
    const { requestState, inputResponses } = turn.params;
    const goesOn =
      (requestState !== undefined || inputResponses !== undefined) &&
      this.continuations.take(
        {
          principal: caller.principal,
          digest: digestRequest(view.id, request.method, turn.params, caller.identity.grant),
        },
        requestState,
      );
    const letIn = (): PolicyDecision => {
      // Rounds of a call are part of it; and completing a word is no use of what it completes, whatever hooks ask for.
      if (goesOn || what.method === COMPLETION) {
        admission.need = undefined;
        admission.limits = [];
      }
      if (admission.args !== admission.given) {
        what.params = withArguments(what, admission.args);
        // They repeat arguments as they were.
        turn.call.paramHeaders = undefined;
      }
      return admission;
    };
    const decided = this.#decide(admission, askedName(turn, subject));
    return decided ? decided.then(letIn) : letIn();
  }

  /** Whether any name of this server is hidden from the caller, so that nothing may tell it from one nobody has. */
  keepsSecrets({ identity }: Pick<Caller, 'identity'>, member: Member): boolean {
    return this.#policy.hides(identity.grant, member.name);
  }

  /** A request for what is there, but not for this caller, which is told that nobody has it: written down as denied. */
  keptSecret({ caller, request }: RequestContext['inbound'], subject: Subject): void {
    if (!this.#policy.audit) return;
    const { params = {} } = request;
    const given = argumentsOf({ method: request.method, params });
    const admission = this.#open(caller, subject, request.method, given, request.id);
    const verdict = admission.plan.decide(given ?? {}, caller);
    const denial = verdict.effect === 'deny' && verdict.denial.hidden ? verdict.denial : UNSEEN;
    admission.conclude({ kind: 'error', error: new Denied(denial) });
  }

  /** Why a client may not hear of changes of this resource, which goes into the audit; undefined: it may. */
  refusesHearing({ caller, request }: RequestContext['inbound'], member: Member, original: string): Denied | undefined {
    const denial = this.#unheard(caller, member, original);
    if (!denial) return undefined;
    const error = new Denied(denial);
    if (this.#policy.audit) {
      const subject = subjectOfUri(member, original);
      const given = { uri: original };
      this.#open(caller, subject, request.method, given, request.id).conclude({ kind: 'error', error });
    }
    return error;
  }

  hears(caller: Caller, member: Member, original: string): boolean {
    return this.#unheard(caller, member, original) === undefined;
  }

  /** Why reading it is forbidden: always, or by a condition on its URI. */
  #unheard(caller: Caller, member: Member, original: string): Denial | undefined {
    const plan = this.#policy.planFor(caller.identity.grant, subjectOfUri(member, original));
    if (plan.denies) return plan.denies;
    const verdict = plan.decide({ uri: original }, caller);
    return verdict.effect === 'deny' ? verdict.denial : undefined;
  }

  /** The same for a call made inside another one: an agent asked through `callAgent`. */
  async judgeNested(outer: Call, route: Route, method: string, params: JsonObject): Promise<PolicyDecision> {
    const { agent: _, _meta, ...args } = params;
    const admission = this.#open(outer.caller, subjectOf('agents', route), method, args);
    if (method !== 'agents/describe') {
      await this.#decide(admission, route.exposed);
      return admission;
    }
    // Reading what it is: no arguments to judge, nothing to count and nobody to ask.
    if (admission.plan.denies) {
      const error = new Denied(admission.plan.denies);
      admission.conclude({ kind: 'error', error });
      throw error;
    }
    return admission;
  }

  /**
   * Whether a client's own notification may go to a server, as a method of the same name may. Nobody can be asked and
   * nobody is told: what is not simply allowed is dropped, and written down.
   */
  admitsNotification(caller: Caller, member: Member, { method, params }: Notification): boolean | Promise<boolean> {
    const subject = subjectNamed('methods', member, method);
    const plan = this.#policy.planFor(caller.identity.grant, subject);
    const verdict = plan.decide(params ?? {}, caller);
    const commit = (reserved: Held): boolean => {
      reserved.commit();
      return true;
    };
    const refuse = (error: unknown): boolean => {
      if (this.#policy.audit) this.#open(caller, subject, method, params).conclude({ kind: 'error', error });
      return false;
    };
    try {
      if (verdict.effect === 'deny') throw new Denied(verdict.denial);
      if (verdict.effect === 'approve') throw new Denied(unasked(verdict.need));
      const reserved = this.#policy.reserve(verdict.limits);
      if (reserved instanceof Promise) return reserved.then(commit, refuse);
      return commit(reserved);
    } catch (error) {
      return refuse(error);
    }
  }

  /** Called when what principals may see and do may have changed. */
  onChanged(listener: () => void): () => void {
    return this.#policy.onChanged(listener);
  }

  /** A server's notification outside any call, as this caller may see it; undefined: not at all. */
  screenOutside(
    caller: Caller,
    member: Member,
    sent: Notification,
  ): Notification | undefined | Promise<Notification | undefined> {
    const { hooks } = this.#policy;
    if (!hooks.has('notify', member.name)) return sent;
    return screenNote(hooks, { caller, subject: subjectNamed('methods', member, sent.method) }, sent);
  }

  // Of admissions

  get policyVersion(): string {
    return this.#policy.version;
  }

  screenNote(
    admission: PolicyDecision,
    sent: Notification,
  ): Notification | undefined | Promise<Notification | undefined> {
    return screenNote(this.#policy.hooks, admission, sent);
  }

  reserve(limits: readonly LimitUse[]): Held | Promise<Held> {
    return this.#policy.reserve(limits);
  }

  claim({ caller, subject, plan, given }: PolicyDecision, need: ApprovalNeed): Promise<{ release(): void }> {
    return this.#policy.claim(caller.principal, subject, plan, given, need);
  }

  question(admission: PolicyDecision, need: ApprovalNeed): JsonObject {
    return this.#policy.question(need, admission.subject, admission.plan, admission.given);
  }

  screen(admission: PolicyDecision, reply: Reply): Reply | Promise<Reply> {
    if (this.#policy.audit) admission.saw(reply);
    return admission.screensResults ? screenReply(this.#policy.hooks, admission, reply) : reply;
  }

  concluded(admission: PolicyDecision, outcome: Outcome): void {
    const { audit, hooks } = this.#policy;
    if (!audit) return;
    const record = auditRecord(audit.hasher, admission, outcome);
    audit.log?.write(record);
    const { caller, subject } = admission;
    if (hooks.has('audit', subject.server))
      hooks.observe(hookInput('audit', caller, subject, { record: { ...record } }));
  }

  #open(
    caller: Caller,
    subject: Subject,
    method: string,
    given: JsonObject | undefined,
    requestId?: RequestId,
  ): PolicyDecision {
    const plan = this.#policy.planFor(caller.identity.grant, subject);
    const admission = new PolicyDecision(this, { caller, subject, method, requestId, plan, given });
    const { hooks } = this.#policy;
    admission.screensResults = plan.redactsResult || hooks.has('call.after', subject.server);
    admission.screensNotes = hooks.has('notify', subject.server);
    return admission;
  }

  /** Undefined when it could be decided at once. `asked` is the name in the client's spelling. */
  #decide(admission: PolicyDecision, asked: string): Promise<void> | undefined {
    const denied = (error: unknown): never => {
      admission.conclude({ kind: 'error', error });
      throw error instanceof Denied && error.denial.hidden ? unknownName(admission.subject.section, asked) : error;
    };
    try {
      return decide(this.#policy, admission)?.catch(denied);
    } catch (error) {
      return denied(error);
    }
  }
}

/** Principals of one grant whose filters are kept. */
const MAX_FILTERS = 10_000;

const hasArguments = ({ method }: Pick<Dispatch, 'method'>): boolean =>
  method === 'tools/call' || method === 'prompts/get';

const isArguments = (name: string): boolean => name === 'arguments';
const isNoEnvelope = (name: string): boolean =>
  name !== '_meta' && name !== 'requestState' && name !== 'inputResponses';

/** What conditions see as `args`. */
function argumentsOf(what: Pick<Dispatch, 'method' | 'params'>): JsonObject | undefined {
  const { params } = what;
  if (hasArguments(what)) return isObject(params.arguments) ? params.arguments : undefined;
  const { _meta, requestState, inputResponses, ...rest } = params;
  return rest;
}

/** The params with other arguments. What a request is about stays as it was judged. */
function withArguments(what: Dispatch, args: JsonObject | undefined): JsonObject {
  const { params } = what;
  if (hasArguments(what)) return { ...params, arguments: args };
  const kept = ['_meta', 'requestState', 'inputResponses', 'uri', 'ref'].filter((key) => Object.hasOwn(params, key));
  return { ...args, ...Object.fromEntries(kept.map((key) => [key, params[key]])) };
}

/** Nobody waits for the answer to a notification, and nobody is asked about one. */
const unasked = ({ policy, rule }: ApprovalNeed): Denial => ({
  code: 'SWB_DENIED',
  policy,
  rule,
  reason: 'A person would have to approve this notification, and nobody can be asked about one.',
  hidden: false,
});

/** Kept from somebody by pinning, by a hook, or because the server is not theirs. */
const UNSEEN: Denial = {
  code: 'SWB_DENIED',
  policy: 'gateway',
  rule: HIDDEN,
  reason: 'It does not exist for this caller.',
  hidden: true,
};

/** What the client called it. */
function askedName({ inbound: { request }, params }: RequestContext, { section }: Subject): string {
  const named = isObject(params.ref) ? params.ref : params;
  return section === 'methods' ? request.method : String(section === 'resources' ? named.uri : named.name);
}
