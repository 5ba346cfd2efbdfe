/**
 * How children are started and ended on this system. Elsewhere than on Windows each leads a process group of its own. Windows has
 * neither groups nor signals, and starts `npx`, `uvx` and other `.cmd` files through its shell only: there children are started
 * by cross-spawn, as the official SDK does, and ended by taskkill, with the tree of what they have started.
 * @module
 */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

export interface Platform {
  /** Whether `SIGTERM` and `SIGKILL` reach what a child has started after the child itself is gone. */
  readonly hasGroups: boolean;
  start(command: string, args: readonly string[], options: SpawnOptions): ChildProcess;
  /** Ends a child that runs, and what it has started. `SIGTERM` asks, `SIGKILL` does not. */
  signal(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void;
  /** As `SIGKILL`, at once: the gateway's own process is ending. */
  killNow(pid: number): void;
}

type Spawn = (command: string, args: readonly string[], options: SpawnOptions) => ChildProcess;

export const POSIX: Platform = {
  hasGroups: true,
  start: (command, args, options) => spawn(command, args, { ...options, detached: true }),
  signal: (pid, signal) => signalGroup(pid, signal),
  killNow: (pid) => signalGroup(pid, 'SIGKILL'),
};

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nothing of it is left.
  }
}

export interface WindowsTools {
  crossSpawn: Spawn;
  /** Runs taskkill with these arguments; `waits` until it has ended. */
  taskkill(args: readonly string[], waits: boolean): void;
}

export function windows({ crossSpawn, taskkill }: WindowsTools = windowsTools()): Platform {
  return {
    hasGroups: false,
    start: (command, args, options) => crossSpawn(command, args, { ...options, detached: false }),
    // Without /F taskkill asks; programs without a window do not notice.
    signal: (pid, signal) => taskkill(['/pid', String(pid), '/T', ...(signal === 'SIGKILL' ? ['/F'] : [])], false),
    killNow: (pid) => taskkill(['/pid', String(pid), '/T', '/F'], true),
  };
}

function windowsTools(env: NodeJS.ProcessEnv = process.env): WindowsTools {
  const program = `${env.SystemRoot ?? 'C:\\Windows'}\\System32\\taskkill.exe`;
  return {
    crossSpawn: createRequire(import.meta.url)('cross-spawn') as Spawn,
    taskkill(args, waits) {
      const options = { stdio: 'ignore', windowsHide: true } as const;
      if (waits) spawnSync(program, args, options);
      // Where it cannot be started, the end of its input is all the child gets.
      else spawn(program, args, options).on('error', () => {});
    },
  };
}

export const PLATFORM: Platform = process.platform === 'win32' ? windows() : POSIX;
