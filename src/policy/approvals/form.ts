/**
 * The elicitation that asks the person at the client for an approval, and how its result is read. Form mode, as
 * 2025-06-18, 2025-11-25 and 2026-07-28 all have it: no `mode` (the default is form), a boolean and a text.
 * @module
 */

import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { PolicySection } from '../language/types.ts';
import type { ApprovalNeed, Subject } from '../types.ts';
import { oneLine, shownJson } from './shown.ts';

const MAX_NAME = 200;
const MAX_REASON = 500;
const MAX_ARGUMENT_BYTES = 4 * 1024;

const KINDS: Readonly<Record<PolicySection, string>> = {
  tools: 'Tool',
  prompts: 'Prompt',
  resources: 'Resource',
  agents: 'Agent',
  methods: 'Method',
};

/** Params of `elicitation/create`. `shownArguments` are the arguments as people may see them. */
export function approvalForm(
  need: ApprovalNeed,
  subject: Pick<Subject, 'server' | 'section' | 'name' | 'builtin'>,
  shownArguments: unknown,
): JsonObject {
  const { text, shortened } = shownJson(shownArguments, MAX_ARGUMENT_BYTES);
  const lines = [
    'Allow this call, once?',
    subject.builtin ? 'Server: the gateway itself' : `Server: ${quoted(subject.server)}`,
    `${KINDS[subject.section]}: ${quoted(subject.name)}`,
    `Reason: ${oneLine(need.reason, MAX_REASON)}`,
    // Last: they are the agent's own words, and nothing after them could be believed.
    `Arguments${shortened ? ' (shortened)' : ''}: ${text}`,
  ];
  return {
    message: lines.join('\n'),
    requestedSchema: {
      type: 'object',
      properties: {
        approve: { type: 'boolean', title: 'Approve', description: 'Let this call go through, once.', default: false },
        reason: { type: 'string', title: 'Reason', description: 'What the caller is told.', maxLength: MAX_REASON },
      },
      required: ['approve'],
    },
  };
}

/** In quotation marks that the text cannot end by itself. */
const quoted = (text: string): string => JSON.stringify(oneLine(text, MAX_NAME));

export interface ApprovalAnswer {
  /** `cancel`: the person dismissed the form. */
  effect: 'approve' | 'deny' | 'cancel';
  reason: string | undefined;
}

/** Reads the result of `elicitation/create`. Only an accepted form with `approve: true` approves. */
export function readApprovalAnswer(result: unknown): ApprovalAnswer {
  if (!isObject(result)) return { effect: 'deny', reason: undefined };
  if (result.action === 'cancel') return { effect: 'cancel', reason: undefined };
  const content = isObject(result.content) ? result.content : {};
  const text = typeof content.reason === 'string' ? oneLine(content.reason, MAX_REASON) : '';
  const approved = result.action === 'accept' && Object.hasOwn(content, 'approve') && content.approve === true;
  return { effect: approved ? 'approve' : 'deny', reason: text === '' ? undefined : text };
}
