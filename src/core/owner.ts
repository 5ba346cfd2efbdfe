/**
 * Which process something in the state belongs to, and whether that process is gone, as far as it can be seen from this one.
 * @module
 */
import { hostname } from 'node:os';

export interface Owner {
  /** Of the gateway; a process may have several, one after the other. */
  readonly replica: string;
  readonly pid: number;
  readonly host: string;
}

/** The gateways of this process that are open. */
const HERE = new Set<string>();

/** This process, for the gateway of this id, which is open from now on. */
export function ownerHere(replica: string): Owner {
  HERE.add(replica);
  return { replica, pid: process.pid, host: hostname() };
}

/** The gateway of this id is closed. */
export const ownerLeft = (replica: string): void => void HERE.delete(replica);

/** False also where it cannot be seen from this machine. */
export function isGone({ replica, pid, host }: Owner): boolean {
  if (host !== hostname()) return false;
  return pid === process.pid ? !HERE.has(replica) : !isAlive(pid);
}

/** Whether a process of this machine runs, also one of another user. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
