/**
 * A connected Mastra server as an upstream. HTTP has no connection to lose: the server is down when a request fails with
 * `SWB_UPSTREAM_UNAVAILABLE` and a second request fails as well.
 * @module
 */

import type { ConnectContext } from '../../src/core/adapter.ts';
import type { AgentAttachParams, AgentCallParams, ToolAttachParams } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { within } from '../../src/core/deadline.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { CatalogKind, Entry, Reply } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { IdempotentRuns } from '../shared/idempotency.ts';
import { PolledUpstream } from '../shared/polled-upstream.ts';
import { type AgentsOf, askMemory, attachAgent, callAgent, describeAgentOf } from './agents.ts';
import type { MastraApi } from './api.ts';
import { guardedTools, ownGuards } from './approval.ts';
import { agentEntries, looksLikeAgents, toolEntries } from './catalog.ts';
import { deleteThread, forkThread, listThreads, readThread } from './conversations.ts';
import { expectObject, refused } from './errors.ts';
import { callMcpTool, listMcpTools, type McpTool } from './mcp-tools.ts';
import { readResource, templateEntries } from './resources.ts';
import { callTool } from './tools.ts';
import { WaitingRuns } from './waiting.ts';
import { listWorkflows, resumeEntry, type WorkflowTool } from './workflow-catalog.ts';
import { attachWorkflow, callWorkflow, RESUME_TOOL, resumeWorkflow, type WorkflowsOf } from './workflows.ts';

const MAX_REMEMBERED = 10_000;

/** How long closing waits for cancelled workflows to be confirmed. */
const CLOSE_MS = 1_500;

interface OtherTools {
  workflows: Map<string, WorkflowTool>;
  /** Of the MCP servers that the server hosts. */
  mcp: Map<string, McpTool>;
  /** Ids of Mastra's own tools that need approval: an MCP server may offer one too. */
  guarded: ReadonlySet<string>;
}

const NO_OTHERS: OtherTools = { workflows: new Map(), mcp: new Map(), guarded: new Set() };
const MAY_BE_OTHER = /^workflow-|__/;

export class MastraUpstream extends PolledUpstream {
  readonly kind = 'mastra';
  readonly capabilities: JsonObject = { tools: { listChanged: true }, resources: {} };
  readonly #api: MastraApi;
  readonly #agentsOf: AgentsOf;
  readonly #workflows: WorkflowsOf;
  readonly #once: IdempotentRuns;
  /** Tools that are not Mastra's own, as they were last listed. */
  #others: OtherTools | undefined;
  /** Whether agents have memory, as far as it was asked for. */
  readonly #remember = new Map<string, boolean>();
  #guarded: ReadonlySet<string>;

