/**
 * Workflows as tools: started, followed step by step, resumed with what a person answers where one suspends, and cancelled at
 * the server. A workflow goes on when its client disconnects (measured), so a call that ends early cancels its run by the
 * server's own route.
 *
 * How a run has ended is asked of the server, not read from the stream: one that resumes one of two suspended steps says
 * `success` while the other still waits (measured).
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import { shorten } from '../../src/core/text.ts';
import type { Reply } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { follow } from '../shared/follow.ts';
import type { MastraApi } from './api.ts';
import { askClient, shown } from './approval.ts';
import { errorText, expectObject, parseBody, refused } from './errors.ts';
import { formOf } from './interrupts.ts';
import { ownResource } from './options.ts';
import { failureText, readUsage } from './turn.ts';
import { resumeSchemas, type WorkflowTool } from './workflow-catalog.ts';

/** Most answers of a person in one call. */
const MAX_ROUNDS = 32;
const MAX_MESSAGE = 2_000;

export interface WorkflowsOf {
  api: MastraApi;
  log: Log;
  /** Those of calls that go on. */
  running: Set<{ abandon(): void }>;
  /** Cancels under way, for the upstream to wait for when it is closed. */
  tidying: Set<Promise<void>>;
}

/** A step that waits. */
interface Suspended {
  step: string;
  payload: unknown;
}

interface RunStatus {
  status: string;
  result: unknown;
  error: unknown;
  suspended: Suspended[];
}

/** `tools/call` of a workflow's tool. */
export async function callWorkflow(
  of: WorkflowsOf,
  tool: WorkflowTool,
  params: JsonObject,
  call: Call,
): Promise<Reply> {
  const run = new WorkflowRun(of, tool.workflow, randomUUID(), call);
  return run.whole('stream', {
    inputData: params.arguments ?? {},
    resourceId: ownResource(call.caller.principal),
    closeOnSuspend: true,
  });
}

/** `tools/call` of the tool that goes on with a suspended run. */
export async function resumeWorkflow(
  of: WorkflowsOf,
  workflows: ReadonlyMap<string, WorkflowTool>,
  params: JsonObject,
  call: Call,
): Promise<Reply> {
  const { workflow, runId, step, data } = isObject(params.arguments) ? params.arguments : ({} as JsonObject);
  if (typeof workflow !== 'string' || typeof runId !== 'string' || runId === '') {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'workflow and runId must be those of the run that waits.');
  }
  if (step !== undefined && typeof step !== 'string') {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'step must name the step that waits.');
  }
  const tool = [...workflows.values()].find((each) => each.workflow === workflow || each.name === workflow);
  const run = tool && new WorkflowRun(of, tool.workflow, runId, call);
  if (!run || !(await run.isOwn())) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `Server '${of.api.name}' has no such run waiting: it has ended, it is not yours, or the ids are wrong.`,
    );
  }
  return run.whole('resume-stream', { resumeData: data, ...(step === undefined ? {} : { step }) });
}

class WorkflowRun {
  readonly #of: WorkflowsOf;
  readonly #workflow: string;
  readonly #id: string;
  readonly #call: Call;
  #progress = 0;
  #usage: JsonObject | undefined;
  #failure: string | undefined;
  #hasLeft = false;
  #ended = false;

  constructor(of: WorkflowsOf, workflow: string, id: string, call: Call) {
    this.#of = of;
    this.#workflow = workflow;
    this.#id = id;
    this.#call = call;
  }

