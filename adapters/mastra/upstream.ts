/**
 * A connected Mastra server as an upstream. HTTP has no connection to lose: the server is down when a request fails with
 * `SWB_UPSTREAM_UNAVAILABLE` and a second request fails as well.
 * @module
 */

import type { ConnectContext } from '../../src/core/adapter.ts';
import type { AgentCallParams } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hash.ts';
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
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { callAgent, describeAgentOf } from './agents.ts';
import type { MastraApi } from './api.ts';
import { guardedTools } from './approval.ts';
import { agentEntries, looksLikeAgents, toolEntries } from './catalog.ts';
import { expectObject, refused } from './errors.ts';
import { callTool } from './tools.ts';
import { WaitingRuns } from './waiting.ts';

/** How long that second request may take. */
const RECHECK_MS = 5_000;

/** Kinds a Mastra server has. Its MCP servers are reached as servers of kind `mcp`, each at its own URL. */
const LISTED = ['agents', 'tools'] as const;

export class MastraUpstream implements Upstream {
  readonly kind = 'mastra';
  readonly transport = 'http';
  readonly era = 'legacy';
  readonly protocolVersion: string;
  readonly capabilities: JsonObject = { tools: { listChanged: true } };
  readonly serverInfo;
  readonly instructions = undefined;
  readonly #api: MastraApi;
  readonly #context: ConnectContext;
  readonly #pollMs: number;
  readonly #waiting = new WaitingRuns();
  readonly #listeners = new Set<(change: Change) => void>();
  /** Fingerprints of the lists as they were last read. */
  readonly #seen = new Map<CatalogKind, string>();
  #guarded: ReadonlySet<string>;
  #poll: { close(): void } | undefined;
  #rechecking = false;
  #down = false;
  #closed: Promise<void> | undefined;

  /** `agents` is GET /api/agents as it was when connecting. */
  constructor(
    api: MastraApi,
    context: ConnectContext,
    agents: JsonObject,
    version: string | undefined,
    pollMs: number,
  ) {
    this.#api = api;
    this.#context = context;
    this.#pollMs = pollMs;
    this.#guarded = guardedTools(agents);
    this.protocolVersion = version ?? 'unknown';
    this.serverInfo = version === undefined ? undefined : { name: 'mastra', version };
  }

  catalog(kind: CatalogKind, signal: AbortSignal): Promise<Catalog> {
    return this.#open(async () => {
      if (kind !== 'agents' && kind !== 'tools') return { entries: [] };
      const entries = await this.#list(kind, signal);
      this.#seen.set(kind, fingerprint(entries));
      return { entries };
    });
  }

  request(method: string, params: JsonObject, call: Call): Promise<Reply> {
    return this.#open(async () => {
      switch (method) {
        case 'tools/call':
          return await callTool(this.#api, this.#guarded, params, call);
        case 'agents/call':
          return await callAgent(this.#api, this.#waiting, params as AgentCallParams, call);
        case 'agents/describe':
          return await describeAgentOf(this.#api, params, call);
        default:
          throw new SwitchboardError(
            'SWB_NOT_SUPPORTED',
            `Server '${this.#api.name}' is a Mastra server: no ${method}.`,
          );
      }
    });
  }

  listen(filter: ListenFilter, onChange: (change: Change) => void): Subscription {
    if (!filter.lists || this.#closed) return { close: () => {} };
    this.#listeners.add(onChange);
    // Mastra announces no changes.
    this.#poll ??= pollEvery(this.#pollMs, (signal) => this.#compare(signal));
    return {
      close: () => {
        this.#listeners.delete(onChange);
        if (this.#listeners.size > 0) return;
        this.#poll?.close();
        this.#poll = undefined;
      },
    };
  }

  ping(signal: AbortSignal): Promise<void> {
    return this.#open(() => this.#answers(signal));
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#poll?.close();
      this.#listeners.clear();
      await this.#api.close();
    })();
    return this.#closed;
  }

  async #list(kind: (typeof LISTED)[number], signal: AbortSignal): Promise<Entry[]> {
    if (kind === 'agents') return agentEntries(await this.#agents(signal));
    // An agent may want approval for a tool that the server's own list lets run freely.
    const [tools] = await Promise.all([this.#api.get(['tools'], signal), this.#agents(signal)]);
    return toolEntries(expectObject(this.#api.name, tools));
  }

  async #agents(signal: AbortSignal): Promise<JsonObject> {
    const agents = await fetchAgents(this.#api, signal);
    this.#guarded = guardedTools(agents);
    return agents;
  }

  async #compare(signal: AbortSignal): Promise<void> {
    for (const kind of LISTED) {
      const now = fingerprint(await this.#open(() => this.#list(kind, signal)));
      const before = this.#seen.get(kind);
      this.#seen.set(kind, now);
      if (before === undefined || before === now) continue;
      for (const listener of this.#listeners) listener({ type: 'list', kind });
    }
  }

  /** Rejects unless the server responds; 404 is a response, as the route is newer than some servers. */
  async #answers(signal: AbortSignal): Promise<void> {
    const reply = await this.#api.get(['system', 'packages'], signal);
    if (reply.status >= 400 && reply.status !== 404) throw refused(this.#api.name, reply);
  }

  async #open<T>(action: () => Promise<T>): Promise<T> {
    if (this.#closed) {
      throw new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${this.#api.name}' was disconnected.`);
    }
    try {
      return await action();
    } catch (error) {
      if (error instanceof SwitchboardError && error.code === 'SWB_UPSTREAM_UNAVAILABLE') void this.#recheck();
      throw error;
    }
  }

  async #recheck(): Promise<void> {
    if (this.#rechecking || this.#down || this.#closed) return;
    this.#rechecking = true;
    try {
      await this.#answers(AbortSignal.timeout(RECHECK_MS));
    } catch (error) {
      if (this.#down || this.#closed) return;
      this.#down = true;
      this.#context.onDown(error as Error);
    } finally {
      this.#rechecking = false;
    }
  }
}

/** GET /api/agents, without the schemas of their tools. Rejects when it is not what a Mastra server answers. */
export async function fetchAgents(api: MastraApi, signal: AbortSignal): Promise<JsonObject> {
  const reply = await api.get(['agents'], signal, 'partial=true');
  if (reply.status === 404) {
    throw new SwitchboardError(
      'SWB_UPSTREAM_PROTOCOL',
      `Server '${api.name}' has no Mastra API at its URL; give the server's root, the part before /api.`,
    );
  }
  const agents = expectObject(api.name, reply);
  if (looksLikeAgents(agents)) return agents;
  throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${api.name}' does not answer like a Mastra server.`);
}

const fingerprint = (entries: readonly Entry[]): string => sha256(JSON.stringify(entries.map(({ value }) => value)));
