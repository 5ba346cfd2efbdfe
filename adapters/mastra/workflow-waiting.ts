/**
 * Runs of workflows that wait for a person, as the server has them: a caller who lost the answer that named one finds it again. Whose
 * a run is stands in its `resourceId`.
 * @module
 */
import type { Call } from '../../src/core/call.ts';
import type { Reply } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { MastraApi } from './api.ts';
import { shown } from './approval.ts';
import { parseBody } from './errors.ts';
import { ownResource } from './options.ts';
import type { WorkflowTool } from './workflow-catalog.ts';

/** A step that waits. */
export interface Suspended {
  step: string;
  payload: unknown;
}

/** Of one workflow. */
const MAX_RUNS = 20;
const MAX_WORKFLOWS = 50;

/** The steps of a run that wait, as the route of the run shows them. */
export function suspendedIn({ steps }: JsonObject): Suspended[] {
  return (isObject(steps) ? Object.entries(steps) : []).flatMap(([step, state]) =>
    isObject(state) && state.status === 'suspended' ? [{ step, payload: state.suspendPayload }] : [],
  );
}

/** The run where it waits and is of the caller's principal. */
export async function ownWaitingRun(
  api: MastraApi,
  workflow: string,
  runId: string,
  call: Call,
): Promise<JsonObject | undefined> {
  const reply = await api.getFor(call, ['workflows', workflow, 'runs', runId], 'withNestedWorkflows=false');
  const run = reply.status === 200 ? parseBody(reply.body) : undefined;
  const isOwn = isObject(run) && run.status === 'suspended' && run.resourceId === ownResource(call.caller.principal);
  return isOwn ? run : undefined;
}

/** What waits for this caller, as the result of a tool. */
export async function listWaiting(api: MastraApi, workflows: readonly WorkflowTool[], call: Call): Promise<Reply> {
  const waiting: { workflow: string; runId: string; steps: Suspended[] }[] = [];
  for (const { workflow } of workflows.filter(({ canSuspend }) => canSuspend).slice(0, MAX_WORKFLOWS)) {
    for (const runId of await suspendedRuns(api, workflow, call)) {
      const run = await ownWaitingRun(api, workflow, runId, call);
      if (run) waiting.push({ workflow, runId, steps: suspendedIn(run) });
    }
  }
  const lines = waiting.map(({ workflow, runId, steps }) => {
    const at = steps.map(({ step, payload }) => `step ${step}${payload === undefined ? '' : `: ${shown(payload)}`}`);
    return `- workflow ${workflow}, run ${runId}, ${at.join('; ')}`;
  });
  const text =
    waiting.length === 0
      ? 'No run of a workflow waits for you.'
      : ['These runs wait for a person:', ...lines, 'To go on, give workflow, runId, step and data.'].join('\n');
  return { value: { content: [{ type: 'text', text }], structuredContent: { waiting } } };
}

async function suspendedRuns(api: MastraApi, workflow: string, call: Call): Promise<string[]> {
  const resource = encodeURIComponent(ownResource(call.caller.principal));
  const query = `status=suspended&resourceId=${resource}&page=0&perPage=${MAX_RUNS}`;
  const reply = await api.getFor(call, ['workflows', workflow, 'runs'], query);
  const body = reply.status === 200 ? parseBody(reply.body) : undefined;
  const runs = isObject(body) && Array.isArray(body.runs) ? body.runs : [];
  return runs.flatMap((run) => (isObject(run) && typeof run.runId === 'string' ? [run.runId] : []));
}