  /** Whether the run waits, and is of the caller's principal. */
  async isOwn(): Promise<boolean> {
    const reply = await this.#of.api.getFor(this.#call, this.#path, 'withNestedWorkflows=false');
    const run = reply.status === 200 ? parseBody(reply.body) : undefined;
    return isObject(run) && run.status === 'suspended' && run.resourceId === ownResource(this.#call.caller.principal);
  }

  /** From the first request to the end, with every question in between. */
  async whole(route: string, body: JsonObject): Promise<Reply> {
    const off = this.#call.onAbort(() => this.abandon());
    this.#of.running.add(this);
    try {
      let state = await this.#request(route, body);
      for (let round = 0; state.status === 'suspended'; round++) {
        const answer = round < MAX_ROUNDS ? await this.#ask(state.suspended) : undefined;
        if (!answer) break;
        state = await this.#request('resume-stream', { step: answer.step, resumeData: answer.data });
      }
      this.#ended = true;
      return this.#reply(state);
    } catch (error) {
      // A connection that broke leaves the run going on.
      this.abandon();
      throw error;
    } finally {
      this.#of.running.delete(this);
      off();
    }
  }

  get #path(): string[] {
    return ['workflows', this.#workflow, 'runs', this.#id];
  }

  async #request(route: string, body: JsonObject): Promise<RunStatus> {
    const { api } = this.#of;
    this.#failure = undefined;
    const following = follow(this.#call, async () => (await this.#status()).status === 'running');
    try {
      const refusal = await api.records(this.#call, ['workflows', this.#workflow, route], {
        body,
        query: `runId=${encodeURIComponent(this.#id)}`,
        started: () => {
          this.#hasLeft = true;
        },
        onEvent: (event) => {
          following.heard();
          this.#event(event);
        },
      });
      if (refusal) throw this.#refused(refusal.status, errorText(refusal), () => refused(api.name, refusal));
    } finally {
      following.stop();
    }
    return this.#status();
  }

