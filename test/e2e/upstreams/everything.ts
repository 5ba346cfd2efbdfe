/**
 * The reference server, `@modelcontextprotocol/server-everything`, over stdio and over HTTP.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { COMPILE_CACHE } from '../../fixtures/compile-cache.ts';

const SCRIPT = fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'));
const LOOPBACK = join(import.meta.dirname, 'loopback.ts');

/** What `servers.json` says of it. */
export const EVERYTHING = { command: process.execPath, args: [SCRIPT, 'stdio'], env: COMPILE_CACHE };

export interface EverythingServer {
  url: string;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
}

/** Starts it over Streamable HTTP, or over the old HTTP+SSE, on this port of loopback or on a free one. */
export async function startEverything(
  transport: 'streamableHttp' | 'sse' = 'streamableHttp',
  port = 0,
): Promise<EverythingServer> {
  const child = spawn(process.execPath, ['--import', LOOPBACK, SCRIPT, transport], {
    env: { ...process.env, ...COMPILE_CACHE, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exited = once(child, 'exit');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  child.once('error', reject);
  child.once('exit', () => reject(new Error('The reference server ended before it listened.')));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const match = /^listening on (\d+)$/.exec(line);
    if (match) resolve(`http://127.0.0.1:${match[1]}/${transport === 'sse' ? 'sse' : 'mcp'}`);
  });
  return {
    url: await promise,
    async kill() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
