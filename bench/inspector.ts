/**
 * The little of Node's inspector protocol the bench needs: forced garbage collection, heap size, CPU profiles of a
 * window (and not of the start-up before it).
 * @module
 */
import type { Child } from './child.ts';

export interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
}

export interface CpuProfile {
  nodes: ProfileNode[];
  startTime: number;
  endTime: number;
  samples: number[];
  timeDeltas: number[];
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export class Inspector {
  readonly #socket: WebSocket;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', (event) => this.#receive(String(event.data)));
    socket.addEventListener('close', () => {
      for (const pending of this.#pending.values()) pending.reject(new Error('the inspector closed'));
      this.#pending.clear();
    });
  }

  /** The process has to be started with `--inspect=127.0.0.1:0`: it then prints where it listens. */
  static async attach(child: Child): Promise<Inspector> {
    const [, url] = await child.waitForStderr(/Debugger listening on (ws:\S+)/);
    const socket = new WebSocket(url as string);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve());
      socket.addEventListener('error', () => reject(new Error('the inspector does not answer')));
    });
    return new Inspector(socket);
  }

  #receive(text: string): void {
    const message = JSON.parse(text) as { id?: number; result?: unknown; error?: { message: string } };
    if (message.id === undefined) return;
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.error) pending?.reject(new Error(message.error.message));
    else pending?.resolve(message.result);
  }

  #call<Result>(method: string, params: object = {}): Promise<Result> {
    const id = ++this.#lastId;
    return new Promise<Result>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (result: unknown) => void, reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  async collectGarbage(): Promise<void> {
    await this.#call('HeapProfiler.collectGarbage');
  }

  /** Bytes of live objects: JavaScript heap and what it keeps outside (buffers). Collect garbage first. */
  async liveBytes(): Promise<number> {
    const { result } = await this.#call<{ result: { value: number } }>('Runtime.evaluate', {
      expression: '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())',
    });
    return result.value;
  }

  async startProfile(): Promise<void> {
    await this.#call('Profiler.enable');
    await this.#call('Profiler.setSamplingInterval', { interval: 200 });
    await this.#call('Profiler.start');
  }

  async stopProfile(): Promise<CpuProfile> {
    return (await this.#call<{ profile: CpuProfile }>('Profiler.stop')).profile;
  }

  close(): void {
    this.#socket.close();
  }
}
