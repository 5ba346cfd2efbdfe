/**
 * The whole gateway in front of whatever a test configures: in this process, or as the command people run. Each has a
 * folder of its own with its `servers.json` and its state, on a free port.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ADAPTERS } from '../../adapters/index.ts';
import type { ServerStatus } from '../../src/federation/types.ts';
import { type GatewayParts, type InternalGateway, openGateway } from '../../src/gateway.ts';
import { loadConfig } from '../../src/load-config.ts';
import { createLog } from '../../src/observe/log.ts';
import { until } from './until.ts';

export type Servers = Record<string, Record<string, unknown>>;

export interface GatewaySetup {
  servers?: Servers;
  /** The `gateway` section, over a free port and a state folder of its own. */
  gateway?: Record<string, unknown>;
  /** Where `servers.json` and the state are: another gateway's, to start it again. */
  folder?: string;
  /** Seen by `${VAR}` in the configuration, and by a gateway in a process of its own. */
  env?: Record<string, string>;
  /** Whether what it logs is kept; in this process only. Default: true. */
  keepsLog?: boolean;
  /** What a program that embeds the gateway brings; in this process only. */
  embedded?: Pick<GatewayParts, 'adapters' | 'auth' | 'credentials' | 'telemetryEnv'>;
}

/** Which servers of an earlier gateway there were, and where. */
export interface Folder {
  readonly folder: string;
  /** Absolute path of `servers.json`. */
  readonly file: string;
  write(servers: Servers): void;
  /** Puts a text there that may be no configuration at all. */
  writeText(text: string): void;
}

export interface RunningGateway extends Folder {
  /** The merged endpoint. */
  readonly url: string;
  /** Another address of the same gateway. */
  at(path: string): URL;
  close(): Promise<void>;
}

/** A gateway in this process. */
export interface OwnGateway extends RunningGateway {
  readonly gateway: InternalGateway;
  status(server: string): ServerStatus;
  /** Resolves when the server is in this state; rejects with how it is instead. */
  reaches(server: string, state: ServerStatus['state']): Promise<ServerStatus>;
  /** What was logged so far, one JSON object per line. */
  log(): string;
  /** Ends it and keeps its folder, so that it can be started again. Rejects when it logged an error. */
  stop(): Promise<void>;
}

/** `connectServer` may connect to the fixtures, which are all on loopback. */
export const FIXTURES_ALLOWED = { connect: { allowPrivate: ['127.0.0.1'] } };

function prepare({ servers = {}, gateway = {}, folder }: GatewaySetup): Folder {
  const own = folder ?? mkdtempSync(join(tmpdir(), 'switchboard-e2e-'));
  const file = join(own, 'servers.json');
  const section = { host: '127.0.0.1', port: 0, stateDir: 'state', ...gateway };
  const writeText = (text: string): void => writeFileSync(file, text);
  const write = (next: Servers): void => writeText(JSON.stringify({ gateway: section, mcpServers: next }, null, 2));
  if (folder === undefined) write(servers);
  return { folder: own, file, write, writeText };
}

/** Starts a gateway in this process. Resolves when it listens, whatever its servers do. */
export async function startGateway(setup: GatewaySetup = {}): Promise<OwnGateway> {
  const folder = prepare(setup);
  const lines: string[] = [];
  const { adapters = ADAPTERS } = setup.embedded ?? {};
  const config = await loadConfig({ file: folder.file, env: setup.env ?? {}, adapters });
  const write = (text: string): void => {
    if (setup.keepsLog !== false) lines.push(text);
  };
  const log = createLog('debug', { to: { write }, pretty: false });
  const gateway = await openGateway(config, { log, ...setup.embedded });
  const { url } = await gateway.listen();
  const status = (name: string): ServerStatus => {
    const member = gateway.federation.member(name);
    if (!member) throw new Error(`The gateway has no server '${name}'.`);
    return member.status();
  };
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= gateway.close().then(() => {
      // Whatever clients and servers do to it: an error in the log is one of the gateway itself.
      const errors = lines.filter((line) => line.includes('"level":"error"'));
      if (errors.length > 0) throw new Error(`The gateway logged errors:\n${errors.join('')}`);
    });
    return stopped;
  };
  return {
    ...folder,
    gateway,
    url,
    at: (path) => new URL(path, url),
    status,
    reaches: (name, state) =>
      until(
        () => {
          const now = status(name);
          return now.state === state ? now : undefined;
        },
        () => `server '${name}' to be ${state}; it is ${JSON.stringify(status(name))}`,
      ),
    log: () => lines.join(''),
    stop,
    close: () => stop().finally(() => rmSync(folder.folder, { recursive: true, force: true })),
  };
}

