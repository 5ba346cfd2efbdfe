/**
 * `getRun` and `cancelRun`: follow and end what `callAgent` began in the background, or what became a task.
 * @module
 */
import { z } from 'zod';
import { SwitchboardError } from '../core/errors.ts';
import { line } from '../core/text.ts';
import type { RunRecord } from '../relay/runs/stored-runs.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { defineTool, type ToolContext } from './tool.ts';

export const runStatus = z.enum(['working', 'input_required', 'completed', 'failed', 'cancelled']);

const run = z.object({
  run: z.string().meta({ description: 'Its id.' }),
  agent: z.string().optional().meta({ description: '`server/agent`, once its server has begun it.' }),
  status: runStatus,
  message: z.string().optional().meta({ description: 'The last progress, or why it failed.' }),
  createdAt: z.string().meta({ description: 'ISO 8601.' }),
  updatedAt: z.string(),
  result: z
    .record(z.string(), z.unknown())
    .optional()
    .meta({ description: 'What callAgent would have answered, once it has ended.' }),
  error: z.record(z.string(), z.unknown()).optional().meta({ description: 'Why it failed, for programs.' }),
});

type Shown = z.input<typeof run>;

const runId = () => z.string().min(1).max(100).meta({ description: 'The id that callAgent gave, or that of a task.' });

/** Most milliseconds that one `getRun` waits: clients give up a call after about a minute. */
const MAX_WAIT_MS = 30_000;

export const getRun = defineTool({
  name: 'getRun',
  title: 'Look at a run',
  description:
    'How a run of an agent stands that callAgent began in the background, and its answer once it has ended. Runs belong to whoever ' +
    'began them, and are kept for a day after their end. Without an id: the runs there are.',
  input: z.strictObject({
    run: runId().optional(),
    waitMs: z.int().min(0).max(MAX_WAIT_MS).default(0).meta({
      description: 'Waits so long for a change before it answers, in milliseconds.',
    }),
  }),
  output: z.object({ runs: z.array(run) }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run({ run: id, waitMs }, context) {
    if (id === undefined) {
      const all = (await context.runs.ownedBy(context.call.caller)).slice(-MAX_LISTED);
      const runs = all.map((record) => ({ ...shown(record), result: undefined }));
      return { structured: { runs }, text: runs.length === 0 ? 'There are no runs.' : runs.map(lineOf).join('\n') };
    }
    let record = await required(context, id);
    const before = record.status;
    const until = Date.now() + waitMs;
    while (record.status === before && isGoingOn(record) && Date.now() < until && !context.call.aborted) {
      await context.runs.changed(id, until - Date.now());
      record = await required(context, id);
    }
    if (context.call.aborted) throw context.call.signal.reason;
    const structured = shown(record);
    const content = isObject(record.result) && Array.isArray(record.result.content) ? record.result.content : [];
    const [first, ...more] = content.filter(isObject);
    const said = typeof first?.text === 'string' ? first.text : '';
    return {
      structured: { runs: [structured] },
      text: [lineOf(structured), said].filter(Boolean).join('\n\n'),
      content: more,
    };
  },
});

export const cancelRun = defineTool({
  name: 'cancelRun',
  title: 'Cancel a run',
  description: 'Ends a run of an agent at its server. A run that has ended stays as it is.',
  input: z.strictObject({ run: runId() }),
  output: z.object({ run: z.string(), status: runStatus }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
  async run({ run: id }, context) {
    const record = await required(context, id);
    await context.runs.cancel(record);
    const { status } = await required(context, id);
    return { structured: { run: id, status }, text: `The run ${line(id, 100)} is ${status}.` };
  },
});

const MAX_LISTED = 50;

const isGoingOn = ({ status }: RunRecord): boolean => status === 'working' || status === 'input_required';

async function required({ runs, call }: ToolContext, id: string): Promise<RunRecord> {
  const record = await runs.find(id, call.caller);
  if (record) return record;
  throw new SwitchboardError(
    'SWB_UNKNOWN_TASK',
    `There is no run '${line(id, 100)}'. Runs belong to whoever began them, and are kept for some time after their end.`,
  );
}

function shown({ id, agent, status, message, createdAt, updatedAt, result }: RunRecord): Shown {
  const structured = isObject(result?.structuredContent) ? result.structuredContent : undefined;
  const meta = isObject(result?._meta) ? result._meta['switchboard/error'] : undefined;
  return {
    run: id,
    ...(agent ? { agent: `${agent.server}/${agent.key}` } : {}),
    status,
    ...(message === undefined ? {} : { message }),
    createdAt: new Date(createdAt).toISOString(),
    updatedAt: new Date(updatedAt).toISOString(),
    ...(structured ? { result: structured as JsonObject } : {}),
    ...(isObject(meta) ? { error: meta } : {}),
  };
}

const lineOf = ({ run: id, agent, status, message }: Shown): string =>
  `${line(id, 100)}: ${status}${agent ? ` (${line(agent, 200)})` : ''}${message === undefined ? '' : `. ${line(message, 300)}`}`;
