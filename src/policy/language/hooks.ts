/**
 * Reads `gateway.hooks`: modules and built-in hooks, in the order in which they run.
 * @module
 */
import { basename, extname, resolve } from 'node:path';
import { expandHome } from '../../config/expand.ts';
import type { JsonPath } from '../../config/jsonc.ts';
import type { Findings } from '../../config/mistakes.ts';
import type { NamedFiles } from '../../config/read-file.ts';
import { PATTERNS } from '../../config/schema/fields.ts';
import { sha256 } from '../../core/hash.ts';
import { withDoubles } from '../../wire/json/exact.ts';
import type { HookEntry } from './schema/keys.ts';
import type { HookConfig } from './types.ts';

export interface HookContext {
  folder: string;
  files: NamedFiles;
  findings: Findings;
}

export async function readHooks(entries: readonly HookEntry[], context: HookContext): Promise<HookConfig[]> {
  const hooks: HookConfig[] = [];
  const first = new Map<string, number>();
  for (const [index, entry] of entries.entries()) {
    const path: JsonPath = ['gateway', 'hooks', index];
    const source = await sourceOf(entry, path, context);
    if (source === undefined) continue;
    const name = entry.name ?? defaultName(source);
    if (!PATTERNS.hookName.regex.test(name) || name.length > 64) {
      context.findings.mistake([...path, 'module'], 'found a file name that makes no name for a hook; add "name"');
      continue;
    }
    const other = first.get(name);
    if (other !== undefined) {
      context.findings.mistake(path, `the hook "${name}" is there already, as hooks[${other}]; give one another name`);
    }
    first.set(name, other ?? index);
    const { phases, servers, mode, timeoutMs, onError } = entry;
    const options = withDoubles(entry.options) as typeof entry.options;
    hooks.push({ name, source, options, phases, servers, mode, timeoutMs, onError });
  }
  return hooks;
}

/** Files name no code. */
type FileSource = Exclude<HookConfig['source'], { code: unknown }>;

const defaultName = (source: FileSource): string =>
  'builtin' in source ? source.builtin : basename(source.module, extname(source.module));

async function sourceOf(
  { use, module }: HookEntry,
  path: JsonPath,
  { folder, files, findings }: HookContext,
): Promise<FileSource | undefined> {
  if ((use === undefined) === (module === undefined)) {
    const what = use === undefined ? 'neither use nor module' : 'use and module';
    findings.mistake(path, `found ${what}; allowed: one of them`);
    return undefined;
  }
  if (use !== undefined) return { builtin: use };
  const file = resolve(folder, expandHome(module ?? ''));
  const { text, problem } = await files.read(file);
  if (text === undefined) {
    findings.mistake([...path, 'module'], `the module was not read: ${problem}`);
    return undefined;
  }
  return { module: file, hash: sha256(text) };
}
