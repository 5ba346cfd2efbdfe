/**
 * A response of server-sent events for an operator: kept alive, and ended where the client does not read it.
 * @module
 */
import type { ServerResponse } from 'node:http';
import type { AdminStream } from './route.ts';

const KEEP_ALIVE_MS = 15_000;
/** So long a stream outlives the session that began it. */
const CHECKED_MS = 5_000;
/** What may wait for a client that reads slowly. It comes again and gets the state as it is then. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** `isAllowed`: whether its reader may still read it. Undefined: as long as it likes. */
export function openEventStream(
  res: ServerResponse,
  closing: AbortSignal | undefined,
  isAllowed?: () => Promise<boolean>,
): AdminStream {
  const gone = new AbortController();
  const timer = setInterval(() => res.write(':\n\n'), KEEP_ALIVE_MS).unref();
  const end = (): void => {
    if (!res.destroyed) res.end();
  };
  const check = (): void => {
    // A state that is away says nothing about the reader: the next time decides.
    isAllowed?.().then(
      (allowed) => allowed || end(),
      () => {},
    );
  };
  const checking = isAllowed && setInterval(check, CHECKED_MS).unref();
  res.once('close', () => {
    clearInterval(timer);
    clearInterval(checking);
    closing?.removeEventListener('abort', end);
    gone.abort();
  });
  res.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-accel-buffering': 'no',
  });
  res.flushHeaders();
  if (closing?.aborted) end();
  else closing?.addEventListener('abort', end, { once: true });
  return {
    signal: gone.signal,
    end,
    send(event, data) {
      if (res.destroyed || res.writableEnded) return;
      res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      if (res.writableLength > MAX_WAITING_BYTES) res.destroy();
    },
  };
}
