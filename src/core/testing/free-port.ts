/**
 * Ports for tests that must know one before anything listens on it, or listen on it a second time.
 * @module
 */
import { createServer } from 'node:net';

// Below the range from which the kernel takes ports by itself: those of other tests' servers and of every connection that
// begins on this machine. One that was free a moment ago is taken there now and then, and a probe can connect to itself.
const FIRST = 21_000;
const COUNT = 9_000;

// A port that was free may be taken only later. So workers, of which there are two, choose among different ports, and one worker
// gives none twice.
const PARITY = Number(process.env.VITEST_POOL_ID ?? 0) % 2;
const given = new Set<number>();

/** Resolves with a port of loopback that is free, and that nothing else on this machine is given by chance. Rejects where none is. */
export async function freePort(): Promise<number> {
  if (given.size > COUNT / 4) given.clear();
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = FIRST + 2 * Math.floor((Math.random() * COUNT) / 2) + PARITY;
    if (given.has(port)) continue;
    given.add(port);
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
