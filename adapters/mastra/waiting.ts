/**
 * Runs that wait for a decision because the client could not be asked, so that a later call can decide them.
 *
 * Mastra accepts a decision from any client that knows the run id, even at another agent's route (measured). So a decision
 * is passed on only once, for a tool call this gateway reported as an interrupt, from the principal that received it, and
 * for the same agent.
 * @module
 */
import { FairMap } from '../../src/core/fair-map.ts';
import type { Pending } from './turn.ts';

/** Beyond this number the oldest of the principal with most can no longer be decided. */
const MAX_RUNS = 1_000;

interface WaitingRun {
  agent: string;
  principal: string;
  pending: readonly Pending[];
}

export class WaitingRuns {
  readonly #runs = new FairMap<string, WaitingRun>(MAX_RUNS);

  add(agent: string, principal: string, pending: readonly Pending[]): void {
    for (const { runId } of pending) this.#runs.set(runId, principal, { agent, principal, pending });
  }

  /** Removes and returns the tool call; undefined when this principal may not decide it. */
  take(agent: string, principal: string, runId: string, toolCallId: string): Pending | undefined {
    const run = this.#runs.get(runId);
    if (run?.agent !== agent || run.principal !== principal) return undefined;
    const pending = run.pending.find((call) => call.toolCallId === toolCallId);
    if (pending) this.#runs.delete(runId);
    return pending;
  }
}
