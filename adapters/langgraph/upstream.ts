/**
 * A connected LangGraph server.
 * @module
 */

import type { ConnectContext } from '../../src/core/adapter.ts';
import type { Call } from '../../src/core/call.ts';
import { within } from '../../src/core/deadline.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { LOCAL_PRINCIPAL } from '../../src/core/identity.ts';
import type { CatalogKind, Entry, Reply } from '../../src/core/upstream.ts';
import type { Implementation } from '../../src/wire/envelope.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { PolledUpstream } from '../shared/polled-upstream.ts';
import { agentEntries, listAssistants } from './agents.ts';
import type { LanggraphApi } from './api.ts';
import { type CallContext, callAgent } from './call.ts';
import { describeAgent } from './describe.ts';
import { type RunInput, readTurn } from './input.ts';
import { refuseOtherThreads, ThreadOwners } from './owners.ts';
import type { Run } from './run.ts';

const POLL_MS = 30_000;
/** How long closing waits for cancelled runs to be confirmed. */
const CLOSE_MS = 1_500;

/** The members of `GET /info` that are used; a server may have it switched off. */
export interface ServerFacts {
  version: string | undefined;
  serverInfo: Implementation | undefined;
}

export class LanggraphUpstream extends PolledUpstream {
  readonly kind = 'langgraph';
  readonly capabilities: JsonObject = {};
  readonly #api: LanggraphApi;
  readonly #hasInfo: boolean;
  readonly #owners: ThreadOwners;
  readonly #runs = new Set<Run>();
  /** The last list, for the assistant behind a key. */
  #agents: Entry[] | undefined;

  constructor(api: LanggraphApi, context: ConnectContext, { version, serverInfo }: ServerFacts) {
    super(context, { lists: ['agents'], pollMs: POLL_MS, version, serverInfo });
    this.#api = api;
    this.#owners = new ThreadOwners(api);
    this.#hasInfo = version !== undefined;
  }

  async request(method: string, params: JsonObject, call: Call): Promise<Reply> {
    this.requireOpen();
    if (call.aborted) throw call.signal.reason;
    switch (method) {
      case 'agents/call': {
        const { principal } = call.caller;
        const turn = readTurn(params, principal);
        const owned = principal !== LOCAL_PRINCIPAL;
        if (owned) await this.#requireOwned(turn, call);
        const context: CallContext = {
          api: this.#api.as(call.caller.identity),
          log: this.context.log,
          assistant: this.#idOf(turn.agent),
          runs: this.#runs,
          onThreadGone: owned ? () => this.#owners.forget(turn.thread, principal) : undefined,
        };
        return { value: await callAgent(context, turn, call) };
      }
      case 'agents/describe': {
        const { agent } = params;
        if (typeof agent !== 'string' || agent === '') {
          throw new SwitchboardError('SWB_INVALID_PARAMS', 'agent must name an agent.');
        }
        return {
          value: await describeAgent(this.#api.as(call.caller.identity), agent, this.#idOf(agent), call.signal),
        };
      }
      default:
        throw new SwitchboardError(
          'SWB_NOT_SUPPORTED',
          `Server '${this.context.name}' is a LangGraph server: it has agents, and no '${method.slice(0, 100)}'.`,
        );
    }
  }

  async ping(signal: AbortSignal): Promise<void> {
    this.requireOpen();
    if (this.#hasInfo) await this.#api.json('GET', '/info', undefined, signal);
    else await this.#api.json('POST', '/assistants/search', { limit: 1 }, signal);
  }

  protected async list(_kind: CatalogKind, signal: AbortSignal): Promise<Entry[]> {
    this.#agents = agentEntries(await listAssistants(this.#api, this.context.log, signal));
    return this.#agents;
  }

  protected async end(): Promise<void> {
    const cancelled = [...this.#runs].map((run) => run.abandon(this.disconnected()));
    await within(Promise.allSettled(cancelled), CLOSE_MS, () => undefined);
    await this.#api.close().catch(() => {});
  }

  /** Rejects unless the grant may use the thread. */
  async #requireOwned(turn: RunInput, call: Call): Promise<void> {
    refuseOtherThreads(turn.options, turn.thread);
    await this.#owners.require(turn.thread, call.caller.identity, !turn.resumes, call.signal);
    if (call.aborted) throw call.signal.reason;
    this.requireOpen();
  }

  /** The assistant id of a catalog key. An unknown key is sent unchanged: the list may be older than the agent. */
  #idOf(agent: string): string {
    const value = this.#agents?.find((entry) => entry.key === agent)?.value;
    return isObject(value) && typeof value.assistant_id === 'string' ? value.assistant_id : agent;
  }
}
