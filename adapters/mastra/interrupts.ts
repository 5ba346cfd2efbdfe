/**
 * A waiting tool call as a client sees it: an elicitation now, or an interrupt to decide with a later call.
 * @module
 */

import type { Call } from '../../src/core/call.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { askApproval, askClient, shown } from './approval.ts';
import type { Continuation } from './options.ts';
import type { Pending } from './turn.ts';

/** What a form of an elicitation may ask for (2025-11-25 client/elicitation, "Requested Schema"). */
const FORM_TYPES: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean']);

/** Asks the client. Undefined when it cannot be asked, so that the run is left waiting. */
export async function decide(call: Call, who: string, pending: Pending): Promise<Continuation | undefined> {
  const { runId, toolCallId, toolName, args } = pending;
  if (pending.type === 'tool-approval') {
    const verdict = await askApproval(call, who, toolName, args);
    if (verdict === 'undecided') return undefined;
    return { action: verdict === 'approved' ? 'approve' : 'decline', runId, toolCallId };
  }
  const form = formOf(pending.schema);
  if (!form) return undefined;
  const says = pending.payload === undefined ? '' : `: ${shown(pending.payload)}`;
  const answer = await askClient(call, `${who} waits for input to the tool '${toolName}'${says}`, form);
  // A suspended tool has no form of "no"; the client decides with a later call what declining means.
  if (answer?.action !== 'accept' || !isObject(answer.content)) return undefined;
  return { action: 'resume', runId, toolCallId, data: answer.content };
}

/** The schema as an elicitation form, when it is one: a flat object of simple members. */
export function formOf(schema: JsonObject | undefined): JsonObject | undefined {
  if (schema?.type !== 'object' || !isObject(schema.properties)) return undefined;
  const members = Object.values(schema.properties);
  if (members.length === 0 || !members.every((member) => isObject(member) && FORM_TYPES.has(member.type))) {
    return undefined;
  }
  const required = Array.isArray(schema.required) ? { required: schema.required } : {};
  return { type: 'object', properties: schema.properties, ...required };
}

/** The interrupt in the result; `continueWith` holds the `options` of the call that decides it. */
export function interruptOf({ type, runId, toolCallId, toolName, args, payload, schema }: Pending): JsonObject {
  const ids = { runId, toolCallId };
  const interrupt: JsonObject = { type, toolName, toolCallId, runId, args };
  if (type === 'tool-approval') {
    interrupt.continueWith = [{ approve: ids }, { decline: ids }];
    return interrupt;
  }
  if (payload !== undefined) interrupt.payload = payload;
  if (schema) interrupt.schema = schema;
  interrupt.continueWith = [{ resume: { ...ids, data: 'what the tool waits for' } }];
  return interrupt;
}
