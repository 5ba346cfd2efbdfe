/**
 * A Redis of the tests' own, on a free port of this machine, which writes nothing to disk.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../../core/testing/free-port.ts';

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  readonly child: ChildProcess;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** `args` as on the command line of redis-server. */
export async function startRedis(args: readonly string[] = [], before: readonly string[] = []): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'swb-redis-'));
  let port = 0;
  let child: ChildProcess | undefined;
  // A server of another test may have been given the same one.
  for (let attempt = 0; child === undefined; attempt++) {
    port = await freePort();
    child = await start(port);
    if (child === undefined && attempt === 5) throw new Error('redis-server does not start');
  }

  async function start(at: number): Promise<ChildProcess | undefined> {
    const own = ['--port', `${at}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
    const started = spawn('redis-server', [...before, ...own, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const failed = once(started, 'exit').then(() => undefined);
    const ready = (async () => {
      for await (const line of createInterface({ input: started.stdout as NodeJS.ReadableStream })) {
        if (/Ready to accept connections|Sentinel ID is/.test(line)) return started;
      }
      return undefined;
    })();
    const running = await Promise.race([ready, failed]);
    started.stdout?.resume();
    return running;
  }

  async function kill(): Promise<void> {
    const ended = child?.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    child?.kill('SIGKILL');
    await ended;
  }

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get child() {
      return child as ChildProcess;
    },
    kill,
    async restart() {
      child = await start(port);
      if (child === undefined) throw new Error('redis-server does not start again');
    },
    async close() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
