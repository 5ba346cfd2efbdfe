/**
 * A connected server with the Responses API.
 * @module
 */
import type { ConnectContext } from '../../src/core/adapter.ts';
import type { AgentAttachParams } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { within } from '../../src/core/deadline.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { CatalogKind, Entry, Reply } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { PolledUpstream } from '../shared/polled-upstream.ts';
import { agentEntries, agentValue, type ConfiguredAgent, listedModels } from './agents.ts';
import type { ResponsesApi } from './api.ts';
import type { BackgroundResponse } from './background.ts';
import { attachAgent, type CallContext, callAgent } from './call.ts';
import { readTurn } from './input.ts';
import { Threads } from './threads.ts';

const POLL_MS = 60_000;
/** How long closing waits for cancelled responses to be confirmed. */
const CLOSE_MS = 1_500;

export class ResponsesUpstream extends PolledUpstream {
  readonly kind = 'responses';
  readonly capabilities: JsonObject = {};
  readonly #api: ResponsesApi;
  readonly #configured: readonly ConfiguredAgent[] | undefined;
  readonly #threads: Threads;
  readonly #running = new Set<BackgroundResponse>();
  #agents: readonly ConfiguredAgent[];

  constructor(context: ConnectContext, api: ResponsesApi, configured: readonly ConfiguredAgent[] | undefined) {
    super(context, { lists: ['agents'], pollMs: POLL_MS, version: 'v1', serverInfo: undefined });
    this.#api = api;
    this.#configured = configured;
    this.#agents = configured ?? [];
    this.#threads = new Threads(context.memory, context.name);
  }

  async request(method: string, params: JsonObject, call: Call): Promise<Reply> {
    this.requireOpen();
    if (call.aborted) throw call.signal.reason;
    switch (method) {
      case 'agents/call': {
        const turn = readTurn(params);
        return { value: await this.#watched(callAgent(this.#callOf(turn.agent), turn, call)) };
      }
      case 'agents/attach': {
        const attached = params as AgentAttachParams;
        return { value: await this.#watched(attachAgent(this.#callOf(attached.agent), attached, call)) };
      }
      case 'agents/describe':
        return { value: agentValue(this.#named(params.agent)) };
      default:
        throw new SwitchboardError(
          'SWB_NOT_SUPPORTED',
          `Server '${this.context.name}' has the Responses API: agents, and no '${method.slice(0, 100)}'.`,
        );
    }
  }

  ping(signal: AbortSignal): Promise<void> {
    this.requireOpen();
    return this.#watched(this.#answers(signal), signal);
  }

  protected async list(_kind: CatalogKind, signal: AbortSignal): Promise<Entry[]> {
    this.#agents = this.#configured ?? (await this.#watched(listedModels(this.#api, signal), signal));
    return agentEntries(this.#agents);
  }

  protected async end(): Promise<void> {
    const reason = this.disconnected();
    const cancelled = [...this.#running].map((response) => response.abandon(reason));
    await within(Promise.allSettled(cancelled), CLOSE_MS, () => undefined);
    await this.#api.close();
  }

  #callOf(agent: string): CallContext {
    return {
      api: this.#api,
      log: this.context.log,
      threads: this.#threads,
      agent: this.#named(agent),
      running: this.#running,
    };
  }

  #named(name: unknown): ConfiguredAgent {
    const agent = this.#agents.find((each) => each.name === name);
    if (agent) return agent;
    const asked = typeof name === 'string' ? name.slice(0, 200) : '';
    throw new SwitchboardError('SWB_UNKNOWN_AGENT', `Server '${this.context.name}' has no agent '${asked}'.`);
  }

  /** Any response at all: 404 is one. */
  async #answers(signal: AbortSignal): Promise<void> {
    await this.#api.get('/models', signal);
  }

  #watched<T>(work: Promise<T>, by?: AbortSignal): Promise<T> {
    return this.watched(work, (signal) => this.#answers(signal), by);
  }
}
