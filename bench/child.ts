/**
 * The processes of a run: started on their core, spoken to over the channel Node opens to its children, ended by pid.
 * Those of the bench end by themselves when the channel closes, so none outlives the run.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const STDERR_KEPT = 4_096;
const STOP_GRACE_MS = 5_000;

/** Ended with this process, however that ends: only the bench's own notice by themselves that it is gone. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface ChildOptions {
  /** Path of the script, absolute or a file URL. */
  script: string | URL;
  args?: readonly string[];
  nodeFlags?: readonly string[];
  core: number | undefined;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Whether to open the message channel. */
  channel: boolean;
  /** Counts its garbage collections, which Node then writes to stdout. */
  traceGc?: boolean;
}

/** What `--trace-gc` says of a process. Times in milliseconds. */
export class Collections {
  scavenges = 0;
  longestScavenge = 0;

  /** Reads a line such as `[42:0x7f] 310 ms: Scavenge 9.1 (12.0) -> 8.4 (12.0) MB, pooled: 0 MB, 0.71 / 0.00 ms …`. */
  read(line: string): void {
    const took = /ms: Scavenge\b.*?, ([\d.]+) \/ [\d.]+ ms/.exec(line)?.[1];
    if (took === undefined) return;
    this.scavenges++;
    this.longestScavenge = Math.max(this.longestScavenge, Number(took));
  }

  reset(): void {
    this.scavenges = 0;
    this.longestScavenge = 0;
  }
}

export class Child {
  readonly collections = new Collections();
  readonly #process: ChildProcess;
  #stderr = '';
  #onStderr: ((text: string) => void) | undefined;

  constructor(options: ChildOptions) {
    const script = typeof options.script === 'string' ? options.script : fileURLToPath(options.script);
    const traced = options.traceGc ? ['--trace-gc'] : [];
    const node = [...(options.nodeFlags ?? []), ...traced, script, ...(options.args ?? [])];
    const [command, args] =
      options.core === undefined
        ? [process.execPath, node]
        : ['taskset', ['-c', String(options.core), process.execPath, ...node]];
    this.#process = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', options.traceGc ? 'pipe' : 'ignore', 'pipe', ...(options.channel ? (['ipc'] as const) : [])],
    });
    running.add(this.#process);
    this.#process.once('exit', () => running.delete(this.#process));
    if (this.#process.stdout) {
      createInterface({ input: this.#process.stdout }).on('line', (line) => this.collections.read(line));
    }
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
      this.#onStderr?.(this.#stderr);
    });
    this.#process.on('error', (error) => {
      this.#stderr += error.message;
    });
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  get exited(): boolean {
    return this.#process.pid === undefined || this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** The last of what it wrote to stderr. */
  get stderr(): string {
    return this.#stderr.trim();
  }

  /** Resolves with the first match in stderr; rejects when the process ends first. */
  waitForStderr(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (text: string): void => {
        const match = pattern.exec(text);
        if (!match) return;
        this.#onStderr = undefined;
        resolve(match);
      };
      this.#onStderr = look;
      this.#process.once('exit', () => reject(new Error(`process ended: ${this.stderr}`)));
      look(this.#stderr);
    });
  }

  /** Sends a message and resolves with the next one that comes back: the bench's children answer one at a time. */
  ask<Answer>(message: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error(`a process of the bench ended: ${this.stderr || 'no message'}`));
      const answered = (answer: unknown): void => {
        this.#process.off('exit', ended);
        resolve(answer as Answer);
      };
      this.#process.once('exit', ended);
      this.#process.once('message', answered);
      if (this.exited) ended();
      else this.#process.send(message);
    });
  }

  /** Asks it to end, and makes sure of it after a grace period. One with a channel exits by itself: a signal would lose its compile cache. */
  async stop(): Promise<void> {
    if (this.exited) return;
    const exit = once(this.#process, 'exit');
    if (this.#process.connected) this.#process.disconnect();
    else this.#process.kill('SIGTERM');
    const killer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_GRACE_MS);
    await exit;
    clearTimeout(killer);
  }
}

/** In a child of the bench: answers every message with what `handle` returns, and ends when the parent does. */
export function serveParent(handle: (message: never) => Promise<object> | object): void {
  process.on('message', async (message) => {
    const answer = await handle(message as never);
    process.send?.(answer);
  });
  process.on('disconnect', () => process.exit(0));
}
