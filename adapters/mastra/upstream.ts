/**
 * A connected Mastra server as an upstream. HTTP has no connection to lose: the server is down when a request fails with
 * `SWB_UPSTREAM_UNAVAILABLE` and a second request fails as well.
 * @module
 */

import type { ConnectContext } from '../../src/core/adapter.ts';
import type { AgentCallParams } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { CatalogKind, Entry, Reply } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { IdempotentRuns } from '../shared/idempotency.ts';
import { PolledUpstream } from '../shared/polled-upstream.ts';
import { type AgentsOf, askMemory, callAgent, describeAgentOf } from './agents.ts';
import type { MastraApi } from './api.ts';
import { guardedTools } from './approval.ts';
import { agentEntries, looksLikeAgents, toolEntries } from './catalog.ts';
import { expectObject, refused } from './errors.ts';
import { callTool } from './tools.ts';
import { WaitingRuns } from './waiting.ts';

/** How long that second request may take. */
const RECHECK_MS = 5_000;
const MAX_REMEMBERED = 10_000;

export class MastraUpstream extends PolledUpstream {
  readonly kind = 'mastra';
  readonly capabilities: JsonObject = { tools: { listChanged: true } };
  readonly #api: MastraApi;
  readonly #agentsOf: AgentsOf;
  readonly #once: IdempotentRuns;
  /** Whether agents have memory, as far as it was asked for. */
  readonly #remember = new Map<string, boolean>();
  #guarded: ReadonlySet<string>;
  #rechecking = false;

  /** `agents` is GET /api/agents as it was when connecting. */
  constructor(
    api: MastraApi,
    context: ConnectContext,
    agents: JsonObject,
    version: string | undefined,
    pollMs: number,
  ) {
    const serverInfo = version === undefined ? undefined : { name: 'mastra', version };
    super(context, { lists: ['agents', 'tools'], pollMs, version, serverInfo });
    this.#api = api;
    this.#guarded = guardedTools(agents);
    this.#once = new IdempotentRuns(context.memory);
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
          return await callTool(this.#api, this.#guarded, params, call);
        case 'agents/call':
          return {
            value: await this.#once.call(params, call, (own) =>
              callAgent(this.#agentsOf, params as AgentCallParams, own),
            ),
          };
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
    return this.#open(() => this.#answers(signal));
  }

  protected end(): Promise<void> {
    return this.#api.close();
  }

  protected list(kind: CatalogKind, signal: AbortSignal): Promise<Entry[]> {
    return this.#open(async () => {
      if (kind === 'agents') return agentEntries(await this.#agents(signal));
      // An agent may want approval for a tool that the server's own list lets run freely.
      const [tools] = await Promise.all([this.#api.get(['tools'], signal), this.#agents(signal)]);
      return toolEntries(expectObject(this.#api.name, tools));
    });
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

  async #open<T>(action: () => Promise<T>): Promise<T> {
    this.requireOpen();
    try {
      return await action();
    } catch (error) {
      if (error instanceof SwitchboardError && error.code === 'SWB_UPSTREAM_UNAVAILABLE') void this.#recheck();
      throw error;
    }
  }

  async #recheck(): Promise<void> {
    if (this.#rechecking || this.isOver) return;
    this.#rechecking = true;
    try {
      await this.#answers(AbortSignal.timeout(RECHECK_MS));
    } catch (error) {
      this.reportDown(error as Error);
    } finally {
      this.#rechecking = false;
    }
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
