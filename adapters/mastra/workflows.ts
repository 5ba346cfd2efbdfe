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
import type { ToolAttachParams } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { pause } from '../../src/core/deadline.ts';
import { isShutdown, SwitchboardError } from '../../src/core/errors.ts';
import type { Log } from '../../src/core/log.ts';
import { shorten } from '../../src/core/text.ts';
import type { Reply } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { follow } from '../shared/follow.ts';
import type { WholeReply } from '../shared/origin.ts';
import { patiently } from '../shared/patience.ts';
import type { MastraApi } from './api.ts';
import { askClient, shown } from './approval.ts';
import { errorText, expectObject, refused } from './errors.ts';
import { formOf } from './interrupts.ts';
import { ownResource } from './options.ts';
import { failureText, readUsage } from './turn.ts';
import { resumeSchemas, type WorkflowTool } from './workflow-catalog.ts';
import { listWaiting, ownWaitingRun, type Suspended, suspendedIn } from './workflow-waiting.ts';

/** Most answers of a person in one call. */
const MAX_ROUNDS = 32;
const MAX_MESSAGE = 2_000;
const LOOK_EVERY_MS = 1_000;
/** How a run stands that has not come to an end or a question. */
const GOES_ON: ReadonlySet<string> = new Set(['running', 'waiting', 'pending']);
/** So many looks in a row a run may be one that has not begun. */
const MAX_PENDING = 10;

export interface WorkflowsOf {
  api: MastraApi;
  log: Log;
  /** Those of calls that go on. */
  running: Set<{ letGo(gatewayEnds: boolean): void }>;
  /** Cancels under way, for the upstream to wait for when it is closed. */
  tidying: Set<Promise<void>>;
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

/** `tools/attach`: a run that an earlier process of the gateway began, or went on with. It has gone on at the server. */
export async function attachWorkflow(
  of: WorkflowsOf,
  { run }: Pick<ToolAttachParams, 'run'>,
  call: Call,
): Promise<Reply> {
  const { workflow, runId } = isObject(run) ? run : ({} as JsonObject);
  if (typeof workflow !== 'string' || typeof runId !== 'string') {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'run must be what the call was told when it began.');
  }
  return new WorkflowRun(of, workflow, runId, call).attached();
}

/** `tools/call` of the tool that goes on with a suspended run. */
export async function resumeWorkflow(
  of: WorkflowsOf,
  workflows: ReadonlyMap<string, WorkflowTool>,
  params: JsonObject,
  call: Call,
): Promise<Reply> {
  const { workflow, runId, step, data } = isObject(params.arguments) ? params.arguments : ({} as JsonObject);
  if (runId === undefined) {
    const asked = [...workflows.values()].filter((each) => workflow === undefined || isNamed(each, workflow));
    return listWaiting(of.api, asked, call);
  }
  if (data === undefined) throw new SwitchboardError('SWB_INVALID_PARAMS', 'data must be what the step waits for.');
  if (typeof workflow !== 'string' || typeof runId !== 'string' || runId === '') {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'workflow and runId must be those of the run that waits.');
  }
  if (step !== undefined && typeof step !== 'string') {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'step must name the step that waits.');
  }
  const tool = [...workflows.values()].find((each) => isNamed(each, workflow));
  const run = tool && new WorkflowRun(of, tool.workflow, runId, call);
  if (!tool || !run || !(await ownWaitingRun(of.api, tool.workflow, runId, call))) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `Server '${of.api.name}' has no such run waiting: it has ended, it is not yours, or the ids are wrong.`,
    );
  }
  return run.whole('resume-stream', { resumeData: data, ...(step === undefined ? {} : { step }) });
}

