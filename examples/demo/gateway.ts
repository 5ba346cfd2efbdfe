/**
 * The gateway as a person starts it: the command, in a process of its own, with a `servers.json` of its own.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const MAIN = join(import.meta.dirname, '../../bin/switchboard.js');
const START_MS = 60_000;
const STOP_MS = 10_000;

export interface DemoGateway {
  readonly url: string;
  close(): Promise<void>;
}

/** Resolves when it listens; its servers connect meanwhile. Rejects with what it wrote when it does not start. */
export async function startGateway(config: object): Promise<DemoGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-demo-'));
  const file = join(folder, 'servers.json');
  writeFileSync(file, JSON.stringify(config, null, 2));
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', file, '--json'], {
    cwd: folder,
    env: { ...process.env, AGENT_SERVERS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      child.kill('SIGTERM');
      await exited;
      clearTimeout(force);
    }
    rmSync(folder, { recursive: true, force: true });
  };

  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = `${stderr}${text}`.slice(-4_000);
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (why: string): void => reject(new Error(`The gateway ${why}.\n${stderr}`));
  const deadline = setTimeout(() => fail('did not listen in time'), START_MS);
  child.once('error', reject);
  child.once('exit', () => fail('ended at its start'));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as { event: string; url: string };
    if (said.event === 'listening') resolve(said.url);
  });
  try {
    return { url: await promise, close };
  } catch (error) {
    await close();
    throw error;
  } finally {
    clearTimeout(deadline);
  }
}
