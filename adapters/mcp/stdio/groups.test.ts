import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';

const started: ChildProcess[] = [];
const deaf: number[] = [];

afterEach(() => {
  for (const each of started.splice(0)) each.kill('SIGKILL');
  for (const pid of deaf.splice(0)) if (isAlive(pid)) process.kill(-pid, 'SIGKILL');
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A process that guards children which hear neither SIGTERM nor the end of their input. */
async function gateway(children: number): Promise<{ process: ChildProcess; pids: number[] }> {
  const child = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)';
  const script = `
    import { spawn } from 'node:child_process';
    import { guard } from ${JSON.stringify(new URL('groups.ts', import.meta.url).href)};
    const pids = Array.from({ length: ${children} }, () => {
      const { pid } = spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { detached: true, stdio: 'ignore' });
      guard(pid);
      return pid;
    });
    console.log(JSON.stringify(pids));
    setInterval(() => {}, 1000);
  `;
  const running = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(running);
  const [line] = await once(running.stdout, 'data');
  const pids = JSON.parse(String(line)) as number[];
  deaf.push(...pids);
  return { process: running, pids };
}

test.each(['SIGKILL', 'SIGSEGV'] as const)(
  'children do not outlive a gateway that %s ends on the spot',
  async (signal) => {
    const { process: running, pids } = await gateway(3);
    expect(pids.map(isAlive)).toEqual([true, true, true]);
    running.kill(signal);
    await once(running, 'exit');
    await expect.poll(() => pids.some(isAlive)).toBe(false);
  },
);