const isNamed = (tool: WorkflowTool, name: unknown): boolean => tool.workflow === name || tool.name === name;

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
  /** A person is being asked: nothing of it runs. */
  #waits = false;

  constructor(of: WorkflowsOf, workflow: string, id: string, call: Call) {
    this.#of = of;
    this.#workflow = workflow;
    this.#id = id;
    this.#call = call;
  }

  /** From the first request to the end, with every question in between. */
  whole(route: string, body: JsonObject): Promise<Reply> {
    return this.#toEnd(() => this.#request(route, body));
  }

  /** The rest of a run that has begun. */
  attached(): Promise<Reply> {
    this.#hasLeft = true;
    return this.#toEnd(() => this.#untilItStops());
  }

  async #toEnd(begin: () => Promise<RunStatus>): Promise<Reply> {
    const off = this.#call.onAbort((reason) => (isShutdown(reason) ? this.letGo(true) : this.abandon()));
    this.#of.running.add(this);
    try {
      let state = await begin();
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
          if (this.#call.lasting) this.#call.began?.({ workflow: this.#workflow, runId: this.#id });
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

  /** Looks at the server how the run goes, where nothing streams its events. */
  async #untilItStops(): Promise<RunStatus> {
    const seen = new Map<string, string>();
    const isOver = (): boolean => this.#ended;
    for (let pending = 0; ; await pause(this.#call, LOOK_EVERY_MS)) {
      const run = await patiently(this.#call, isOver, async () => {
        const reply = await this.#look();
        if (reply.status !== 404) return expectObject(this.#of.api.name, reply);
        const message = `Server '${this.#of.api.name}' does not know this run of the workflow '${this.#workflow}' any more.`;
        throw new SwitchboardError('SWB_AGENT_FAILED', message);
      });
      for (const [step, state] of Object.entries(isObject(run.steps) ? run.steps : {})) {
        const status = isObject(state) ? String(state.status).slice(0, 40) : '';
        if (seen.get(step) === status || status === '') continue;
        seen.set(step, status);
        this.#tell(`${step.slice(0, 100)}: ${status === 'running' ? 'started' : status}`);
      }
      pending = run.status === 'pending' ? pending + 1 : 0;
      // Refused arguments leave a run that is pending for ever.
      if (!GOES_ON.has(String(run.status)) || pending > MAX_PENDING)
        return patiently(this.#call, isOver, () => this.#status());
      this.#call.alive?.();
    }
  }

  #look(): Promise<WholeReply> {
    const { identity } = this.#call.caller;
    return this.#of.api.control('GET', this.#path, identity, 'withNestedWorkflows=false');
  }

  async #status(): Promise<RunStatus> {
    const { api } = this.#of;
    const reply = await this.#look();
    const failed = { status: 'failed', result: undefined, error: this.#failure, suspended: [] };
    if (reply.status === 404 && this.#failure !== undefined) return failed;
    const run = expectObject(api.name, reply);
    // Refused arguments leave a run that is pending for ever.
    if (run.status === 'pending' && this.#failure !== undefined) return failed;
    return { status: String(run.status), result: run.result, error: run.error, suspended: suspendedIn(run) };
  }

  /** Asks for what the first step that waits needs. Undefined when the client cannot be asked or does not answer. */
  async #ask([first]: readonly Suspended[]): Promise<{ step: string; data: unknown } | undefined> {
    if (!first || !this.#call.canAsk('elicitation/create')) return undefined;
    const { step, payload } = first;
    const schemas = await resumeSchemas(this.#of.api, this.#workflow, this.#call);
    const form = formOf(schemas.get(step));
    const says = payload === undefined ? '' : `: ${questionIn(payload)}`;
    const who = `Workflow '${this.#workflow}' of server '${this.#of.api.name}' waits for input to its step '${step}'${says}`;
    this.#waits = true;
    const answer = await askClient(this.#call, who, form ?? ANY_JSON).finally(() => {
      this.#waits = false;
    });
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

  /**
   * The gateway ends, or its connection to the server alone. A run that waits for a person is found again at the server. One of a lasting
   * call goes on there when the gateway ends: the next process takes it up.
   */
  letGo(gatewayEnds: boolean): void {
    if (this.#waits || (gatewayEnds && this.#call.lasting)) this.#ended = true;
    this.abandon();
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
