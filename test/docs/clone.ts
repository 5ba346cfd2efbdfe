/**
 * A copy of the repository as `git clone` and `npm ci` leave it, without a build, in which the commands of a page are run
 * as printed. Only ports differ: each copy has free ones in place of 7300, 4111 and 2024.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '../../src/core/testing/free-port.ts';
import { until } from '../e2e/until.ts';
import { COMPILE_CACHE } from '../fixtures/compile-cache.ts';
import { type CommandServer, serveCommands } from './command-server.ts';

const ROOT = join(import.meta.dirname, '../..');
const COPIED = [
  ...['bin', 'src', 'adapters', 'hooks', 'docs', 'examples', 'package.json', 'servers.json', 'servers.schema.json'],
  ...['policy.schema.json', 'tsconfig.json', 'vitest.config.ts'],
];
/** Fixtures hold folders of modules, and the scripts of bench and conformance are only asked for their help. */
const LINKED = ['node_modules', 'test', 'bench'];

/** `npx` and `npm run` as they act in a clone, without npm, which takes several times as long to start as what it starts. */
const npx = (command: string): string => `#!/bin/sh
clone=$(dirname "$0")/..
PATH="$clone/node_modules/.bin:$PATH"
name=$1
shift
[ "$name" = agent-switchboard ] || exec "$clone/node_modules/.bin/$name" "$@"
${command}`;
const NPM = `#!/bin/sh
[ "$1" = run ] && shift
name=$1
shift
[ "$1" = -- ] && shift
exec node --run "$name" -- "$@"
`;
/** The gateway's command in a process of its own. */
const PROCESS = 'exec node "$clone/bin/switchboard.js" "$@"\n';
/**
 * What goes on until it is stopped, and one that connects to the servers, as people start it. Options alone are those of `serve`.
 */
const asProcess = (otherwise: string): string =>
  `case $1 in '' | serve | check | -*) ${PROCESS.trim()} ;; esac\n${otherwise}`;

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

export class Clone {
  readonly folder = ownFolder();
  /** The printed port to the one this copy has instead. */
  readonly #ports = new Map<number, number>();
  readonly #children: ChildProcess[] = [];
  /** By the printed port. */
  readonly #serving = new Map<number, ChildProcess>();
  #commands: CommandServer | undefined;

  /** `commandsHere`: this process runs the gateway's commands, all but `serve` and `check`, with its own code and not that of the clone. */
  static async make({ commandsHere = false } = {}): Promise<Clone> {
    const clone = new Clone();
    for (const port of [7300, 4111, 2024]) clone.#ports.set(port, await freePort());
    for (const name of COPIED) {
      const filter = (source: string): boolean => !/\/\.switchboard$/.test(source);
      cpSync(join(ROOT, name), join(clone.folder, name), { recursive: true, filter });
    }
    mkdirSync(join(clone.folder, '.bin'));
    if (commandsHere) clone.#commands = await serveCommands(join(clone.folder, '.bin/commands'));
    clone.#program('npx', npx(clone.#commands ? asProcess(clone.#commands.script) : PROCESS));
    clone.#program('npm', NPM);
    for (const name of LINKED) symlinkSync(join(ROOT, name), join(clone.folder, name));
    for (const file of [
      'servers.json',
      'examples/policy/servers.json',
      'examples/policy/client.ts',
      'examples/agents.ts',
    ]) {
      clone.write(file, clone.onOwnPorts(readFileSync(join(clone.folder, file), 'utf8')));
    }
    // `npm run types` checks the copy alone, not the folders it links to.
    const types = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8'));
    clone.write('tsconfig.json', JSON.stringify({ ...types, include: ['src', 'adapters', 'hooks'] }));
    const config = JSON.parse(readFileSync(join(clone.folder, 'servers.json'), 'utf8'));
    clone.write('servers.json', JSON.stringify({ ...config, gateway: { port: clone.port(7300) } }, null, 2));
    return clone;
  }

