/**
 * Where the processes run and what can be read about them: cores, CPU time, resident memory. Linux only for the
 * readings; elsewhere latency and throughput are still measured, and the run says what is missing.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, platform, release } from 'node:os';

export interface Layout {
  /** Script of the gateway's command. */
  gatewayEntry: string;
  /** Core of the process under test; undefined when nothing is pinned. */
  gatewayCore: number | undefined;
  /** Core of the load generator and of the upstreams. */
  loadCore: number | undefined;
  /** Whether CPU time can be read per process. */
  readsCpu: boolean;
  /** What is not as the method wants it, for the report. */
  notes: string[];
}

/** `0-1,4` as numbers. */
export function parseCpuList(text: string): number[] {
  const cores: number[] = [];
  for (const part of text.trim().split(',')) {
    const range = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (!range) continue;
    const first = Number(range[1]);
    for (let core = first; core <= Number(range[2] ?? first); core++) cores.push(core);
  }
  return cores;
}

export function readLayout(gatewayEntry: string): Layout {
  const notes: string[] = [];
  const readsCpu = processCpuNs(process.pid) !== undefined;
  if (!readsCpu) notes.push('CPU time per process cannot be read here (no /proc/PID/task/*/schedstat): no CPU ratios.');
  if (spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status !== 0) {
    notes.push('taskset is not available: processes are not pinned, so ratios are less steady.');
    return { gatewayEntry, gatewayCore: undefined, loadCore: undefined, readsCpu, notes };
  }
  const allowed = /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  const [gatewayCore, loadCore] = parseCpuList(allowed);
  if (gatewayCore === undefined || loadCore === undefined) {
    notes.push('Fewer than two cores are available: nothing is pinned, and everything competes for one core.');
    return { gatewayEntry, gatewayCore: undefined, loadCore: undefined, readsCpu, notes };
  }
  return { gatewayEntry, gatewayCore, loadCore, readsCpu, notes };
}

/**
 * CPU time of a process so far, in nanoseconds: all its threads, so that garbage collection and compilation count.
 * Undefined where the kernel does not tell.
 */
export function processCpuNs(pid: number): number | undefined {
  try {
    let total = 0;
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      total += taskCpuNs(`/proc/${pid}/task/${task}/schedstat`);
    }
    return total > 0 ? total : undefined;
  } catch {
    return undefined;
  }
}

/** A thread may end between listing and reading: it counts nothing then. */
function taskCpuNs(path: string): number {
  try {
    return Number(readFileSync(path, 'utf8').split(' ')[0]);
  } catch {
    return 0;
  }
}

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}

export interface Machine {
  node: string;
  undici: string;
  os: string;
  cpu: string;
  cores: number;
  /** One-minute load average before the run began: what else was going on. */
  loadBefore: number;
}

export function describeMachine(undiciVersion: string): Machine {
  return {
    node: process.version,
    undici: undiciVersion,
    os: `${platform()} ${release()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    loadBefore: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}
