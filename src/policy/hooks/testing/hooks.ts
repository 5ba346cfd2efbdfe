/**
 * Hooks for tests: configurations, inputs, modules in folders of their own, and a log that remembers.
 * @module
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../../core/log.ts';
import type { HookConfig, HookPhase } from '../../language/types.ts';
import type { Hook, HookInput } from '../contract.ts';
import type { LoadedHook } from '../load.ts';
import { HookRun } from '../run.ts';

export const hookConfig = (parts: Partial<HookConfig> = {}): HookConfig => ({
  name: 'guard',
  source: { builtin: 'redact-secrets' },
  options: {},
  phases: undefined,
  servers: [],
  mode: 'enforce',
  timeoutMs: 1000,
  onError: 'deny',
  ...parts,
});

export const hookInput = (parts: Partial<HookInput> = {}): HookInput => ({
  phase: 'call.before',
  principal: 'local',
  grant: undefined,
  session: undefined,
  server: 'notes',
  kind: 'tool',
  name: 'add',
  namespaced: 'notes__add',
  ...parts,
});

/** A hook that is loaded already. */
export const loadedHook = (decide: Hook['decide'], config: Partial<HookConfig> = {}): LoadedHook => ({
  config: hookConfig(config),
  name: config.name ?? 'guard',
  timeoutMs: config.timeoutMs ?? 1000,
  hook: { phases: ['call.before'], decide },
  phases: new Set<HookPhase>(['call.before']),
  concerns: () => true,
  version: undefined,
});

export interface MemoryLog extends Log {
  readonly lines: string[];
}

export function memoryLog(): MemoryLog {
  const lines: string[] = [];
  const write = (fields: object, message?: string): void => void lines.push(JSON.stringify({ ...fields, message }));
  return { lines, debug: write, info: write, warn: write, error: write };
}

/** Asks these hooks in this order. */
export const runHooks = (hooks: readonly LoadedHook[], input: HookInput, log: Log = memoryLog()) =>
  new HookRun(hooks, input, undefined, log).go();

const folders: string[] = [];

/** Writes a module and gives back its path. */
export async function hookModule(text: string, file = 'hook.mjs'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'swb-hooks-'));
  folders.push(folder);
  const path = join(folder, file);
  await writeFile(path, text);
  return path;
}

/** For `afterAll`. */
export async function removeHookModules(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
}