  port(printed: number): number {
    return this.#ports.get(printed) ?? printed;
  }

  onOwnPorts(text: string): string {
    return text.replaceAll(/\b(7300|4111|2024)\b/g, (port) => String(this.port(Number(port))));
  }

  write(file: string, text: string): void {
    const path = join(this.folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  /** Makes the change of a `diff` block: lines behind a space or `-` become those behind a space or `+`. */
  change(file: string, diff: string): void {
    const part = (signs: string): string =>
      diff
        .split('\n')
        .filter((line) => line !== '' && signs.includes(line[0] ?? ''))
        .map((line) => `${line.slice(1)}\n`)
        .join('');
    const [before, after] = [part(' -'), part(' +')];
    const text = readFileSync(join(this.folder, file), 'utf8');
    if (text.split(before).length !== 2) throw new Error(`${file} holds these lines not exactly once:\n${before}`);
    this.write(
      file,
      text.replace(before, () => after),
    );
  }

  /** From now on `npx` and `npm` are npm's own. */
  withNpm(): void {
    for (const name of ['npx', 'npm']) rmSync(join(this.folder, '.bin', name));
  }

  /** Runs it to its end, as a person's shell would. */
  async run(script: string): Promise<Ran> {
    const child = this.#spawn(script);
    const ran: Ran = { code: null, stdout: '', stderr: '' };
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      ran.stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      ran.stderr += text;
    });
    [ran.code] = await once(child, 'close');
    return ran;
  }

  /** Starts what goes on running, and resolves when it accepts connections at these printed ports. */
  async start(script: string, ...ports: number[]): Promise<void> {
    const child = this.#spawn(script);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    for (const port of ports) {
      this.#serving.set(port, child);
      const answers = (): Promise<boolean> =>
        fetch(`http://127.0.0.1:${this.port(port)}/healthz`).then(
          () => true,
          () => {
            if (child.exitCode !== null) throw new Error(`'${script}' ended:\n${output}`);
            return false;
          },
        );
      await until(answers, () => `'${script}' to listen; it printed:\n${output}`, 180_000);
    }
  }

  /** Ends what was started. */
  async stop(): Promise<void> {
    for (const child of this.#children.splice(0)) await end(child);
  }

  /** Ends what serves at this printed port. */
  async stopAt(port: number): Promise<void> {
    const child = this.#serving.get(port);
    if (child) await end(child);
  }

  async remove(): Promise<void> {
    await this.stop();
    await this.#commands?.close();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** A command of the clone's shells. */
  #program(name: string, script: string): void {
    this.write(join('.bin', name), script);
    chmodSync(join(this.folder, '.bin', name), 0o755);
  }

  /** In a group of its own, so that what npm starts ends with it. Nothing is ever downloaded. */
  #spawn(script: string): ChildProcess {
    const { PATH = '' } = process.env;
    const home = join(this.folder, '.home');
    mkdirSync(home, { recursive: true });
    const child = spawn('bash', ['-c', this.onOwnPorts(script)], {
      cwd: this.folder,
      env: {
        PATH: `${join(this.folder, '.bin')}:${PATH}`,
        HOME: home,
        NO_COLOR: '1',
        ...COMPILE_CACHE,
        npm_config_offline: 'true',
        npm_config_update_notifier: 'false',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#children.push(child);
    return child;
  }
}

/**
 * The first of these names that no other copy has at the moment. Node finds a compiled module by its path: a copy where one has been
 * starts in a third of the time.
 */
function ownFolder(): string {
  for (let i = 0; ; i++) {
    const folder = join(tmpdir(), `switchboard-clone-${i}`);
    try {
      mkdirSync(folder, { mode: 0o700 });
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  // Its streams are those of everything that it started.
  const exited = once(child, 'close');
  process.kill(-(child.pid ?? 0), 'SIGTERM');
  await exited;
}
