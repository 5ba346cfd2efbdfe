/**
 * SIGHUP means two things: to a service, "read your configuration again"; to a program in a terminal that is closed,
 * "your terminal is gone". A program that was started in a terminal and finds none any more was not asked to reload.
 * @module
 */
import { closeSync, openSync } from 'node:fs';

export function terminalIsGone(startedInTerminal: boolean): boolean {
  if (!startedInTerminal) return false;
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return false;
  } catch {
    return true;
  }
}
