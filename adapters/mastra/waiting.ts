/**
 * Runs that wait for a decision because the client could not be asked, so that a later call of the same principal can decide
 * them: from any of its clients, after a lost connection, and after a restart of the gateway.
 *
 * Mastra accepts a decision from any client that knows the run id, even at another agent's route (measured). So a decision
 * is passed on only once, for the same agent, from the principal whose run it is. Whose a run is stands in the memory of the
 * server; where that is lost, the server tells the resource the run is of, which names the principal. All runs are the
 * local user's, as with a client of its own.
 * @module
 */
import type { Call } from '../../src/core/call.ts';
import { LOCAL_PRINCIPAL } from '../../src/core/identity.ts';
import type { MemoryValue, ServerMemory } from '../../src/core/server-memory.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { MastraApi } from './api.ts';
import { parseBody } from './errors.ts';
import { ownResource } from './options.ts';
import { type Pending, readPending } from './turn.ts';

/** How long a run may wait for its decision. */
const KEPT_MS = 30 * 24 * 60 * 60_000;
const PER_PAGE = 100;
const MAX_PAGES = 10;
/** Payloads beyond this are not kept: the server has them. */
const MAX_KEPT_BYTES = 65_536;

export class WaitingRuns {
  readonly #memory: ServerMemory;
  readonly #api: MastraApi;

  constructor(memory: ServerMemory, api: MastraApi) {
    this.#memory = memory;
    this.#api = api;
  }

  /** Keeps what waits. When it cannot be kept, the run can still be found at the server. */
  async add(agent: string, principal: string, pending: readonly Pending[]): Promise<void> {
    for (const each of pending) {
      const text = JSON.stringify({ agent, principal, pending: each });
      const kept = Buffer.byteLength(text) <= MAX_KEPT_BYTES ? text : JSON.stringify({ agent, principal });
      await this.#memory.set(keyOf(each.runId, each.toolCallId), JSON.parse(kept), KEPT_MS).catch(() => {});
    }
  }

  /** Whether this principal may decide the tool call; from now on no other one can. */
  async take(agent: string, runId: string, toolCallId: string, call: Call): Promise<boolean> {
    const { principal } = call.caller;
    const key = keyOf(runId, toolCallId);
    const kept = await this.#memory.get(key);
    if (isObject(kept)) {
      if (kept.agent !== agent || kept.principal !== principal) return false;
      return (await this.#memory.take(key)) !== undefined;
    }
    const found = (await this.#atServer(agent, call)).some(
      (each) => each.runId === runId && each.toolCallId === toolCallId,
    );
    // Of several that found it there, one decides.
    return found && this.#memory.setIfAbsent(`decided:${key}`, true, KEPT_MS);
  }

  /** The decision did not reach the server. */
  async giveBack(agent: string, runId: string, toolCallId: string, principal: string): Promise<void> {
    await this.#memory.take(`decided:${keyOf(runId, toolCallId)}`);
    await this.#memory.set(keyOf(runId, toolCallId), { agent, principal }, KEPT_MS);
  }

  /** What one run of this caller waits for. */
  async ofRun(agent: string, runId: string, call: Call): Promise<Pending[]> {
    const found = await this.#memory.entries(keyOf(runId, ''));
    const kept = found.map(([, value]) => pendingIn(value, agent, call.caller.principal));
    if (kept.length > 0 && kept.every((each) => each !== undefined)) return kept;
    // Too large to be kept, or lost: the server has it.
    return (await this.#atServer(agent, call)).filter((each) => each.runId === runId);
  }

  /** What waits for a decision of this caller, as the server has it. */
  async of(agent: string, call: Call): Promise<Pending[]> {
    const { principal } = call.caller;
    const own = await this.#atServer(agent, call);
    if (principal === LOCAL_PRINCIPAL) return own;
    const known = new Set(own.map(({ runId, toolCallId }) => keyOf(runId, toolCallId)));
    for (const [key, value] of await this.#memory.entries('waiting:')) {
      const pending = pendingIn(value, agent, principal);
      if (pending && !known.has(key)) own.push(pending);
    }
    return own;
  }

  /** Tool calls that wait at the server, of runs that are this principal's for certain. */
  async #atServer(agent: string, call: Call): Promise<Pending[]> {
    const { principal } = call.caller;
    const found: Pending[] = [];
    const resource = principal === LOCAL_PRINCIPAL ? '' : `&resourceId=${encodeURIComponent(ownResource(principal))}`;
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = `page=${page}&perPage=${PER_PAGE}${resource}`;
      const reply = await this.#api.getFor(call, ['agents', agent, 'suspended-runs'], query);
      // Older servers have no such list.
      const body = reply.status === 200 ? parseBody(reply.body) : undefined;
      const runs = isObject(body) && Array.isArray(body.runs) ? body.runs : [];
      for (const run of runs) if (isObject(run)) found.push(...pendingOf(run));
      if (runs.length < PER_PAGE) break;
    }
    return found;
  }
}

const keyOf = (runId: string, toolCallId: string): string =>
  `waiting:${runId.slice(0, 200)}:${toolCallId.slice(0, 200)}`;

function pendingOf({ runId, toolCalls }: JsonObject): Pending[] {
  if (typeof runId !== 'string' || !Array.isArray(toolCalls)) return [];
  return toolCalls.flatMap((tool: unknown) => {
    const type = isObject(tool) && tool.requiresApproval === true ? 'tool-approval' : 'tool-suspended';
    return readPending(type, runId, tool) ?? [];
  });
}

function pendingIn(value: MemoryValue, agent: string, principal: string): Pending | undefined {
  if (!isObject(value) || value.agent !== agent || value.principal !== principal) return undefined;
  return isObject(value.pending) ? (value.pending as unknown as Pending) : undefined;
}
