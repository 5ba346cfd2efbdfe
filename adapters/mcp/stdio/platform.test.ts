import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { recordingLog } from '../../testing/context.ts';
import { Child } from './child.ts';
import { childEnvironment } from './env.ts';
import { POSIX, windows } from './platform.ts';

/** Windows as far as it can be had here: what is started and ended, by tools that do it in this system's way. */
function fakeWindows() {
  const started: { command: string; detached: boolean | undefined; shell: unknown }[] = [];
  const killed: { args: readonly string[]; waits: boolean }[] = [];
  const platform = windows({
    crossSpawn(command, args, options) {
      started.push({ command, detached: options.detached, shell: options.shell });
      return spawn(process.execPath, [...args], options);
    },
    taskkill(args, waits) {
      killed.push({ args, waits });
      if (args.includes('/F')) process.kill(Number(args[1]), 'SIGKILL');
    },
  });
  return { platform, started, killed };
}

const target = (script: string) => ({
  transport: 'stdio' as const,
  command: 'C:\\Program Files\\nodejs\\npx.cmd',
  args: ['-e', script],
  env: {},
  cwd: undefined,
});

const handlers = (exited: (reason: Error) => void = () => {}) => ({ line() {}, oversize() {}, exited });

describe('a child on Windows', () => {
  it('is started by cross-spawn, without a group of its own, and ended with its tree when it does not end itself', async () => {
    const { platform, started, killed } = fakeWindows();
    const deaf = target('setInterval(() => {}, 1000)');
    const child = new Child(deaf, 'one', 1_000, recordingLog(), handlers(), platform);
    await child.close();
    expect(started).toEqual([{ command: deaf.command, detached: false, shell: false }]);
    expect(killed.map(({ args, waits }) => [...args.filter((arg) => !/^\d+$/.test(arg)), waits])).toEqual([
      ['/pid', '/T', false],
      ['/pid', '/T', '/F', false],
    ]);
  });

  it('that ends by itself is not ended again: its process id may be another one’s by then', async () => {
    const { platform, killed } = fakeWindows();
    const { promise, resolve } = Promise.withResolvers<Error>();
    new Child(target('process.exit(3)'), 'one', 1_000, recordingLog(), handlers(resolve), platform);
    expect((await promise).message).toBe("Server 'one' exited with code 3.");
    expect(killed).toEqual([]);
  });

  it('ends while the gateway waits, when the gateway itself ends', () => {
    const { platform, killed } = fakeWindows();
    const running = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    platform.killNow(running.pid ?? 0);
    expect(killed).toEqual([{ args: ['/pid', String(running.pid), '/T', '/F'], waits: true }]);
  });

  it('has the variables of its entry in place of inherited ones that differ in case only', () => {
    const own = { PATH: 'C:\\Windows', COMSPEC: 'C:\\Windows\\cmd.exe' };
    const environment = childEnvironment({ Path: 'D:\\tools' }, own, true);
    expect(environment).toMatchObject({ Path: 'D:\\tools', COMSPEC: own.COMSPEC });
    expect(environment).not.toHaveProperty('PATH');
  });
});

it('a child elsewhere is started without cross-spawn, and leads a group that ends with it', async () => {
  const script = `require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    setInterval(() => {}, 1000);`;
  const leader = POSIX.start(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  // The pipe closes once no process has it open, the leader's own child included.
  const closed = leader.stdout && once(leader.stdout.resume(), 'close');
  await once(leader, 'spawn');
  POSIX.signal(leader.pid ?? 0, 'SIGKILL');
  await closed;
});
