/**
 * Children of a run: each in a process group of its own, stopped by the pid that was noted when it started, whatever
 * way the run ends.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '../../../src/core/testing/free-port.ts';

const running = new Set<ChildProcess>();

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone.
  }
}

process.on('exit', () => {
  for (const child of running) signalGroup(child, 'SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(130));
}

export interface Child {
  /** Everything it wrote, the last 64 KiB of it. */
  output(): string;
  /** Resolves with its exit code, or undefined when a signal ended it. */
  readonly ended: Promise<number | undefined>;
  stop(): Promise<void>;
}

const KEPT_OUTPUT = 64 * 1024;
const GRACE_MS = 3_000;

/** Starts Node on a script. `onLine` gets each line of its stdout. */
export function startNode(
  script: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; onLine?: (line: string) => void } = {},
): Child {
  const child = spawn(process.execPath, [script, ...args], {
    detached: true,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  let rest = '';
  const keep = (text: string): void => {
    output = (output + text).slice(-KEPT_OUTPUT);
  };
  child.stderr.setEncoding('utf8').on('data', keep);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    keep(text);
    const lines = (rest + text).split('\n');
    rest = lines.pop() as string;
    for (const line of lines) options.onLine?.(line);
  });
  const ended = once(child, 'close').then(
    ([code]) => {
      running.delete(child);
      return (code as number | null) ?? undefined;
    },
    (error: Error) => {
      running.delete(child);
      keep(error.message);
      return undefined;
    },
  );
  return {
    output: () => output,
    ended,
    async stop() {
      signalGroup(child, 'SIGTERM');
      const force = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS);
      await ended;
      clearTimeout(force);
    },
  };
}

export interface Service {
  url: string;
  /** What it wrote so far, for messages about trouble. */
  output(): string;
  stop(): Promise<void>;
}

const START_MS = 30_000;

/** Starts a server that says `{"event":"ready","url":…}` on stdout, and waits for that. */
export async function startService(script: string, args: readonly string[]): Promise<Service> {
  // So that no server left over from an earlier run is tested.
  const port = await freePort();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const onLine = (line: string): void => {
    if (!line.startsWith('{"event":"ready"')) return;
    resolve((JSON.parse(line) as { url: string }).url);
  };
  const child = startNode(script, ['--port', String(port), ...args], { onLine });
  const late = setTimeout(() => reject(new Error('it did not say that it is ready')), START_MS);
  void child.ended.then((code) => reject(new Error(`it ended with ${code ?? 'a signal'}`)));
  try {
    return { url: await promise, output: child.output, stop: child.stop };
  } catch (error) {
    await child.stop();
    throw new Error(`${script}: ${(error as Error).message}\n${child.output()}`);
  } finally {
    clearTimeout(late);
  }
}
