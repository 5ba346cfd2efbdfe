/**
 * What is looked at on its way back: replies and notifications, by the documents' `redact` and by hooks. Bytes that
 * nothing was changed in are passed on as they came.
 * @module
 */

import type { Caller } from '../../core/caller.ts';
import type { Reply } from '../../core/upstream.ts';
import { Denied } from '../../policy/denied.ts';
import type { HookInput } from '../../policy/hooks/contract.ts';
import type { Hooks } from '../../policy/hooks/hooks.ts';
import { HOOKS_POLICY, type HookOutcome, type WouldHave } from '../../policy/hooks/outcome.ts';
import type { HookPhase, PolicySection } from '../../policy/language/types.ts';
import type { Denial, Subject } from '../../policy/types.ts';
import type { JsonObject, Notification } from '../../wire/jsonrpc.ts';
import type { PolicyDecision } from './admission.ts';

export const HOOK_KIND: Readonly<Record<PolicySection, HookInput['kind']>> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  agents: 'agent',
  methods: 'method',
};

/** Whom and what a hook is asked about. */
export function hookInput(phase: HookPhase, caller: Caller, subject: Subject, seen: Partial<HookInput>): HookInput {
  return {
    phase,
    principal: caller.principal,
    grant: caller.identity.grant,
    session: caller.sessionId ?? caller.key,
    server: subject.server,
    kind: HOOK_KIND[subject.section],
    name: subject.name,
    namespaced: subject.namespaced,
    ...seen,
  };
}

/** What a hook in shadow mode would have done, beside what documents in shadow mode would have. */
export const shadowOf = (would: readonly WouldHave[]): Denial[] =>
  would.map(({ rule, reason }) => ({
    code: 'SWB_DENIED',
    policy: HOOKS_POLICY,
    rule,
    reason: reason ?? '',
    hidden: false,
  }));

/** Throws {@link Denied} when a hook does not let the result through. */
export function screenReply(hooks: Hooks, admission: PolicyDecision, reply: Reply): Reply | Promise<Reply> {
  if ('inputRequired' in reply) return reply;
  const { plan, caller, subject, args } = admission;
  const sent: unknown = 'value' in reply ? reply.value : JSON.parse(reply.raw.toString('utf8'));
  const redacted = plan.redactsResult ? plan.redactResult(sent) : sent;
  const pass = (seen: unknown): Reply => {
    if (seen === sent) return reply;
    return 'value' in reply ? { value: seen as JsonObject } : { raw: Buffer.from(JSON.stringify(seen)) };
  };
  if (!hooks.has('call.after', subject.server)) return pass(redacted);
  const apply = (outcome: HookOutcome): Reply => {
    admission.shadow.push(...shadowOf(outcome.shadow));
    if (outcome.effect === 'deny') throw new Denied(outcome.denial);
    const { changes } = outcome;
    return pass(changes && 'result' in changes ? changes.result : redacted);
  };
  const input = hookInput('call.after', caller, subject, { ...(args ? { args } : {}), result: redacted });
  const outcome = hooks.run(input);
  return outcome instanceof Promise ? outcome.then(apply) : apply(outcome);
}

/** Undefined when a hook does not let the notification through. */
export function screenNote(
  hooks: Hooks,
  { caller, subject }: { caller: Caller; subject: Subject },
  sent: Notification,
): Notification | undefined | Promise<Notification | undefined> {
  if (!hooks.has('notify', subject.server)) return sent;
  const apply = (outcome: HookOutcome): Notification | undefined => {
    if (outcome.effect === 'deny') return undefined;
    const params = outcome.changes?.params;
    return params === undefined ? sent : { ...sent, params };
  };
  const notification = { method: sent.method, ...(sent.params === undefined ? {} : { params: sent.params }) };
  const outcome = hooks.run(hookInput('notify', caller, subject, { notification }));
  return outcome instanceof Promise ? outcome.then(apply) : apply(outcome);
}
