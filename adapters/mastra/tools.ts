/**
 * `tools/call` for Mastra's tools.
 * @module
 */

import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Reply } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { WholeReply } from '../shared/origin.ts';
import { publicMessage } from '../shared/sanitize.ts';
import type { MastraApi } from './api.ts';
import { askApproval, requiresApproval } from './approval.ts';
import { errorText, expectObject, parseBody, refused } from './errors.ts';

/** Most argument errors reported, and how deep they are searched for. */
const MAX_PROBLEMS = 10;
const MAX_DEPTH = 16;

/**
 * Runs a tool, with a person's approval where it wants one. The tool's definition is read for each call: what decides
 * about approval is what the server would run now, not what it listed some time ago. Aborting the call closes its
 * connection, but a tool that runs is not stopped by that: Mastra's route gives it no signal.
 */
export async function callTool(
  api: MastraApi,
  guarded: ReadonlySet<string>,
  params: JsonObject,
  call: Call,
): Promise<Reply> {
  const name = params.name;
  if (typeof name !== 'string') throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.name must be a string.');
  const args = params.arguments ?? {};

  const found = await api.getFor(call, ['tools', name]);
  if (found.status === 404) throw unknownTool(api, name);
  const definition = expectObject(api.name, found);
  // Mastra finds a tool by its id and, failing that, by its key.
  const id = typeof definition.id === 'string' ? definition.id : name;
  if (guarded.has(id) || requiresApproval(definition)) {
    const verdict = await askApproval(call, `Server '${api.name}'`, name, args);
    if (verdict !== 'approved') return toolFailure(notApproved(name, verdict === 'declined', call));
  }
  const reply = await api.post(call, ['tools', name, 'execute'], { data: args });
  if (reply.status === 200 && reply.body.length === 0 && maySuspend(definition)) return toolFailure(suspended(name));
  return toolReply(api, name, reply);
}

/** Whether a tool may stop to ask for something. Its schemas for that are in no form that could be read. */
export const maySuspend = ({ resumeSchema, suspendSchema }: JsonObject): boolean =>
  resumeSchema !== undefined || suspendSchema !== undefined;

/** Mastra gives a tool that is executed by itself no way to ask: it ends with nothing (measured). */
export const suspended = (name: string): string =>
  `The tool '${name}' stopped to wait for an answer, which Mastra can ask for within an agent only: call an agent that has it.`;

const unknownTool = (api: MastraApi, name: string): SwitchboardError =>
  new SwitchboardError('SWB_UNKNOWN_TOOL', `Server '${api.name}' has no tool '${name}'.`);

export function notApproved(name: string, declined: boolean, call: Call): string {
  if (declined) return `The tool '${name}' was not run: a person declined it.`;
  return call.canAsk('elicitation/create')
    ? `The tool '${name}' was not run: it needs a person's approval, and the question was left without an answer.`
    : `The tool '${name}' was not run: it needs a person's approval, and this client cannot be asked (it does not support elicitation).`;
}

export const toolFailure = (text: string): Reply => ({ value: { content: [{ type: 'text', text }], isError: true } });

function toolReply(api: MastraApi, name: string, reply: WholeReply): Reply {
  if (reply.status === 404) throw unknownTool(api, name);
  // A tool that throws is a 500; one that cannot be executed a 400. Both are for the model to read.
  const text = reply.status === 200 ? undefined : errorText(reply);
  if (text !== undefined && (reply.status === 500 || reply.status === 400)) {
    return toolFailure(`The tool '${name}' failed: ${text}`);
  }
  if (reply.status !== 200) throw refused(api.name, reply);
  // A tool that returns nothing sends no body.
  if (reply.body.length === 0) return { value: { content: [] } };

  const result = parseBody(reply.body);
  if (result === undefined) {
    throw new SwitchboardError(
      'SWB_UPSTREAM_PROTOCOL',
      `Server '${api.name}' answered the tool '${name}' with something that is not JSON.`,
    );
  }
  if (typeof result === 'string') return { value: { content: [{ type: 'text', text: result }] } };
  const json = reply.body.toString('utf8');
  if (!isObject(result)) return { value: { content: [{ type: 'text', text: json }] } };
  if (result.error === true && isObject(result.validationErrors)) {
    return toolFailure(`Invalid arguments for '${name}': ${problems(result.validationErrors).join('; ')}`);
  }
  // The object goes on as the server wrote it: numbers beyond 2^53 would not survive being parsed and written again.
  const content = JSON.stringify([{ type: 'text', text: json }]);
  return { raw: Buffer.from(`{"content":${content},"structuredContent":${json}}`) };
}

/** Mastra's tree `{errors: string[], fields: {name: <the same>}}` as lines `path: what is wrong`. */
export function problems(tree: JsonObject, path = '', depth = 0): string[] {
  const own = Array.isArray(tree.errors) ? tree.errors : [];
  const found = own.map((error) => `${path || 'arguments'}: ${publicMessage(String(error))}`);
  for (const [key, field] of isObject(tree.fields) ? Object.entries(tree.fields) : []) {
    if (found.length >= MAX_PROBLEMS || depth === MAX_DEPTH) break;
    if (isObject(field)) found.push(...problems(field, path ? `${path}.${key}` : key, depth + 1));
  }
  return found.slice(0, MAX_PROBLEMS);
}
