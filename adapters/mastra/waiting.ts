/**
 * Runs that wait for a person although the client could not be asked, so that a later call can decide them.
 *
 * Mastra lets anybody who knows a run id decide it, and even runs the tool when another agent's route is used
 * (measured). So a decision is passed on only for a tool call this gateway reported, to the principal it was reported
 * to, on the same agent, and once.
 * @module
 */
import type { Pending } from './turn.ts';

/** More than this, and the oldest can no longer be decided here. */
const MAX_RUNS = 1_000;

interface WaitingRun {
  agent: string;
  principal: string;
  pending: readonly Pending[];
}

export class WaitingRuns {
  readonly #runs = new Map<string, WaitingRun>();

  add(agent: string, principal: string, pending: readonly Pending[]): void {
    for (const { runId } of pending) {
      this.#runs.delete(runId);
      this.#runs.set(runId, { agent, principal, pending });
    }
    for (const oldest of this.#runs.keys()) {
      if (this.#runs.size <= MAX_RUNS) break;
      this.#runs.delete(oldest);
    }
  }

  /** Takes the tool call out, or gives undefined when it is not this principal's to decide. */
  take(agent: string, principal: string, runId: string, toolCallId: string): Pending | undefined {
    const run = this.#runs.get(runId);
    if (run?.agent !== agent || run.principal !== principal) return undefined;
    const pending = run.pending.find((call) => call.toolCallId === toolCallId);
    if (pending) this.#runs.delete(runId);
    return pending;
  }
}
