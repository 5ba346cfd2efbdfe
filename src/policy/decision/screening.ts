/**
 * Screens what comes back from servers, replies and notifications, by the `redact` of documents and by hooks. Bytes stay
 * the same bytes when nothing was changed in them.
 * @module
 */

import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import { parseText } from '../../wire/json/parse.ts';
import type { JsonObject, Notification } from '../../wire/jsonrpc.ts';
import { Denied } from '../denied.ts';
import type { Plan } from '../engine/plan.ts';
import type { HookInput } from '../hooks/contract.ts';
import type { Hooks } from '../hooks/hooks.ts';
import { HOOKS_POLICY, type HookOutcome, type WouldHave } from '../hooks/outcome.ts';
import type { HookPhase, PolicySection } from '../language/types.ts';
import type { Denial, Subject } from '../types.ts';
import type { Screened } from './notification-order.ts';

export const HOOK_KIND: Readonly<Record<PolicySection, HookInput['kind']>> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  agents: 'agent',
  methods: 'method',
};

/** The input of a hook: the caller, the subject, and what the phase shows. */
export function hookInput(
  phase: HookPhase,
  caller: Caller,
  subject: Pick<Subject, 'server' | 'section' | 'name' | 'namespaced'>,
  shown: Partial<HookInput>,
): HookInput {
  return {
    phase,
    principal: caller.principal,
    grant: caller.identity.grant,
    session: caller.sessionId ?? caller.key,
    server: subject.server,
    kind: HOOK_KIND[subject.section],
    name: subject.name,
    namespaced: subject.namespaced,
    ...shown,
  };
}

/** What hooks in shadow mode would have done, in the form of denials. */
export const shadowOf = (would: readonly WouldHave[]): Denial[] =>
  would.map(({ rule, reason }) => ({
    code: 'SWB_DENIED',
    policy: HOOKS_POLICY,
    rule,
    reason: reason ?? '',
    hidden: false,
  }));

/** The call a reply belongs to. */
export interface ScreenedCall {
  readonly caller: Caller;
  readonly subject: Subject;
  readonly plan: Plan;
  readonly args: JsonObject | undefined;
  readonly shadow: Denial[];
}

/** Throws {@link Denied} when a hook denies the result, and `SWB_REPLY_TOO_LARGE` when it nests too deep to be looked at. */
export function screenReply(hooks: Hooks, call: ScreenedCall, reply: Reply): Reply | Promise<Reply> {
  try {
    return screen(hooks, call, reply);
  } catch (error) {
    // Redaction and JSON.stringify recurse; results pass through the gateway at any depth.
    if (!(error instanceof RangeError)) throw error;
    const message = 'The result is nested too deep to be screened, so that it is not passed on.';
    throw new SwitchboardError('SWB_REPLY_TOO_LARGE', message, { cause: error });
  }
}

function screen(hooks: Hooks, call: ScreenedCall, reply: Reply): Reply | Promise<Reply> {
  if ('inputRequired' in reply) return reply;
  const { plan, caller, subject, args } = call;
  const sent: unknown = 'value' in reply ? reply.value : parseText(reply.raw.toString('utf8'));
  const redacted = plan.redactsResult ? plan.redactResult(sent) : sent;
  const replyWith = (result: unknown): Reply => {
    if (result === sent) return reply;
    return 'value' in reply ? { value: result as JsonObject } : { raw: Buffer.from(JSON.stringify(result)) };
  };
  if (!hooks.has('call.after', subject.server)) return replyWith(redacted);
  const apply = (outcome: HookOutcome): Reply => {
    call.shadow.push(...shadowOf(outcome.shadow));
    if (outcome.effect === 'deny') throw new Denied(outcome.denial);
    const { changes } = outcome;
    return replyWith(changes && 'result' in changes ? changes.result : redacted);
  };
  const outcome = hooks.run(hookInput('call.after', caller, subject, { ...(args ? { args } : {}), result: redacted }));
  return outcome instanceof Promise ? outcome.then(apply) : apply(outcome);
}

/** The notification as hooks of `notify` let the caller see it. */
export function screenNotification(
  hooks: Hooks,
  { caller, subject }: Pick<ScreenedCall, 'caller' | 'subject'>,
  sent: Notification,
): Screened | Promise<Screened> {
  if (!hooks.has('notify', subject.server)) return sent;
  const apply = (outcome: HookOutcome): Screened => {
    if (outcome.effect === 'deny') return undefined;
    const params = outcome.changes?.params;
    return params === undefined ? sent : { ...sent, params };
  };
  const notification = { method: sent.method, ...(sent.params === undefined ? {} : { params: sent.params }) };
  const outcome = hooks.run(hookInput('notify', caller, subject, { notification }));
  return outcome instanceof Promise ? outcome.then(apply) : apply(outcome);
}
