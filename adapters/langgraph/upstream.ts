/**
 * A connected LangGraph server.
 * @module
 */

import { isDeepStrictEqual } from 'node:util';
import type { ConnectContext } from '../../src/core/adapter.ts';
import type { Call } from '../../src/core/call.ts';
import { within } from '../../src/core/deadline.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { LOCAL_PRINCIPAL } from '../../src/core/identity.ts';
import { pollEvery } from '../../src/core/repeat.ts';
import type {
  Catalog,
  CatalogKind,
  Change,
  Entry,
  ListenFilter,
  Reply,
  Subscription,
  Upstream,
} from '../../src/core/upstream.ts';
import type { Implementation } from '../../src/wire/envelope.ts';
import type { Era } from '../../src/wire/eras.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { agentEntries, listAssistants } from './agents.ts';
import type { LanggraphApi } from './api.ts';
import { type CallContext, callAgent } from './call.ts';
import { describeAgent } from './describe.ts';
import { type RunInput, readTurn } from './input.ts';
import { refuseOtherThreads, ThreadOwners } from './owners.ts';
import type { Run } from './run.ts';

const POLL_MS = 30_000;
const POLL_TIMEOUT_MS = 15_000;
/** How long closing waits for cancelled runs to be confirmed. */
const CLOSE_MS = 1_500;

/** The members of `GET /info` that are used; a server may have it switched off. */
export interface ServerFacts {
  version: string | undefined;
  serverInfo: Implementation | undefined;
}

export class LanggraphUpstream implements Upstream {
  readonly kind = 'langgraph';
  readonly transport = 'http';
  readonly era: Era = 'legacy';
  readonly capabilities: JsonObject = {};
  readonly instructions = undefined;
  readonly protocolVersion: string;
  readonly serverInfo: Implementation | undefined;
  readonly #api: LanggraphApi;
  readonly #context: Pick<ConnectContext, 'name' | 'log'>;
  readonly #hasInfo: boolean;
  readonly #owners: ThreadOwners;
  readonly #runs = new Set<Run>();
  readonly #polls = new Set<Subscription>();
  /** The last list, for comparison and for the assistant behind a key. */
  #agents: Entry[] | undefined;
  #closing: Promise<void> | undefined;

  constructor(api: LanggraphApi, context: Pick<ConnectContext, 'name' | 'log'>, facts: ServerFacts) {
    this.#api = api;
    this.#context = context;
    this.#owners = new ThreadOwners(api);
    this.protocolVersion = facts.version ?? 'unknown';
    this.serverInfo = facts.serverInfo;
    this.#hasInfo = facts.version !== undefined;
  }

  async catalog(kind: CatalogKind, signal: AbortSignal): Promise<Catalog> {
    if (kind !== 'agents') return { entries: [] };
    this.#mustBeOpen();
    this.#agents = agentEntries(await listAssistants(this.#api, this.#context.log, signal));
    return { entries: this.#agents };
  }

  async request(method: string, params: JsonObject, call: Call): Promise<Reply> {
    this.#mustBeOpen();
    if (call.aborted) throw call.signal.reason;
    switch (method) {
      case 'agents/call': {
        const { principal } = call.caller;
        const turn = readTurn(params, principal);
        const owned = principal !== LOCAL_PRINCIPAL;
        if (owned) await this.#requireOwned(turn, call);
        const context: CallContext = {
          api: this.#api.as(call.caller.identity),
          log: this.#context.log,
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
          `Server '${this.#context.name}' is a LangGraph server: it has agents, and no '${method.slice(0, 100)}'.`,
        );
    }
  }

  /** The server has no change events: its agents are polled and compared. */
  listen(filter: ListenFilter, onChange: (change: Change) => void): Subscription {
    if (!filter.lists || this.#closing) return { close() {} };
    let seen = this.#agents;
    const poll = pollEvery(POLL_MS, async (signal) => {
      const timed = AbortSignal.any([signal, AbortSignal.timeout(POLL_TIMEOUT_MS)]);
      const now = agentEntries(await listAssistants(this.#api, this.#context.log, timed));
      if (signal.aborted) return;
      const before = this.#agents ?? seen;
      seen = now;
      if (before && !isDeepStrictEqual(before, now)) onChange({ type: 'list', kind: 'agents' });
    });
    this.#polls.add(poll);
    return {
      close: () => {
        this.#polls.delete(poll);
        poll.close();
      },
    };
  }

  async ping(signal: AbortSignal): Promise<void> {
    this.#mustBeOpen();
    if (this.#hasInfo) await this.#api.json('GET', '/info', undefined, signal);
    else await this.#api.json('POST', '/assistants/search', { limit: 1 }, signal);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  async #close(): Promise<void> {
    for (const poll of this.#polls) poll.close();
    this.#polls.clear();
    const cancelled = [...this.#runs].map((run) => run.abandon(this.#disconnected()));
    await within(Promise.allSettled(cancelled), CLOSE_MS, () => undefined);
    await this.#api.close().catch(() => {});
  }

  #mustBeOpen(): void {
    if (this.#closing) throw this.#disconnected();
  }

  #disconnected(): SwitchboardError {
    return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${this.#context.name}' was disconnected.`);
  }

  /** Rejects unless the grant may use the thread. */
  async #requireOwned(turn: RunInput, call: Call): Promise<void> {
    refuseOtherThreads(turn.options, turn.thread);
    await this.#owners.require(turn.thread, call.caller.identity, !turn.resumes, call.signal);
    if (call.aborted) throw call.signal.reason;
    this.#mustBeOpen();
  }

  /** The assistant id of a catalog key. An unknown key is sent unchanged: the list may be older than the agent. */
  #idOf(agent: string): string {
    const value = this.#agents?.find((entry) => entry.key === agent)?.value;
    return isObject(value) && typeof value.assistant_id === 'string' ? value.assistant_id : agent;
  }
}