  #event(event: unknown): void {
    if (!isObject(event) || !isObject(event.payload)) return;
    const { type, payload } = event;
    const step = String(payload.stepName ?? payload.id).slice(0, 100);
    switch (type) {
      case 'workflow-step-start':
        this.#tell(`${step}: started`);
        break;
      case 'workflow-step-result':
        this.#tell(`${step}: ${String(payload.status).slice(0, 40)}`);
        break;
      case 'workflow-step-suspended':
        this.#tell(`${step}: suspended`);
        break;
      case 'workflow-step-output':
        this.#tell(outputText(payload.output));
        break;
      case 'workflow-finish': {
        const { output, metadata } = payload;
        if (isObject(output)) this.#usage = readUsage(output.usage);
        // Arguments that the workflow does not take end the run before it is there to be asked about.
        if (isObject(metadata) && isObject(metadata.error))
          this.#failure = failureText(onOneLine(metadata.error.message));
        break;
      }
    }
  }

  #tell(message: string): void {
    if (message === '' || !this.#call.wantsProgress) return;
    const params = { progress: ++this.#progress, message };
    this.#call.notify({ jsonrpc: '2.0', method: 'notifications/progress', params });
  }

  async #status(): Promise<RunStatus> {
    const { api } = this.#of;
    const { identity } = this.#call.caller;
    const reply = await api.control('GET', this.#path, identity, 'withNestedWorkflows=false');
    const failed = { status: 'failed', result: undefined, error: this.#failure, suspended: [] };
    if (reply.status === 404 && this.#failure !== undefined) return failed;
    const run = expectObject(api.name, reply);
    // Refused arguments leave a run that is pending for ever.
    if (run.status === 'pending' && this.#failure !== undefined) return failed;
    const steps = isObject(run.steps) ? Object.entries(run.steps) : [];
    const suspended = steps.flatMap(([step, state]) =>
      isObject(state) && state.status === 'suspended' ? [{ step, payload: state.suspendPayload }] : [],
    );
    return { status: String(run.status), result: run.result, error: run.error, suspended };
  }

  /** Asks for what the first step that waits needs. Undefined when the client cannot be asked or does not answer. */
  async #ask([first]: readonly Suspended[]): Promise<{ step: string; data: unknown } | undefined> {
    if (!first || !this.#call.canAsk('elicitation/create')) return undefined;
    const { step, payload } = first;
    const schemas = await resumeSchemas(this.#of.api, this.#workflow, this.#call);
    const form = formOf(schemas.get(step));
    const says = payload === undefined ? '' : `: ${questionIn(payload)}`;
    const who = `Workflow '${this.#workflow}' of server '${this.#of.api.name}' waits for input to its step '${step}'${says}`;
    const answer = await askClient(this.#call, who, form ?? ANY_JSON);
    if (answer?.action !== 'accept' || !isObject(answer.content)) return undefined;
    if (form) return { step, data: answer.content };
    const data = parseJson(answer.content.data);
    return data === undefined ? undefined : { step, data };
  }

  #reply({ status, result, error, suspended }: RunStatus): Reply {
    const _meta: JsonObject = { 'switchboard/run': this.#id };
    if (this.#usage) _meta['switchboard/usage'] = this.#usage;
    if (status === 'success') {
      const text = typeof result === 'string' ? result : (JSON.stringify(result) ?? 'The workflow returned nothing.');
      const structured = isObject(result) ? { structuredContent: result } : {};
      return { value: { content: [{ type: 'text', text }], ...structured, _meta } };
    }
    const text = status === 'suspended' ? this.#howToResume(suspended) : this.#whyFailed(status, error);
    return { value: { content: [{ type: 'text', text }], isError: true, _meta } };
  }

  #howToResume(suspended: readonly Suspended[]): string {
    const lines = suspended.map(
      ({ step, payload }) => `- step ${step}${payload === undefined ? '' : `: ${shown(payload)}`}`,
    );
    const ids = JSON.stringify({ workflow: this.#workflow, runId: this.#id, step: suspended[0]?.step, data: '…' });
    return [
      `The workflow '${this.#workflow}' waits for a person:`,
      ...lines,
      `To go on, call the tool ${RESUME_TOOL} with ${ids}.`,
    ].join('\n');
  }

  #whyFailed(status: string, error: unknown): string {
    if (status === 'canceled') return `The workflow '${this.#workflow}' was cancelled on its server.`;
    const why = typeof error === 'string' ? error : failureText(error);
    return `The workflow '${this.#workflow}' ${status === 'failed' ? 'failed' : `ended as '${status.slice(0, 40)}'`}: ${this.#failure ?? why}`;
  }

  #refused(status: number, text: string | undefined, otherwise: () => Error): Error {
    if (status === 404) {
      const message = `Server '${this.#of.api.name}' has no workflow '${this.#workflow}', or no such run of it.`;
      return new SwitchboardError('SWB_UNKNOWN_TOOL', message);
    }
    if (text !== undefined && (status === 400 || status === 409)) {
      return new SwitchboardError('SWB_INVALID_PARAMS', `Server '${this.#of.api.name}' refused the workflow: ${text}`);
    }
    return otherwise();
  }

  /** Cancels the run at the server: at most once, and only where there may be one. */
  abandon(): void {
    if (!this.#hasLeft || this.#ended) return;
    this.#ended = true;
    const { api, log, tidying } = this.#of;
    const cancelled = api
      .control('POST', [...this.#path, 'cancel'], this.#call.caller.identity)
      .then(
        () => {},
        (error: unknown) => log.debug({ server: api.name, run: this.#id, error }, 'cancelling a workflow failed'),
      )
      .finally(() => tidying.delete(cancelled));
    tidying.add(cancelled);
  }
}

/** The tool that goes on with a suspended run. */
export const RESUME_TOOL = 'workflow-resume';

const ANY_JSON: JsonObject = {
  type: 'object',
  properties: { data: { type: 'string', title: 'Data', description: 'What the step waits for, as JSON' } },
  required: ['data'],
};

function questionIn(payload: unknown): string {
  const { question, message } = isObject(payload) ? payload : {};
  const said = [question, message].find((text): text is string => typeof text === 'string' && text !== '');
  return said === undefined ? shown(payload) : shorten(said, MAX_MESSAGE);
}

/** Several problems stand on lines of their own. */
const onOneLine = (message: unknown): string => String(message).replace(/\s*\n- /g, ' ');

function parseJson(text: unknown): unknown {
  if (typeof text !== 'string' || text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What a step writes: its own values, or events of an agent in it. */
function outputText(output: unknown): string {
  if (output === undefined || output === null) return '';
  if (isObject(output) && isObject(output.payload)) {
    return output.type === 'text-delta' && typeof output.payload.text === 'string' ? output.payload.text : '';
  }
  return shorten(typeof output === 'string' ? output : JSON.stringify(output), MAX_MESSAGE);
}
