/**
 * Whether this process has just stood still: stopped, frozen with its container, or on a machine that slept. Requests that came
 * meanwhile may have been given up, and answered by another replica; one whose sender has gone must not begin now.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

const TICK_MS = 1_000;
/** A process that is merely busy is not still for so long. */
const STILL_MS = 4_000;
/** What had arrived is read within that time. */
const AFTER_MS = 1_000;
/** So long it takes to see that a sender has gone. */
const LOOK_MS = 100;

export class Standstill {
  #tickedAt = performance.now();
  #endedAt = Number.NEGATIVE_INFINITY;
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Calls `serve` at once; after a standstill only where the sender still waits. */
  guard(req: IncomingMessage, res: ServerResponse, serve: () => void): void {
    const now = performance.now();
    if (now - this.#tickedAt < STILL_MS && now - this.#endedAt > AFTER_MS) {
      serve();
      return;
    }
    setTimeout(() => {
      if (!res.destroyed && !req.socket.destroyed && !req.socket.readableEnded) serve();
    }, LOOK_MS);
  }

  #tick(): void {
    const now = performance.now();
    if (now - this.#tickedAt >= STILL_MS) this.#endedAt = now;
    this.#tickedAt = now;
  }
}