/** Starts a gateway in this process and waits until every server is ready. */
export async function startReadyGateway(setup: GatewaySetup): Promise<OwnGateway> {
  const running = await startGateway(setup);
  try {
    for (const name of Object.keys(setup.servers ?? {})) await running.reaches(name, 'ready');
    return running;
  } catch (error) {
    await running.close();
    throw error;
  }
}

/** A gateway in a process of its own, started as people start it. */
export interface ServedGateway extends RunningGateway {
  readonly pid: number;
  /** What it wrote to stderr so far. */
  stderr(): string;
  /** How it ended: its exit code or the signal. Undefined: it runs. */
  ended(): string | undefined;
  /** Ends it by this signal and gives its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

const MAIN = join(import.meta.dirname, '../../bin/switchboard.js');

/** The words that start a gateway on stdio with this folder's configuration, for clients that start a command. */
export const stdioCommand = ({ file }: Folder): { command: string; args: string[] } => ({
  command: process.execPath,
  args: [MAIN, 'serve', '--stdio', '--config', file, '--log-level', 'silent'],
});

/** A folder with a `servers.json`, for a gateway that something else starts. */
export function gatewayFolder(setup: GatewaySetup): Folder & { remove(): void } {
  const folder = prepare(setup);
  return { ...folder, remove: () => rmSync(folder.folder, { recursive: true, force: true }) };
}

/** Runs `switchboard serve`. Resolves when it listens. */
export async function serveGateway(setup: GatewaySetup = {}): Promise<ServedGateway> {
  const folder = prepare(setup);
  const env = { ...process.env, AGENT_SERVERS: '', NO_COLOR: '1', ...setup.env };
  const child: ChildProcess = spawn(process.execPath, [MAIN, 'serve', '--config', folder.file, '--json'], {
    cwd: folder.folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const exited = once(child, 'exit');
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const force = setTimeout(() => child.kill('SIGKILL'), 15_000);
    child.kill(signal);
    await exited;
    clearTimeout(force);
    return child.exitCode;
  };
  const ended = (): string | undefined =>
    child.signalCode ?? (child.exitCode === null ? undefined : `exit code ${child.exitCode}`);
  const close = async (): Promise<void> => {
    await end('SIGTERM');
    rmSync(folder.folder, { recursive: true, force: true });
  };
  try {
    const url = await listening(child, () => stderr);
    const pid = child.pid ?? 0;
    return { ...folder, url, at: (path) => new URL(path, url), pid, stderr: () => stderr, ended, end, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function listening(child: ChildProcess, stderr: () => string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (why: string): void => reject(new Error(`switchboard serve ${why}:\n${stderr()}`));
  const deadline = setTimeout(() => fail('did not listen in time'), 110_000);
  child.once('error', reject);
  child.once('exit', () => fail('ended'));
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as { event: string; url: string };
      if (said.event === 'listening') resolve(said.url);
    });
  }
  return promise.finally(() => clearTimeout(deadline));
}

/** Everything a gateway keeps in its state folder, as one text. */
export const readState = ({ folder }: Folder, file: string): string =>
  readFileSync(join(folder, 'state', file), 'utf8');
