/**
 * Responses that can be asked for and gone on from, by principal: another principal's does not exist. The latest of each principal are in
 * memory.
 * @module
 */
import type { JsonObject } from '../../../wire/jsonrpc.ts';
import type { AgentTurn } from '../turn.ts';

export interface StoredResponse {
  /** The agent it is of, as `server/agent`. */
  model: string;
  /** Undefined for one that was not to be kept: only its question can be answered. */
  response: JsonObject;
  threadId: string | undefined;
  /** The turn, while it runs or waits. */
  turn: AgentTurn | undefined;
  /** The call by which the turn asks, and its params. */
  question: { callId: string; params: JsonObject } | undefined;
}

const MAX_RESPONSES = 500;
const MAX_PRINCIPALS = 10_000;

export class ResponseStore {
  readonly #byPrincipal = new Map<string, Map<string, StoredResponse>>();

  get(principal: string, id: string): StoredResponse | undefined {
    return this.#byPrincipal.get(principal)?.get(id);
  }

  set(principal: string, id: string, stored: StoredResponse): void {
    let responses = this.#byPrincipal.get(principal);
    if (!responses) {
      responses = new Map();
      dropFirst(this.#byPrincipal, MAX_PRINCIPALS);
      this.#byPrincipal.set(principal, responses);
    }
    responses.delete(id);
    responses.set(id, stored);
    for (const [old, { turn }] of responses) {
      if (responses.size <= MAX_RESPONSES) break;
      turn?.cancel('Newer responses took its place.');
      responses.delete(old);
    }
  }

  delete(principal: string, id: string): boolean {
    return this.#byPrincipal.get(principal)?.delete(id) ?? false;
  }

  /** How many turns of the principal run or wait. */
  running(principal: string): number {
    let count = 0;
    for (const { turn } of this.#byPrincipal.get(principal)?.values() ?? []) if (turn && !turn.over) count++;
    return count;
  }
}

/** Makes room for one more. */
export function dropFirst<T>(map: Map<string, T>, most: number): void {
  for (const key of map.keys()) {
    if (map.size < most) return;
    map.delete(key);
  }
}
