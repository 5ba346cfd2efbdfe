/**
 * Waiting for a condition ends soon after it holds, and otherwise only after a time that no busy machine needs: Vitest itself looks
 * twenty times a second and gives up after one, and what is written in a test holds for the machine it was written on.
 * @module
 */
import { vi } from 'vitest';

/** Also of `expect.poll`, in `vitest.config.ts`. */
export const PATIENCE_MS = 50_000;
export const LOOK_EVERY_MS = 10;

const patient = Symbol.for('switchboard.test.patient');
const utilities = vi as typeof vi & { [patient]?: true };

// Files share a process: once is enough.
if (!utilities[patient]) {
  const { waitFor } = vi;
  utilities[patient] = true;
  utilities.waitFor = (look, options = {}) => {
    const { timeout = 0, interval = LOOK_EVERY_MS } = typeof options === 'number' ? { timeout: options } : options;
    return waitFor(look, { interval, timeout: Math.max(timeout, PATIENCE_MS) });
  };
}
