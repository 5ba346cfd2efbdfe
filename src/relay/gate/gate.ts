/**
 * The one gate in front of everything: tools, prompts, resources, agents, the gateway's own tools and methods nobody
 * knows, at every endpoint and in both eras. It asks the policy room and says what may go on, in the order of the design:
 * hidden or denied by default, conditions, argument schemas, hooks, approval; limits last, when the queue is next.
 * @module
 */
import type { Call, Caller, Reply } from '../../../adapters/adapter.ts';
import type { Member, Route, View } from '../../federation/types.ts';
import { Denied } from '../../policy/denied.ts';
import type { Policy } from '../../policy/policy.ts';
import type { ApprovalNeed, LimitUse, Subject } from '../../policy/types.ts';
import { SwitchboardError } from '../../wire/errors.ts';
import { isObject, type JsonObject, type Notification, type RequestId } from '../../wire/jsonrpc.ts';
import { digestRequest } from '../asks/request-state.ts';
import type { Dispatch } from '../dispatch.ts';
import type { Turn } from '../turn.ts';
import { Access } from './access.ts';
import { Admission, type AdmissionHost, type Held, type Outcome } from './admission.ts';
import { auditRecord } from './audit.ts';
import { Continuations } from './continuations.ts';
import { decide } from './judgement.ts';
import { hookInput, screenNote, screenReply } from './screening.ts';
import { subjectNamed, subjectOf } from './subjects.ts';

export class Gate implements AdmissionHost {
  readonly continuations = new Continuations();
  readonly #policy: Policy;
  readonly #access = new Map<string, Access>();

  constructor(policy: Policy) {
    this.#policy = policy;
    policy.onChanged(() => {
      for (const principal of this.#access.keys()) if (!policy.isPrincipal(principal)) this.#access.delete(principal);
    });
  }

  /** Whether anything may be hidden from or forbidden to this caller. */
  binds({ principal }: Pick<Caller, 'principal'>): boolean {
    return this.#policy.binds(principal);
  }

  /** The view as this principal may know it. */
  viewFor(principal: string, view: View): View {
    if (!this.#policy.binds(principal)) return view;
    let access = this.#access.get(principal);
    if (!access) {
      access = new Access(this.#policy, principal);
      this.#access.set(principal, access);
    }
    return view.restricted(access);
  }

  /** Lets a client's request in, or throws {@link Denied}. What hooks and redaction make of its arguments goes into `what`. */
  judge(turn: Turn, what: Dispatch): Admission | Promise<Admission> {
    const { caller, view, request } = turn.inbound;
    const subject = what.subject as Subject;
    const admission = this.#open(caller, subject, what.method, argumentsOf(what), request.id);
    const { requestState, inputResponses } = turn.params;
    const goesOn =
      (requestState !== undefined || inputResponses !== undefined) &&
      this.continuations.take(
        { principal: caller.principal, digest: digestRequest(view.id, request.method, turn.params) },
        requestState,
      );
    const letIn = (): Admission => {
      // Rounds of a call are part of it; and completing a word is no use of what it completes.
      if (goesOn || what.method === 'completion/complete') {
        admission.need = undefined;
        admission.limits = [];
      }
      if (admission.args !== admission.given && 'arguments' in what.params) {
        what.params = { ...what.params, arguments: admission.args };
        // They repeat arguments as they were.
        turn.call.paramHeaders = undefined;
      }
      return admission;
    };
    const decided = this.#decide(admission);
    return decided ? decided.then(letIn) : letIn();
  }

  /** The same for a call made inside another one: an agent asked through `callAgent`. */
  async judgeNested(outer: Call, route: Route, method: string, params: JsonObject): Promise<Admission> {
    const { agent: _, _meta, ...args } = params;
    const admission = this.#open(outer.caller, subjectOf('agents', route), method, args);
    await this.#decide(admission);
    if (method === 'agents/describe') {
      admission.need = undefined;
      admission.limits = [];
    }
    return admission;
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

  screenNote(admission: Admission, sent: Notification): Notification | undefined | Promise<Notification | undefined> {
    return screenNote(this.#policy.hooks, admission, sent);
  }

  reserve(limits: readonly LimitUse[]): Held {
    return this.#policy.reserve(limits);
  }

  claim({ caller, subject, plan, given }: Admission, need: ApprovalNeed): Promise<{ release(): void }> {
    return this.#policy.claim(caller.principal, subject, plan, given, need);
  }

  question(admission: Admission, need: ApprovalNeed): JsonObject {
    return this.#policy.question(need, admission.subject, admission.plan, admission.given);
  }

  screen(admission: Admission, reply: Reply): Reply | Promise<Reply> {
    if (this.#policy.audit) admission.saw(reply);
    return admission.screensResults ? screenReply(this.#policy.hooks, admission, reply) : reply;
  }

  concluded(admission: Admission, outcome: Outcome): void {
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
  ): Admission {
    const plan = this.#policy.planFor(caller.principal, subject);
    const admission = new Admission(this, { caller, subject, method, requestId, plan, given });
    const { hooks } = this.#policy;
    admission.screensResults = plan.redactsResult || hooks.has('call.after', subject.server);
    admission.screensNotes = hooks.has('notify', subject.server);
    return admission;
  }

  /** Undefined when it could be decided at once. */
  #decide(admission: Admission): Promise<void> | undefined {
    const denied = (error: unknown): never => {
      admission.conclude({ kind: 'error', error });
      throw error instanceof Denied && error.denial.hidden ? unknownName(admission.subject) : error;
    };
    try {
      return decide(this.#policy, admission)?.catch(denied);
    } catch (error) {
      return denied(error);
    }
  }
}

/** What conditions see as `args`. */
function argumentsOf({ method, params }: Dispatch): JsonObject | undefined {
  if (method === 'tools/call' || method === 'prompts/get')
    return isObject(params.arguments) ? params.arguments : undefined;
  const { _meta, requestState, inputResponses, ...rest } = params;
  return rest;
}

/** One person decides once, for documents and hooks: whoever may decide for both, in the shorter time. */
function bothNeeds(documents: ApprovalNeed | undefined, hooks: ApprovalNeed): ApprovalNeed {
  if (!documents) return hooks;
  return {
    ...documents,
    reason: `${documents.reason} ${hooks.reason}`,
    timeoutMs: Math.min(documents.timeoutMs, hooks.timeoutMs),
    approver: documents.approver === 'operator' ? 'operator' : hooks.approver,
  };
}

const UNKNOWN = {
  tools: ['SWB_UNKNOWN_TOOL', 'tool'],
  prompts: ['SWB_UNKNOWN_PROMPT', 'prompt'],
  resources: ['SWB_UNKNOWN_RESOURCE', 'resource'],
  agents: ['SWB_UNKNOWN_AGENT', 'agent'],
  methods: ['SWB_METHOD_NOT_FOUND', 'method'],
} as const;

/** As for a name nobody has. */
export function unknownName({ section, namespaced }: Pick<Subject, 'section' | 'namespaced'>): SwitchboardError {
  const [code, noun] = UNKNOWN[section];
  return new SwitchboardError(code, `Unknown ${noun}: '${namespaced}'. List the ${noun}s to see what there is.`);
}
