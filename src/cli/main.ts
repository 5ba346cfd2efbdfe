#!/usr/bin/env node
/**
 * The `switchboard` command.
 * @module
 */

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(`switchboard needs Node 22.19 or newer; this is ${process.version}.\n`);
  process.exitCode = 2;
} else {
  // Loaded only now: an older Node would fail on the modules before it could say why.
  const [{ enableCompileCache }, { compileCacheFolder }] = await Promise.all([
    import('node:module'),
    import('./compile-cache.ts'),
  ]);
  enableCompileCache(compileCacheFolder());
  const [{ run }, { processIo }] = await Promise.all([import('./program.ts'), import('./io.ts')]);
  process.exitCode = await run(process.argv.slice(2), processIo());
  // Everything is closed; should something keep the process alive all the same, it does not do so for long. Results
  // still to be read by a slow reader (`| less`) are waited for; the log is not, nor are messages to a client: it may be
  // that nobody reads them at all.
  const results = !process.argv.includes('--stdio');
  setInterval(() => {
    if (!results || process.stdout.writableLength === 0) process.exit();
  }, 2_000).unref();
}
