/**
 * A child process in a process group of its own: lines in, lines out, and an end that leaves nothing of it behind, what
 * it has started itself included.
 * @module
 */

import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import type { Target } from '../../../src/core/adapter.ts';
import { SwitchboardError } from '../../../src/core/errors.ts';
import { LastLines } from '../../../src/core/evidence.ts';
import type { Log } from '../../../src/core/log.ts';
import { masking } from '../../../src/core/mask.ts';
import { type Edges, LineSplitter } from '../../../src/wire/lines.ts';
import { joined, type Pieces } from '../../../src/wire/pieces.ts';
import { Throttle } from '../../shared/throttle.ts';
import { childEnvironment } from './env.ts';
import { forget, guard } from './groups.ts';
import { PLATFORM, type Platform } from './platform.ts';

const STDERR_LINE_BYTES = 8 * 1024;
/** Lines of stderr kept for the log of an unexpected end. */
const STDERR_KEPT = 20;

/** Closing stdin is the request to end (2026-07-28 transports/stdio, "Shutdown"); then come SIGTERM and SIGKILL. */
const TERM_AFTER_MS = 700;
const KILL_AFTER_MS = 1_500;
/** After the exit, how long output of it may still arrive. */
const DRAIN_MS = 200;

export interface ChildHandlers {
  line(line: Pieces): void;
  oversize(edges: Edges): void;
  /** Something was written to stderr. */
  stderr?(): void;
  /** It has ended or never started, and `close` was not called. At most once. */
  exited(reason: SwitchboardError): void;
}

export class Child {
  readonly #name: string;
  readonly #log: Log;
  readonly #handlers: ChildHandlers;
  readonly #platform: Platform;
  readonly #process: ChildProcess;
  readonly #gone = Promise.withResolvers<void>();
  readonly #stderr: string[] = [];
  readonly #masked: (line: string) => string;
  #closing: Promise<void> | undefined;
  #ended = false;

