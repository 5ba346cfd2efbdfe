/**
 * Replies of endpoints for agents: JSON, and streams of server-sent events that wait for a slow reader.
 * @module
 */
import type { ServerResponse } from 'node:http';
import { sseFrame } from '../../wire/sse.ts';
import { errorHeaders } from '../http/reply.ts';

export function sendJson(res: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  res.end(body);
}

/** Sets the header that tells a client how to come back. Where the response has begun it is too late for one. */
export function challenge(res: ServerResponse, error: unknown): void {
  if (res.headersSent) return;
  for (const [name, value] of Object.entries(errorHeaders(error, res) ?? {})) res.setHeader(name, value as string);
}

export interface SentEvents {
  /** Resolves when the reader can take more, or is gone. */
  send(data: unknown, event?: string): Promise<void>;
  end(): void;
}

const KEEP_ALIVE_MS = 15_000;

/** Begins a stream. Comments keep it alive while nothing is sent. */
export function streamEvents(res: ServerResponse): SentEvents {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' });
  res.flushHeaders();
  const alive = setInterval(() => res.write(': alive\n\n'), KEEP_ALIVE_MS);
  res.on('close', () => clearInterval(alive));
  return {
    async send(data, event) {
      const frame = sseFrame({ data: JSON.stringify(data), ...(event === undefined ? {} : { event }) });
      if (!res.destroyed && !res.write(frame)) await drained(res);
    },
    end() {
      clearInterval(alive);
      res.end();
    },
  };
}

const drained = (res: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      res.off('drain', done);
      res.off('close', done);
      resolve();
    };
    res.on('drain', done);
    res.on('close', done);
  });
