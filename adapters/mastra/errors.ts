/**
 * Converts Mastra's error replies. They are `{"error": "…"}`, with `issues` for a malformed body; the text is the message
 * of what was thrown, so only its first line is passed on, without paths, addresses and secrets.
 * @module
 */
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { WholeReply } from '../shared/origin.ts';
import { publicMessage } from '../shared/sanitize.ts';
import { statusFailure } from '../shared/status.ts';

/** Most field errors reported. */
const MAX_ISSUES = 5;

/** The JSON of a body, or undefined when it is none. */
export function parseBody(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The public text of an error reply; undefined when it has none (a proxy's page, for example). */
export function errorText(reply: WholeReply): string | undefined {
  const body = parseBody(reply.body);
  if (!isObject(body)) return undefined;
  const said = isObject(body.error) ? body.error.message : body.error;
  if (typeof said !== 'string') return undefined;
  const issues = Array.isArray(body.issues) ? body.issues.slice(0, MAX_ISSUES).map(issueText) : [];
  return publicMessage([said, ...issues].join('; '));
}

function issueText(issue: unknown): string {
  if (!isObject(issue)) return '';
  return `${String(issue.field)}: ${String(issue.message)}`;
}

/** The error for a reply that is no success, whatever was asked. */
export const refused = (name: string, reply: WholeReply): SwitchboardError =>
  statusFailure(name, reply, errorText(reply));

/** The error for a reply to an agent request that is no success. */
export function agentRefused(name: string, agent: string, reply: WholeReply): SwitchboardError {
  const text = errorText(reply);
  if (text === undefined) return refused(name, reply);
  const { status } = reply;
  if (status === 404) {
    return new SwitchboardError('SWB_UNKNOWN_AGENT', `Server '${name}' has no agent '${agent}'.`);
  }
  // A 403 may be about the thread (it belongs to another resource) rather than about the gateway.
  const aboutMemory = status === 403 && /thread|resource/i.test(text);
  if (status === 400 || status === 422 || aboutMemory) {
    return new SwitchboardError('SWB_INVALID_PARAMS', `Server '${name}' refused the call of agent '${agent}': ${text}`);
  }
  if (status !== 500) return refused(name, reply);
  if (/could not find a suspended run/i.test(text)) {
    return new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `Agent '${agent}' of server '${name}' has no such run waiting: it was decided already, or the run id is wrong.`,
    );
  }
  return agentFailed(name, agent, text);
}

/** `text` must be fit for a client already. */
export function agentFailed(name: string, agent: string, text: string, data: JsonObject = {}): SwitchboardError {
  return new SwitchboardError('SWB_AGENT_FAILED', `Agent '${agent}' of server '${name}' failed: ${text}`, { data });
}

/** Parses a success that must be a JSON object. */
export function expectObject(name: string, reply: WholeReply): JsonObject {
  if (reply.status !== 200) throw refused(name, reply);
  const body = parseBody(reply.body);
  if (isObject(body)) return body;
  throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' does not answer like a Mastra server.`);
}
