/**
 * The process groups of the children that run, so that none of them outlives the gateway, however that ends. One that
 * exits ends them itself; one that is killed on the spot (SIGKILL, out of memory) cannot: a shell that waits beside it does
 * so, since its input ends with the gateway.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { PLATFORM } from './platform.ts';

const alive = new Set<number>();

process.on('exit', () => {
  for (const pid of alive) PLATFORM.killNow(pid);
});

/**
 * Reads `+ pid` and `- pid`. At the end of its input most children have seen the end of theirs and leave; the others get
 * SIGTERM, then SIGKILL.
 */
const GUARDIAN = `
groups=
while read -r op pid; do
  rest=
  for each in $groups; do [ "$each" = "$pid" ] || rest="$rest $each"; done
  groups=$rest
  [ "$op" = + ] && groups="$groups $pid"
done
[ -n "$groups" ] || exit 0
sleep 1
for each in $groups; do kill -TERM "-$each"; done 2>/dev/null
sleep 1
for each in $groups; do kill -KILL "-$each"; done 2>/dev/null
`;

let guardian: ChildProcess | undefined;

/** From now on the group of this child ends with the gateway. */
export function guard(pid: number): void {
  alive.add(pid);
  if (!PLATFORM.hasGroups) return;
  if (guardian) guardian.stdin?.write(`+ ${pid}\n`);
  else startGuardian();
}

/** The child has ended, and its group with it. */
export function forget(pid: number): void {
  alive.delete(pid);
  guardian?.stdin?.write(`- ${pid}\n`);
}

/** Where there is no shell, or another process has ended it, the next child starts another one. */
function startGuardian(): void {
  const started = spawn('/bin/sh', ['-c', GUARDIAN], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    // A group of its own: an interrupt typed at the terminal is not for it.
    detached: true,
  });
  const gone = (): void => {
    if (guardian === started) guardian = undefined;
  };
  started.on('error', gone);
  started.on('exit', gone);
  started.stdin.on('error', gone);
  // It keeps no process alive.
  started.unref();
  (started.stdin as typeof started.stdin & { unref?(): void }).unref?.();
  for (const pid of alive) started.stdin.write(`+ ${pid}\n`);
  guardian = started;
}
