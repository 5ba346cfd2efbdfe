/**
 * Where Node keeps the compiled form of the gateway's modules: reading it is faster than compiling them at every start
 * (measured: a third of the time until the endpoint listens).
 *
 * It is beside the code, in `node_modules/.cache`, and not in the system's folder for temporary files, where others could
 * put code for this process to run. Where it cannot be written, there is no cache.
 * @module
 */
import { basename, dirname, join } from 'node:path';

/** `folder` is this module's. In a checkout and in an installed package it leads to the same kind of place. */
export function compileCacheFolder(folder: string = import.meta.dirname): string {
  let at = folder;
  for (let parent = dirname(at); parent !== at; at = parent, parent = dirname(at)) {
    if (basename(at) === 'node_modules') return join(at, '.cache', 'agent-switchboard');
  }
  return join(folder, '..', '..', 'node_modules', '.cache', 'agent-switchboard');
}
