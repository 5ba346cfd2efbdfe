/**
 * Events as lines of the log, at `debug`: every request with its duration, every session. At other levels the log
 * does not subscribe, so they cost nothing.
 * @module
 */

import { SwitchboardError, UpstreamError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { subscribe } from './events.ts';
import { isLogged } from './log.ts';

/** Returns a function that ends it. */
export function logEvents(log: Log, instance: string): () => void {
  if (!isLogged(log, 'debug')) return () => {};
  const stops = [
    subscribe(
      'finished',
      ({ call, method, server, durationMs, queueMs, error }) => {
        const fields = { call, method, server, durationMs: rounded(durationMs), queueMs: rounded(queueMs) };
        if (error === undefined) log.debug(fields, 'A request was answered.');
        else log.debug({ ...fields, error: codeOf(error) }, 'A request failed.');
      },
      instance,
    ),
    subscribe(
      'session',
      ({ state, session, principal, protocolVersion, client }) =>
        log.debug({ session, principal, protocolVersion, client }, `A session was ${state}.`),
      instance,
    ),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

const rounded = (ms: number): number => Math.round(ms * 100) / 100;

function codeOf(error: unknown): string | number {
  if (error instanceof SwitchboardError) return error.code;
  return error instanceof UpstreamError ? error.rpcCode : 'SWB_INTERNAL';
}
