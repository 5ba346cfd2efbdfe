/**
 * Event streams of a gateway, read without a client library: what comes on them, as it comes.
 * @module
 */
import { SseParser } from '../../src/wire/sse.ts';
import type { RawRequest } from '../e2e/raw.ts';

export type Message = Record<string, unknown> & {
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
};

export interface Stream {
  messages: Message[];
  /** Resolves when the other side has ended it. */
  ended: Promise<void>;
  close(): void;
}

/** Opens a stream with this request, and resolves when it stands. */
export async function openStream(
  url: string | URL,
  { method = 'POST', headers = {}, body }: RawRequest,
): Promise<Stream> {
  const abort = new AbortController();
  const both = 'application/json, text/event-stream';
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', accept: method === 'GET' ? 'text/event-stream' : both, ...headers },
    signal: abort.signal,
    ...(body === undefined ? {} : { body }),
  });
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    throw new Error(`No stream: ${response.status} ${await response.text()}`);
  }
  const messages: Message[] = [];
  const parser = new SseParser(
    {
      onEvent: ({ data }) => {
        if (data.length > 0) messages.push(JSON.parse(data.toString()) as Message);
      },
    },
    1_000_000,
  );
  const read = async (): Promise<void> => {
    try {
      for await (const chunk of response.body ?? []) parser.push(Buffer.from(chunk));
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    }
  };
  return { messages, ended: read(), close: () => abort.abort() };
}
