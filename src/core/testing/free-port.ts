/**
 * Ports for tests that must know one before anything listens on it, or listen on it a second time.
 * @module
 */
import { createServer } from 'node:net';

// Below the range from which the kernel takes ports by itself: those of other tests' servers and of every connection that
// begins on this machine. One that was free a moment ago is taken there now and then, and a probe can connect to itself.
const FIRST = 21_000;
const COUNT = 9_000;

/** Resolves with a port of loopback that is free, and that nothing else on this machine is given by chance. Rejects where none is. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port was found in ${FIRST}…${FIRST + COUNT - 1}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
