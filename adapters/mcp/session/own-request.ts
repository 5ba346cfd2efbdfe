/**
 * Requests of the gateway's own (handshake, lists, subscriptions), as promises.
 * @module
 */
import { UpstreamError } from '../../../src/core/errors.ts';
import { Evidence, evidenceOf } from '../../../src/core/evidence.ts';
import type { Outline } from '../../../src/wire/json/outline.ts';
import type { Request } from '../../../src/wire/jsonrpc.ts';
import { joined, type Pieces } from '../../../src/wire/pieces.ts';
import type { HttpHead } from '../../shared/origin.ts';
import { protocolError, resultOf, TOO_DEEP } from './frames.ts';
import type { Link, ResponseHandler, Sent } from './link.ts';

export interface OwnRequest {
  message: Request & { id: number };
  /** The server's name, for messages. */
  name: string;
  signal: AbortSignal;
  /** The signal aborted it while it was in flight. */
  dropped?: () => void;
  /** Called with the head of the HTTP response, where there is one. */
  head?: (head: HttpHead) => void;
}

/** Sends a request and resolves with the bytes of its result. Rejects with the signal's reason when that aborts. */
export function requestOwn(link: Link, { message, name, signal, dropped, head }: OwnRequest): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    let sent: Sent | undefined;
    const stop = (): void => {
      dropped?.();
      sent?.drop();
      reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    const settle = (action: () => void): void => {
      signal.removeEventListener('abort', stop);
      action();
    };
    const handler: ResponseHandler = {
      id: message.id,
      reply: (frame: Pieces, outline: Outline) =>
        settle(() => {
          try {
            const result = resultOf(frame, outline, name);
            if (outline.deep) throw protocolError(name, TOO_DEEP);
            resolve(joined(result));
          } catch (error) {
            if (error instanceof UpstreamError) {
              const evidence = new Evidence(undefined, 'application/json', joined(frame));
              evidence.sent = JSON.stringify(message);
              error.cause = evidence;
            }
            reject(error);
          }
        }),
      // What comes beside the gateway's own requests belongs to the session as a whole.
      serverMessage: (frame, outline) => link.events.serverMessage(frame, outline),
      failed: (error) => {
        const evidence = evidenceOf(error);
        if (evidence) evidence.sent ??= JSON.stringify(message);
        settle(() => reject(error));
      },
    };
    if (head) handler.head = head;
    sent = link.send(message, handler);
  });
}
