/**
 * What a waiting tool call is to a client: a question it can be asked now, or an interrupt it can decide later.
 * @module
 */

import type { Call } from '../../src/core/call.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { askApproval, askClient, shown } from './approval.ts';
import type { Continuation } from './options.ts';
import type { Pending } from './turn.ts';

/** What a form of an elicitation may ask for (2025-11-25 client/elicitation, "Requested Schema"). */
const FORM_TYPES: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean']);

/** Asks the client, if it can be asked this; undefined when the run must be left waiting. */
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
  // A tool that asked has no way to hear "no": what declining means is for the client to say, later.
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
