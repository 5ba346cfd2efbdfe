/**
 * The package as `npm publish` would send it, installed in a folder elsewhere: packed from a copy of the repository, so that no build is
 * left behind in it, with its declared dependencies and no others beside it.
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../../build.ts';
import { until } from '../e2e/until.ts';
import { linkDependencies } from './dependencies.ts';

const ROOT = join(import.meta.dirname, '../..');
const COPIED = [
  ...[
    'bin',
    'docs',
    'package.json',
    'servers.schema.json',
    'policy.schema.json',
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
  ],
];

export interface Packed {
  /** Where `npx agent-switchboard` finds it; its `node_modules` holds the package and what it depends on. */
  readonly folder: string;
  /** What the package holds, by path. */
  readonly files: readonly string[];
  /** The installed command. */
  readonly bin: string;
  remove(): void;
}

export async function pack(): Promise<Packed> {
  const copy = mkdtempSync(join(tmpdir(), 'switchboard-pack-'));
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-elsewhere-'));
  try {
    for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    await build(join(copy, 'dist'));
    const tarball = npm(copy, ['pack', '--silent', '--ignore-scripts']).trim();
    const modules = join(folder, 'node_modules');
    const installed = join(modules, 'agent-switchboard');
    mkdirSync(installed, { recursive: true });
    execFileSync('tar', ['-xzf', join(copy, tarball), '-C', installed, '--strip-components=1']);
    const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      bin: Record<string, string>;
    };
    linkDependencies(modules);
    mkdirSync(join(modules, '.bin'));
    for (const [name, target] of Object.entries(bin)) symlinkSync(join(installed, target), join(modules, '.bin', name));
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "dependencies": { "agent-switchboard": "*" } }');
    const files = readdirSync(installed, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1));
    return {
      ...{ folder, files, bin: join(modules, '.bin/agent-switchboard') },
      remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const npm = (cwd: string, words: string[]): string =>
  execFileSync('npm', words, {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: cwd, npm_config_offline: 'true', npm_config_update_notifier: 'false' },
  });

/** A command that a person has started. */
export interface Started {
  /** What it has written so far, to either stream. */
  output(): string;
  stdout(): string;
  /** Resolves with the part of the output that matches. */
  said(what: RegExp): Promise<RegExpExecArray>;
  readonly child: ChildProcess;
  /** Ends it as Ctrl+C does, with all it has started. */
  end(): Promise<number | null>;
}

/** In a process group of its own, as a shell starts it, and with nothing of this process's environment that configures. */
export function start(words: readonly string[], cwd: string, env: Record<string, string> = {}): Started {
  const [command = '', ...args] = words;
  const child = spawn(command, args, {
    cwd,
    env: { PATH: process.env.PATH, npm_config_offline: 'true', npm_config_update_notifier: 'false', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const exited = once(child, 'close');
  let [all, out] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    all += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    all += text;
  });
  return {
    ...{ child, output: () => all, stdout: () => out },
    said: (what) =>
      until(
        () => {
          const found = what.exec(all);
          if (found === null && child.exitCode !== null) throw new Error(`'${words.join(' ')}' ended:\n${all}`);
          return found ?? undefined;
        },
        () => `'${words.join(' ')}' to print ${what}; it printed:\n${all}`,
        150_000,
      ),
    async end() {
      if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), 'SIGINT');
      const [code] = await exited;
      return code as number | null;
    },
  };
}
