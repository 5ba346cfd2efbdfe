/**
 * Decides which tools need a person's approval, and asks for it by elicitation.
 *
 * POST /api/tools/{id}/execute runs any tool without approval (measured), so the gate for direct calls is here. What
 * the API shows of a tool (measured, core 1.71): `requireApproval: true` always, `false` never, and no such member when
 * it is a function of the arguments, or when the tool was not made by Mastra's `createTool`. Only an explicit `false`
 * lets a tool run unasked.
 * @module
 */

import type { Call } from '../../src/core/call.ts';
import { shorten } from '../../src/core/text.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { definitions } from './catalog.ts';

/** Arguments are shown up to this many characters. */
const MAX_SHOWN = 1_000;

export function requiresApproval(tool: JsonObject): boolean {
  return tool.requireApproval !== false || (tool.needsApproval !== undefined && tool.needsApproval !== false);
}

/** Ids of tools that some agent runs only with approval: direct calls need approval then, too. */
export function guardedTools(agents: JsonObject): Set<string> {
  const guarded = new Set<string>();
  for (const [, agent] of definitions(agents)) {
    const everyTool = isObject(agent.defaultOptions) && agent.defaultOptions.requireToolApproval === true;
    for (const [key, tool] of isObject(agent.tools) ? definitions(agent.tools) : []) {
      if (everyTool || requiresApproval(tool)) guarded.add(typeof tool.id === 'string' ? tool.id : key);
    }
  }
  return guarded;
}

/** Ids of tools in the server's own list that need a person's approval. */
export const ownGuards = (tools: JsonObject): Set<string> =>
  new Set(
    definitions(tools)
      .filter(([, tool]) => requiresApproval(tool))
      .map(([key, tool]) => (typeof tool.id === 'string' ? tool.id : key)),
  );

/** `undecided`: the client cannot be asked, or the person closed the form without a decision. */
export type Verdict = 'approved' | 'declined' | 'undecided';

/** Asks the client whether a tool may run with these arguments. `who` starts the sentence: "Agent 'x' of server 'y'". */
export async function askApproval(call: Call, who: string, tool: string, args: unknown): Promise<Verdict> {
  const answer = await askClient(call, `${who} wants to run the tool '${tool}' with ${shown(args)}. Approve?`, {
    type: 'object',
    properties: {
      approve: { type: 'boolean', title: 'Approve', description: `Let '${tool}' run with these arguments` },
    },
    required: ['approve'],
  });
  if (!answer || answer.action === 'cancel') return 'undecided';
  const content = isObject(answer.content) ? answer.content : {};
  return answer.action === 'accept' && content.approve === true ? 'approved' : 'declined';
}

/** The client's answer to a form, or undefined when it cannot be asked. Rejects when the call is aborted meanwhile. */
export async function askClient(
  call: Call,
  message: string,
  requestedSchema: JsonObject,
): Promise<JsonObject | undefined> {
  if (!call.canAsk('elicitation/create')) return undefined;
  try {
    return await call.ask({ method: 'elicitation/create', params: { message, requestedSchema } });
  } catch (error) {
    if (call.aborted) throw error;
    return undefined;
  }
}

/** Arguments for a person to read: on one line, bounded, without characters that hide or reorder text. */
export function shown(args: unknown): string {
  const json = (JSON.stringify(args) ?? 'no arguments').replace(
    /[\p{Cf}\u2028\u2029]/gu,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return shorten(json, MAX_SHOWN, `… (${json.length - MAX_SHOWN} more characters are not shown)`);
}