  /** `agents` is GET /api/agents as it was when connecting. */
  constructor(
    api: MastraApi,
    context: ConnectContext,
    agents: JsonObject,
    version: string | undefined,
    pollMs: number,
  ) {
    const serverInfo = version === undefined ? undefined : { name: 'mastra', version };
    super(context, { lists: ['agents', 'tools', 'templates'], pollMs, version, serverInfo });
    this.#api = api;
    this.#guarded = guardedTools(agents);
    this.#once = new IdempotentRuns(context.memory);
    this.#workflows = { api, log: context.log, running: new Set(), tidying: new Set() };
    this.#agentsOf = {
      api,
      waiting: new WaitingRuns(context.memory, api),
      hasMemory: (agent, call) => this.#hasMemory(agent, call),
    };
  }

  request(method: string, params: JsonObject, call: Call): Promise<Reply> {
    return this.#open(async () => {
      switch (method) {
        case 'tools/call':
          return await this.#callTool(params, call);
        case 'tools/attach':
          return await attachWorkflow(this.#workflows, params as ToolAttachParams, call);
        case 'resources/read':
          return { value: await readResource(this.#api, params, call) };
        case 'agents/threads/list':
          return { value: await listThreads(this.#api, params, call) };
        case 'agents/threads/read':
          return { value: await readThread(this.#api, params, call) };
        case 'agents/threads/delete':
          await deleteThread(this.#api, params, call);
          return { value: {} };
        case 'agents/threads/fork':
          return { value: await forkThread(this.#api, params, call) };
        case 'agents/call':
          return {
            value: await this.#once.call(params, call, (own) =>
              callAgent(this.#agentsOf, params as AgentCallParams, own),
            ),
          };
        case 'agents/attach':
          return { value: await attachAgent(this.#agentsOf, params as AgentAttachParams, call) };
        case 'agents/describe':
          return { value: await describeAgentOf(this.#agentsOf, agentIn(params), call) };
        default:
          throw new SwitchboardError(
            'SWB_NOT_SUPPORTED',
            `Server '${this.#api.name}' is a Mastra server: no ${method}.`,
          );
      }
    });
  }

  ping(signal: AbortSignal): Promise<void> {
    return this.#open(() => this.#answers(signal), signal);
  }

  protected async end(): Promise<void> {
    // Workflows go on without their client: those of calls that end now are cancelled first, unless they wait for a person. Where the
    // gateway ends, lasting calls have let go of theirs before.
    for (const run of this.#workflows.running) run.letGo(false);
    await within(Promise.allSettled(this.#workflows.tidying), CLOSE_MS, () => undefined);
    await this.#api.close();
  }

  protected list(kind: CatalogKind, signal: AbortSignal): Promise<Entry[]> {
    return this.#open(async () => {
      if (kind === 'templates') return templateEntries();
      if (kind === 'agents') return agentEntries(await this.#agents(signal));
      // An agent may want approval for a tool that the server's own list lets run freely.
      const [tools, workflows, mcp] = await Promise.all([
        this.#api.get(['tools'], signal),
        listWorkflows(this.#api, signal),
        listMcpTools(this.#api, signal),
        this.#agents(signal),
      ]);
      const listing = expectObject(this.#api.name, tools);
      const entries = toolEntries(listing);
      // A tool of Mastra's own has its name before any other.
      for (const { key } of entries) {
        workflows.delete(key);
        mcp.delete(key);
      }
      this.#others = { workflows, mcp, guarded: ownGuards(listing) };
      const resume = [...workflows.values()].some(({ canSuspend }) => canSuspend) ? [resumeEntry(RESUME_TOOL)] : [];
      return [...entries, ...[...workflows.values(), ...mcp.values()].map(({ entry }) => entry), ...resume];
    }, signal);
  }

  async #callTool(params: JsonObject, call: Call): Promise<Reply> {
    const { name } = params;
    if (typeof name !== 'string') throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.name must be a string.');
    if (!this.#others && MAY_BE_OTHER.test(name)) await this.list('tools', call.signal);
    const { workflows, mcp, guarded } = this.#others ?? NO_OTHERS;
    const workflow = workflows.get(name);
    if (workflow) return callWorkflow(this.#workflows, workflow, params, call);
    if (name === RESUME_TOOL && workflows.size > 0) return resumeWorkflow(this.#workflows, workflows, params, call);
    const tool = mcp.get(name);
    if (tool) return callMcpTool(this.#api, new Set([...guarded, ...this.#guarded]), tool, params, call);
    return callTool(this.#api, this.#guarded, params, call);
  }

  async #hasMemory(agent: string, call: Call): Promise<boolean | undefined> {
    const known = this.#remember.get(agent) ?? (await askMemory(this.#api, agent, call));
    if (known !== undefined && this.#remember.size < MAX_REMEMBERED) this.#remember.set(agent, known);
    return known;
  }

  async #agents(signal: AbortSignal): Promise<JsonObject> {
    const agents = await fetchAgents(this.#api, signal);
    this.#guarded = guardedTools(agents);
    return agents;
  }

  /** Rejects unless the server responds; 404 is a response, as the route is newer than some servers. */
  async #answers(signal: AbortSignal): Promise<void> {
    const reply = await this.#api.get(['system', 'packages'], signal);
    if (reply.status >= 400 && reply.status !== 404) throw refused(this.#api.name, reply);
  }

  async #open<T>(action: () => Promise<T>, by?: AbortSignal): Promise<T> {
    this.requireOpen();
    return this.watched(action(), (signal) => this.#answers(signal), by);
  }
}

function agentIn({ agent }: JsonObject): string {
  if (typeof agent === 'string') return agent;
  throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.agent must be a string.');
}

/** GET /api/agents, without the schemas of their tools. Rejects when it is not what a Mastra server answers. */
export async function fetchAgents(api: MastraApi, signal: AbortSignal): Promise<JsonObject> {
  const reply = await api.get(['agents'], signal, 'partial=true');
  if (reply.status === 404) {
    throw new SwitchboardError(
      'SWB_UPSTREAM_PROTOCOL',
      `Server '${api.name}' has no Mastra API at its URL: neither <url>/api/agents nor <url>/agents answers. Write the url for ` +
        'which one of them does: the root of the server, or the prefix it is mounted under.',
    );
  }
  const agents = expectObject(api.name, reply);
  if (looksLikeAgents(agents)) return agents;
  throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${api.name}' does not answer like a Mastra server.`);
}
