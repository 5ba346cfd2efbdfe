/**
 * Errors of the Responses API as the gateway's own: `{"error": {message, type, code}}`, made public first.
 * @module
 */
import { type ErrorCode, SwitchboardError } from '../../src/core/errors.ts';
import { parseText } from '../../src/wire/json/parse.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { WholeReply } from '../shared/origin.ts';
import { publicMessage } from '../shared/sanitize.ts';
import { statusFailure } from '../shared/status.ts';

/** The error for a status that is no success. */
export function httpFailure(name: string, reply: WholeReply): SwitchboardError {
  const { status } = reply;
  const says = saidBy(jsonOf(reply.body));
  const own = (code: ErrorCode, what: string): SwitchboardError =>
    new SwitchboardError(code, `${what}${says === undefined ? '.' : `: ${says}`}`, { data: { status } });
  if (status === 400 || status === 404 || status === 413 || status === 422) {
    return own('SWB_INVALID_PARAMS', `Server '${name}' refused the request (HTTP ${status})`);
  }
  if (status === 500) return own('SWB_AGENT_FAILED', `An agent of server '${name}' failed`);
  return statusFailure(name, reply, says);
}

/** The error of a response that failed, or of an `error` event. */
export function agentFailure(agent: string, error: unknown): SwitchboardError {
  const says = saidBy({ error }) ?? 'no reason given';
  return new SwitchboardError('SWB_AGENT_FAILED', `Agent '${agent}' failed: ${says}`);
}

/** The public text of `{error: "…"}`, `{error: {message}}` or `{message}`. */
function saidBy(body: unknown): string | undefined {
  if (!isObject(body)) return undefined;
  const { error = body } = body as JsonObject & { error?: unknown };
  const said = isObject(error) ? error.message : error;
  return typeof said === 'string' && said !== '' ? publicMessage(said) : undefined;
}

export const notResponses = (name: string): SwitchboardError =>
  new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' does not answer like the Responses API.`);

export const brokeOff = (name: string): SwitchboardError =>
  new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${name}' broke off while the agent was answering.`);

export const tooLarge = (bytes: number): SwitchboardError =>
  new SwitchboardError('SWB_REPLY_TOO_LARGE', `The agent's events are over ${bytes} bytes in total.`);

/** Undefined for what is no JSON. */
export function jsonOf(body: Buffer): unknown {
  try {
    return parseText(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
