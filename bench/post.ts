/**
 * HTTP of the load generator: one keep-alive connection, one request at a time, nothing between the call and undici's
 * dispatch.
 * @module
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Client, type Dispatcher } from 'undici';
import type { HttpReply } from './check-reply.ts';

export class Connection {
  readonly #client: Client;
  readonly #path: string;

  constructor(port: number, path: string) {
    this.#client = new Client(`http://127.0.0.1:${port}`, {
      pipelining: 1,
      headersTimeout: 30_000,
      bodyTimeout: 30_000,
    });
    this.#path = path;
  }

  post(headers: Record<string, string>, body: string): Promise<HttpReply> {
    return this.#send('POST', headers, body);
  }

  delete(headers: Record<string, string>): Promise<HttpReply> {
    return this.#send('DELETE', headers, null);
  }

  #send(method: 'POST' | 'DELETE', headers: Record<string, string>, body: string | null): Promise<HttpReply> {
    return new Promise((resolve, reject) => {
      this.#client.dispatch({ method, path: this.#path, headers, body }, new Collector(resolve, reject));
    });
  }

  async close(): Promise<void> {
    await this.#client.destroy();
  }
}

class Collector implements Dispatcher.DispatchHandler {
  readonly #resolve: (reply: HttpReply) => void;
  readonly #reject: (error: Error) => void;
  readonly #chunks: Buffer[] = [];
  #status = 0;
  #headers: IncomingHttpHeaders = {};

  constructor(resolve: (reply: HttpReply) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const chunks = this.#chunks;
    this.#resolve({
      status: this.#status,
      contentType: String(this.#headers['content-type'] ?? ''),
      sessionId: this.#headers['mcp-session-id'] as string | undefined,
      body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }
}
