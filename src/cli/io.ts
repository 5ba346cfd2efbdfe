/**
 * The parts of the process that a command uses: streams, environment, signals. Tests pass their own.
 * @module
 */
import { realpathSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import type { Environment } from '../config/expand.ts';

export type Input = Readable & { isTTY?: boolean | undefined };
export type OutputStream = Writable & { isTTY?: boolean | undefined; columns?: number | undefined };

export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

export interface Io {
  stdin: Input;
  stdout: OutputStream;
  stderr: OutputStream;
  env: Environment;
  cwd: string;
  /** The file that was started, for the snippet a client is given. */
  program: string;
  /** Returns a function that stops listening. */
  onSignal(signal: Signal, listener: () => void): () => void;
  /** Ends the process at once, after a second signal. */
  exit(code: number): void;
}

/**
 * `text` with commands as this person can type them: started by npx or an npm script, there is no `switchboard` on the PATH.
 */
export function typeable(text: string, { env }: Pick<Io, 'env'>): string {
  if (env.npm_command === undefined) return text;
  return text.replaceAll(/(?<![\w-])switchboard (?=[a-z])/g, 'npx agent-switchboard ');
}

export function processIo(): Io {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    // npx starts a link in its cache, which may be deleted; its target stays.
    program: realpathSync(process.argv[1] ?? '.'),
    onSignal(signal, listener) {
      process.on(signal, listener);
      return () => process.off(signal, listener);
    },
    exit: (code) => process.exit(code),
  };
}
