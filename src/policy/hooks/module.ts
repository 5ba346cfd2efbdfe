/**
 * Imports the module of a hook. Node caches a module for ever under its URL, so an edited file is imported under a new URL,
 * with its time, size and inode in the query. The module's own imports are not loaded anew; old versions stay in memory.
 * @module
 */

import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { redactText } from '../../config/redact.ts';
import { within } from '../../core/deadline.ts';
import { shorten } from '../../core/text.ts';

const EXTENSIONS = ['.ts', '.mts', '.js', '.mjs'];

/** A module that waits for something while it loads must not keep the gateway from starting. */
const LOAD_TIMEOUT_MS = 10_000;

const MAX_MESSAGE = 200;

/** The message is a sentence part about the module: no stack, and no path but the configured one. */
export class HookProblem extends Error {}

/** Identifies the file at `path` now. Rejects with {@link HookProblem}. */
export async function moduleVersion(path: string): Promise<string> {
  if (!EXTENSIONS.includes(extname(path))) {
    throw new HookProblem(`${path} is no module; allowed: ${EXTENSIONS.join(', ')}`);
  }
  try {
    const stats = await stat(path, { bigint: true });
    if (!stats.isFile()) throw new HookProblem(`${path} is no file`);
    return `${stats.mtimeNs}-${stats.size}-${stats.ino}`;
  } catch (error) {
    if (error instanceof HookProblem) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new HookProblem(
      code === 'ENOENT' ? `there is no file ${path}` : `${path} cannot be read (${code ?? 'unknown'})`,
    );
  }
}

/** Node caches failures under their URL too, also when their cause (a missing import) is gone without an edit. */
const failures = new Map<string, number>();

/** The default export of the module. Throws {@link HookProblem}. */
export async function importDefault(path: string, version: string, timeoutMs = LOAD_TIMEOUT_MS): Promise<unknown> {
  const failed = failures.get(path) ?? 0;
  const url = `${pathToFileURL(path).href}?v=${version}${failed === 0 ? '' : `-${failed}`}`;
  let exports: { default?: unknown };
  try {
    exports = await loadedInTime(import(url) as Promise<{ default?: unknown }>, timeoutMs, `${path} took`);
  } catch (error) {
    failures.set(path, failed + 1);
    throw error instanceof HookProblem ? error : new HookProblem(importProblem(path, error));
  }
  if (exports.default === undefined) {
    throw new HookProblem(`${path} has no default export; export a hook or a function that makes one`);
  }
  return exports.default;
}

/** Settles as `promise` does, or rejects with a `HookProblem` after `timeoutMs`. */
export const loadedInTime = <T>(promise: PromiseLike<T>, timeoutMs: number, what: string): Promise<T> =>
  within(promise, timeoutMs, () => {
    throw new HookProblem(`${what} longer than ${timeoutMs} ms to load`);
  });

function importProblem(path: string, error: unknown): string {
  switch ((error as NodeJS.ErrnoException | undefined)?.code) {
    case 'ERR_MODULE_NOT_FOUND':
    case 'ERR_PACKAGE_PATH_NOT_EXPORTED':
      return `${path} imports a module that cannot be found: ${shortMessage(error)}`;
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return `${path} is TypeScript below node_modules, which Node does not run; name its compiled JavaScript`;
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return `${path} uses TypeScript that is more than types (enums, namespaces, parameter properties), which Node does not run`;
    case 'ERR_INVALID_TYPESCRIPT_SYNTAX':
      return `${path} is not valid TypeScript`;
    default:
      if (error instanceof SyntaxError) return `${path} is not valid: ${shortMessage(error)}`;
      return `${path} failed while loading: ${shortMessage(error)}`;
  }
}

/** The first line of what was thrown, without the paths and addresses in it. */
export function shortMessage(thrown: unknown): string {
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : `a ${typeof thrown} was thrown`;
  const [line = ''] = redactText(text.slice(0, 4 * MAX_MESSAGE)).split('\n');
  const plain = line.replaceAll(/(?:file:\/\/|\/|\b[A-Za-z]:\\)[^\s'"()]{2,}/g, '…');
  return shorten(plain, MAX_MESSAGE);
}
