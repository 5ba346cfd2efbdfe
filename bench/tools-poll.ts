/**
 * Watches an endpoint come up from outside: asks for its tools until it answers and until it has enough of them.
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseReply } from './check-reply.ts';
import { listTemplate } from './messages.ts';
import { Connection } from './post.ts';

/** Short against what is measured with it (a second), long enough not to keep the endpoint busy. */
const EVERY_MS = 20;

export class ToolsPoll {
  readonly #port: number;
  readonly #headers: Readonly<Record<string, string>> | undefined;
  #connection: Connection | undefined;
  #lastProblem = 'the port never opened';

  /** `headers` are sent beside those of the protocol. */
  constructor(port: number, headers?: Readonly<Record<string, string>>) {
    this.#port = port;
    this.#headers = headers;
  }

  /** Resolves with the time (`performance.now()`) at which `enough` said yes. */
  async until(enough: (names: string[]) => boolean, deadlineMs: number, ended: () => boolean): Promise<number> {
    const deadline = performance.now() + deadlineMs;
    while (performance.now() < deadline) {
      if (ended()) throw new Error('the process ended');
      const names = await this.#list();
      if (names) {
        if (enough(names)) return performance.now();
        this.#lastProblem = `only ${names.length} tools were listed`;
      }
      await delay(EVERY_MS);
    }
    throw new Error(`not ready within ${deadlineMs / 1000} s: ${this.#lastProblem}`);
  }

  /** Names of all pages; undefined when there is no good answer yet. */
  async #list(): Promise<string[] | undefined> {
    const names: string[] = [];
    try {
      this.#connection ??= new Connection(this.#port, '/mcp');
      for (let cursor: string | undefined, page = 1; ; page++) {
        const { before, after, headers } = listTemplate('modern', cursor);
        const reply = await this.#connection.post({ ...headers, ...this.#headers }, before + page + after);
        if (reply.status !== 200) {
          this.#lastProblem = `tools/list answered with ${reply.status}: ${reply.body.toString('utf8', 0, 300)}`;
          return undefined;
        }
        const { tools, nextCursor } = parseReply(reply).result;
        for (const tool of (tools ?? []) as { name: string }[]) names.push(tool.name);
        if (nextCursor === undefined) return names;
        cursor = nextCursor;
      }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ECONNREFUSED') this.#lastProblem = message;
      this.close();
      return undefined;
    }
  }

  close(): void {
    void this.#connection?.close();
    this.#connection = undefined;
  }
}
