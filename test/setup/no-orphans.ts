/**
 * Runs around the whole test run: no process a test started may outlive it. Children of upstreams run in process groups
 * of their own, so a forgotten one shows up as an orphan: parent 1, started after the run began, working in this folder.
 * @module
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

interface Process {
  pid: number;
  startedAfterBoot: number;
  command: string;
}

function orphansHere(): Process[] {
  const here = process.cwd();
  const found: Process[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      // The command may hold spaces and parentheses: fields are counted from the last one.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const [state, parent] = [fields[0], Number(fields[1])];
      if (parent !== 1 || state === 'Z' || !readlinkSync(`/proc/${name}/cwd`).startsWith(here)) continue;
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      found.push({ pid: Number(name), startedAfterBoot: Number(fields[19]), command });
    } catch {
      // It ended while we looked, or it is not ours to read.
    }
  }
  return found;
}

export default function setup(): (() => Promise<void>) | undefined {
  if (process.platform !== 'linux') return undefined;
  const before = new Set(orphansHere().map(({ pid, startedAfterBoot }) => `${pid}/${startedAfterBoot}`));
  return async () => {
    const left = (): Process[] =>
      orphansHere().filter(({ pid, startedAfterBoot }) => !before.has(`${pid}/${startedAfterBoot}`));
    // What is being killed needs a moment to be gone.
    const deadline = Date.now() + 20_000;
    while (left().length > 0 && Date.now() < deadline) await new Promise((next) => setTimeout(next, 50));
    const remaining = left();
    if (remaining.length === 0) return;
    throw new Error(`Tests left processes behind:\n${remaining.map((p) => `  ${p.pid} ${p.command}`).join('\n')}`);
  };
}
