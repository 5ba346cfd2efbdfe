/**
 * What a reader of an explanation should know beside the verdict.
 * @module
 */
import type { Member } from '../../federation/types.ts';
import type { Look } from '../../policy/counters/counters.ts';
import { limitDenial } from '../../policy/counters/denial.ts';
import type { ExplainedVerdict, ExplainRequest } from '../../policy/explanation.ts';
import type { Policy } from '../../policy/policy.ts';
import type { PolicyRequest } from './judgement.ts';

export interface Noted {
  policy: Policy;
  request: ExplainRequest;
  member: Member;
  matter: PolicyRequest;
  verdict: ExplainedVerdict;
  look: Look | undefined;
}

export function notesOn({ policy, request, member, matter, verdict, look }: Noted): string[] {
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
  if (verdict.effect === 'approve' && look?.refusal)
    notes.push(`A limit is reached too: once approved, the call is denied. ${limitDenial(look.refusal).reason}`);
  if (matter.limits.some(({ key }) => isOfSession(key)))
    notes.push('Limits of scope "session" are shown for a session that begins with this call.');
  return notes;
}

/** The second part of a count's key is the scope. */
const isOfSession = (key: string): boolean => (JSON.parse(key) as unknown[])[1] === 'session';