  constructor(
    target: Target & { transport: 'stdio' },
    name: string,
    maxLineBytes: number,
    log: Log,
    handlers: ChildHandlers,
    platform: Platform = PLATFORM,
  ) {
    this.#platform = platform;
    this.#name = name;
    this.#log = log;
    this.#handlers = handlers;
    this.#masked = masking(target);
    const { command, args, env, cwd } = target;
    this.#process = platform.start(command, [...args], {
      cwd,
      env: childEnvironment(env, process.env, !platform.hasGroups),
      stdio: ['pipe', 'pipe', 'pipe'],
      shell: false,
      windowsHide: true,
    });
    if (this.#process.pid !== undefined) guard(this.#process.pid);
    this.#process.on('error', (error) => {
      // On Windows the shell was started, and did not find the command.
      if (this.#process.pid !== undefined) forget(this.#process.pid);
      this.#exited(startFailure(error, target, name));
    });
    this.#process.on('exit', (code, signal) => this.#drain(code, signal));

    const lines = new LineSplitter(
      (line) => handlers.line(line),
      (_error, edges) => handlers.oversize(edges),
      maxLineBytes,
    );
    paced(this.#process.stdout, lines);
    const diagnostics = new LineSplitter(
      (line) => this.#diagnostic(joined(line).toString('utf8')),
      ({ message }) => this.#diagnostic(message),
      STDERR_LINE_BYTES,
    );
    paced(this.#process.stderr, diagnostics);
    if (handlers.stderr) this.#process.stderr?.on('data', handlers.stderr);
    // Writing to a child that has just ended is not news: its exit is.
    for (const stream of [this.#process.stdin, this.#process.stdout, this.#process.stderr]) {
      stream?.on('error', () => {});
    }
  }

  /** Whether there is a process: a command that was not found has none. */
  get started(): boolean {
    return this.#process.pid !== undefined;
  }

  /** Writes a line. False when the child has ended or has long stopped reading. */
  write(line: string, mostWaiting: number): boolean {
    const { stdin } = this.#process;
    if (this.#ended || !stdin?.writable || stdin.writableLength > mostWaiting) return false;
    stdin.write(`${line}\n`);
    return true;
  }

  /** Ends the child and its group. Resolves when they are gone, or beyond doubt going. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#ended = true;
    const { pid, stdin } = this.#process;
    if (pid === undefined) return;
    stdin?.end();
    const term = setTimeout(() => this.#platform.signal(pid, 'SIGTERM'), TERM_AFTER_MS);
    const kill = setTimeout(() => this.#platform.signal(pid, 'SIGKILL'), KILL_AFTER_MS);
    const enough = setTimeout(() => this.#gone.resolve(), KILL_AFTER_MS + 500);
    await this.#gone.promise;
    for (const timer of [term, kill, enough]) clearTimeout(timer);
  }

  #diagnostic(text: string): void {
    const line = this.#masked(text);
    this.#stderr.push(line);
    if (this.#stderr.length > STDERR_KEPT) this.#stderr.shift();
    this.#log.debug({ server: this.#name, line }, 'stderr');
  }

  /** Replies written just before the exit may still be in the pipe. */
  #drain(code: number | null, signal: NodeJS.Signals | null): void {
    const { pid, stdout } = this.#process;
    // What the child has started lives in its group, and outlives it unless it is ended too.
    if (pid !== undefined) {
      if (this.#platform.hasGroups) this.#platform.signal(pid, 'SIGKILL');
      forget(pid);
    }
    const done = (): void => {
      clearTimeout(timer);
      this.#exited(exitReason(this.#name, code, signal, this.#stderr));
    };
    const timer = setTimeout(done, DRAIN_MS);
    if (stdout?.readableEnded || stdout?.destroyed) done();
    else stdout?.once('close', done);
  }

  #exited(reason: SwitchboardError): void {
    this.#gone.resolve();
    if (this.#ended) return;
    this.#ended = true;
    if (this.#stderr.length > 0) {
      this.#log.warn({ server: this.#name, stderr: this.#stderr }, 'the last lines of stderr');
    }
    this.#handlers.exited(reason);
  }
}

/** Reads a stream of the child; one that never ends does not take all of the gateway's time. */
function paced(stream: Readable | null, lines: LineSplitter): void {
  const pace = new Throttle();
  let spent = 0;
  stream?.on('data', (chunk: Buffer) => {
    const started = performance.now();
    lines.push(chunk);
    const now = performance.now();
    const rest = pace.rest(spent, started, now);
    spent += now - started;
    if (rest === 0) return;
    stream.pause();
    setTimeout(() => stream.resume(), rest).unref();
  });
}

function exitReason(
  name: string,
  code: number | null,
  signal: NodeJS.Signals | null,
  stderr: readonly string[],
): SwitchboardError {
  const how = signal === null ? `exited with code ${code ?? 0}` : `was ended by ${signal}`;
  return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${name}' ${how}.`, {
    data: { server: name, ...(signal === null ? { exitCode: code ?? 0 } : { signal }) },
    ...(stderr.length > 0 ? { cause: new LastLines([...stderr]) } : {}),
  });
}

function startFailure(
  error: NodeJS.ErrnoException,
  { command, cwd }: Target & { transport: 'stdio' },
  name: string,
): SwitchboardError {
  const program = basename(command);
  let what = 'cannot be started';
  // A missing folder is reported like a missing command.
  if (error.code === 'ENOENT') {
    what =
      cwd !== undefined && !existsSync(cwd)
        ? 'cannot be started: its working folder (cwd) does not exist'
        : `cannot be started: the command '${program}' was not found`;
  } else if (error.code === 'EACCES') {
    what = `cannot be started: the command '${program}' may not be run`;
  }
  return new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', `Server '${name}' ${what}.`, {
    data: { server: name },
    cause: error,
  });
}
