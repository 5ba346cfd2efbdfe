/**
 * Workflows as catalog entries: a tool each, and one that goes on with those that wait.
 * @module
 */
import type { Call } from '../../src/core/call.ts';
import type { Entry } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { readableId } from '../shared/names.ts';
import type { MastraApi } from './api.ts';
import { definitions, objectSchema, readSchema } from './catalog.ts';
import { parseBody } from './errors.ts';

export interface WorkflowTool {
  /** The tool's name: `workflow-` and the workflow's id. */
  name: string;
  /** The workflow's own id. */
  workflow: string;
  entry: Entry;
  canSuspend: boolean;
}

const PREFIX = 'workflow-';

/** By the name of the tool. Workflows that Mastra makes for its own processors are none. */
export function workflowTools(listing: JsonObject): Map<string, WorkflowTool> {
  const tools = new Map<string, WorkflowTool>();
  for (const [workflow, definition] of definitions(listing)) {
    if (definition.isProcessorWorkflow === true || /^\.{0,2}$/.test(workflow)) continue;
    const inputSchema = objectSchema(readSchema(definition.inputSchema) ?? {});
    if (!inputSchema) continue;
    const name = `${PREFIX}${readableId(workflow)}`;
    const value: JsonObject = { name, inputSchema };
    const { name: title, description } = definition;
    if (typeof title === 'string' && title !== '') value.title = title.slice(0, 200);
    const about =
      typeof description === 'string' && description !== '' ? description : `Runs the workflow ${workflow}.`;
    const canSuspend = Object.values(isObject(definition.allSteps) ? definition.allSteps : {}).some(
      (step) => isObject(step) && step.resumeSchema !== undefined,
    );
    value.description = canSuspend ? `${about}\n\nIt may stop to wait for a person.` : about;
    const output = readSchema(definition.outputSchema);
    if (output?.type === 'object') value.outputSchema = output;
    value.annotations = { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true };
    tools.set(name, { name, workflow, canSuspend, entry: { key: name, value, lasts: true } });
  }
  return tools;
}

/** None where the server has no such route. */
export async function listWorkflows(api: MastraApi, signal: AbortSignal): Promise<Map<string, WorkflowTool>> {
  const reply = await api.get(['workflows'], signal);
  const listing = reply.status === 200 ? parseBody(reply.body) : undefined;
  return isObject(listing) ? workflowTools(listing) : new Map();
}

export const resumeEntry = (name: string): Entry => ({
  key: name,
  lasts: true,
  value: {
    name,
    title: 'Go on with a workflow',
    description:
      'Goes on with a run of a workflow that waits for a person. Without a runId: the runs that wait for you, with their steps.',
    inputSchema: {
      type: 'object',
      properties: {
        workflow: { type: 'string', description: 'The workflow.' },
        runId: { type: 'string', description: 'The run that waits.' },
        step: { type: 'string', description: 'The step that waits, where several do.' },
        data: { description: 'What the step waits for.' },
      },
    },
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  },
});

/** What the steps of a workflow wait for, by step. */
export async function resumeSchemas(api: MastraApi, workflow: string, call: Call): Promise<Map<string, JsonObject>> {
  const reply = await api.getFor(call, ['workflows', workflow]);
  const definition = reply.status === 200 ? parseBody(reply.body) : undefined;
  const schemas = new Map<string, JsonObject>();
  const steps = isObject(definition) && isObject(definition.allSteps) ? definition.allSteps : {};
  for (const [step, { resumeSchema }] of definitions(steps)) {
    const schema = readSchema(resumeSchema);
    if (schema) schemas.set(step, schema);
  }
  return schemas;
}
