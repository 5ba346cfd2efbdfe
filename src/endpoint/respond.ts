/**
 * Writes the response to a request once the relay has its result.
 * @module
 */
import type { Log } from '../core/log.ts';
import type { CallResult, InFlight } from '../relay/types.ts';

export interface Responder {
  /** Ends the request. False when it was over before: its client has cancelled it or left. */
  end(): boolean;
  /** Writes the result. What it throws is written as an error instead. */
  reply(result: CallResult): void;
  fail(error: unknown): void;
}

export function respondTo(inFlight: InFlight, responder: Responder, log: Log, method: string): void {
  inFlight.result.then(
    (result) => {
      if (!responder.end()) return;
      try {
        responder.reply(result);
      } catch (error) {
        log.error({ err: error, method }, 'an answer could not be written');
        responder.fail(error);
      }
    },
    (error: unknown) => {
      if (responder.end()) responder.fail(error);
    },
  );
}
