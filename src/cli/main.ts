/**
 * The process of the `switchboard` command. `bin/switchboard.js` starts it.
 * @module
 */
import { enableCompileCache } from 'node:module';
import { compileCacheFolder } from './compile-cache.ts';

enableCompileCache(compileCacheFolder());
// Loaded only now, so that these modules come from the cache.
const [{ run }, { processIo }] = await Promise.all([import('./program.ts'), import('./io.ts')]);
process.exitCode = await run(process.argv.slice(2), processIo());
// Everything is closed. Should something keep the process alive all the same, it ends soon, but not before a slow reader
// (`| less`) has the results. The log and messages to a client on stdio are not waited for: their reader may be gone.
const waitsForReader = !process.argv.includes('--stdio');
setInterval(() => {
  if (!waitsForReader || process.stdout.writableLength === 0) process.exit();
}, 2_000).unref();
