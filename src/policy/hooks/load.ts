/**
 * Loads the configured hooks: imports the module or takes the built-in, calls its factory, checks the result. All hooks are
 * loaded or none: a gateway with half its hooks would let calls through that the others deny.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import { BUILTIN_FACTORIES } from '../../../hooks/index.ts';
import { configError } from '../../config/mistakes.ts';
import { nearest } from '../../config/nearest.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { anyGlob } from '../../core/globs.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { HOOK_PHASES, type HookConfig, type HookPhase } from '../language/types.ts';
import type { Hook, HookFactory } from './contract.ts';
import { frozenCopy } from './json.ts';
import { HookProblem, importDefault, loadedInTime, moduleVersion, shortMessage } from './module.ts';

/** A hook that is ready to be called. */
export interface LoadedHook {
  readonly config: HookConfig;
  readonly name: string;
  readonly timeoutMs: number;
  readonly hook: Hook;
  readonly phases: ReadonlySet<HookPhase>;
  readonly concerns: (server: string) => boolean;
  /** Identifies the file it was made of; undefined for built-ins. */
  readonly version: string | undefined;
}

const FACTORY_TIMEOUT_MS = 10_000;

/**
 * Loads all of them, in order. A hook that is `loaded` already from the same file with the same options keeps its state.
 * Rejects with `SWB_CONFIG`, with a line for each hook that cannot be loaded.
 */
export async function loadHooks(
  configs: readonly HookConfig[],
  loaded: readonly LoadedHook[] = [],
): Promise<readonly LoadedHook[]> {
  const results = await Promise.allSettled(configs.map((config) => loadHook(config, loaded)));
  const mistakes: string[] = [];
  const hooks: LoadedHook[] = [];
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') hooks.push(result.value);
    else mistakes.push(...linesOf(configs[index]?.name ?? '', result.reason));
  }
  if (mistakes.length > 0) throw configError(mistakes);
  return hooks;
}

function linesOf(name: string, reason: unknown): string[] {
  const label = `Hook ${JSON.stringify(name)}`;
  if (reason instanceof SwitchboardError && Array.isArray(reason.data.mistakes)) {
    return reason.data.mistakes.map((line) => `${label}: ${String(line)}`);
  }
  return [`${label}: ${reason instanceof HookProblem ? reason.message : shortMessage(reason)}.`];
}

async function loadHook(config: HookConfig, loaded: readonly LoadedHook[]): Promise<LoadedHook> {
  const version = 'module' in config.source ? await moduleVersion(config.source.module) : undefined;
  const same = loaded.find(
    (other) =>
      other.name === config.name &&
      other.version === version &&
      isDeepStrictEqual(other.config.source, config.source) &&
      isDeepStrictEqual(other.config.options, config.options),
  );
  const hook = same?.hook ?? (await makeHook(config, version));
  return {
    config,
    name: config.name,
    timeoutMs: config.timeoutMs,
    hook,
    phases: phasesOf(config, hook),
    concerns: anyGlob(config.servers),
    version,
  };
}

async function makeHook(config: HookConfig, version: string | undefined): Promise<Hook> {
  const made = await exportOf(config.source, version);
  const hook = typeof made === 'function' ? await callFactory(made as HookFactory, config.options) : made;
  return checkHook(hook, typeof made === 'function' ? 'what its factory makes' : 'its default export');
}

async function exportOf(source: HookConfig['source'], version: string | undefined): Promise<unknown> {
  if ('code' in source) return source.code;
  return 'module' in source ? importDefault(source.module, version ?? '') : builtin(source.builtin);
}

function builtin(name: string): HookFactory {
  const factory = BUILTIN_FACTORIES.get(name);
  if (factory !== undefined) return factory;
  const near = nearest(name, BUILTIN_FACTORIES.keys());
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  throw new HookProblem(
    `there is no built-in hook ${JSON.stringify(name)}; there are ${[...BUILTIN_FACTORIES.keys()].join(', ')}${hint}`,
  );
}

async function callFactory(factory: HookFactory, options: HookConfig['options']): Promise<unknown> {
  try {
    return await loadedInTime(Promise.resolve(factory(frozenCopy(options))), FACTORY_TIMEOUT_MS, 'its factory took');
  } catch (error) {
    if (error instanceof HookProblem || error instanceof SwitchboardError) throw error;
    throw new HookProblem(`its factory failed: ${shortMessage(error)}`);
  }
}

/** `what` begins the messages. */
function checkHook(hook: unknown, what: string): Hook {
  if (!isObject(hook))
    throw new HookProblem(`${what} is no hook; a hook is { phases, decide } or a function that makes one`);
  if (typeof hook.decide !== 'function') throw new HookProblem(`${what} has no function "decide"`);
  const { phases } = hook;
  if (!Array.isArray(phases) || phases.length === 0) {
    throw new HookProblem(`${what} has no "phases"; allowed: ${HOOK_PHASES.join(', ')}`);
  }
  for (const phase of phases) {
    if (isPhase(phase)) continue;
    const near = typeof phase === 'string' ? nearest(phase, HOOK_PHASES) : undefined;
    const found = typeof phase === 'string' ? JSON.stringify(phase.slice(0, 40)) : `a ${typeof phase}`;
    const hint = near === undefined ? `; allowed: ${HOOK_PHASES.join(', ')}` : `; did you mean "${near}"?`;
    throw new HookProblem(`${what} names a phase that does not exist: ${found}${hint}`);
  }
  return hook as unknown as Hook;
}

const isPhase = (phase: unknown): phase is HookPhase => HOOK_PHASES.includes(phase as HookPhase);

/** The phases of the hook, or those of them the configuration names. */
function phasesOf({ phases }: HookConfig, hook: Hook): ReadonlySet<HookPhase> {
  if (phases === undefined) return new Set(hook.phases);
  const missing = phases.filter((phase) => !hook.phases.includes(phase));
  if (missing.length === 0) return new Set(phases);
  throw new HookProblem(`it has no phase ${missing.join(', ')}; it has ${hook.phases.join(', ')}`);
}
