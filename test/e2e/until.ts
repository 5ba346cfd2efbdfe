/**
 * Waiting for a condition, with a deadline: never for a time.
 * @module
 */
import { setTimeout as pause } from 'node:timers/promises';

const DEADLINE_MS = 50_000;

/** Resolves with the first result that is neither `undefined` nor false; rejects when there is none in time. */
export async function until<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  what: string | (() => string),
  ms = DEADLINE_MS,
): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) {
      throw new Error(`Waited ${ms} ms for ${typeof what === 'string' ? what : what()}.`);
    }
    await pause(10);
  }
}
