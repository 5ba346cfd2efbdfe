/**
 * Options from code become a configuration: read, checked and completed as if they stood in `servers.json`.
 * @module
 */
import { configError } from './config/mistakes.ts';
import { SwitchboardError } from './core/errors.ts';
import type { Authenticator } from './core/identity.ts';
import { isFolder, isState } from './gateway-state.ts';
import type { GatewayOptions, GatewayParts, HookOption } from './gateway-types.ts';
import { type Config, type LoadedConfig, readConfig } from './load-config.ts';
import type { HookConfig } from './policy/language/types.ts';

/** Returns the options unchanged. With it an editor completes and checks them where they are written. */
export const defineConfig = (options: GatewayOptions): GatewayOptions => options;

/** What messages call the place of a mistake. */
const LABEL = 'createGateway';

/** Rejects with `SWB_CONFIG`; its message has one line per mistake. */
export async function configOf(options: GatewayOptions, adapters = options.adapters): Promise<LoadedConfig> {
  const {
    servers = {},
    hooks = [],
    state,
    cwd,
    env = process.env,
    log,
    auth,
    basePath,
    telemetryEnv,
    adapters: _,
    ...gateway
  } = options;
  const section = {
    ...gateway,
    ...(isAuthenticator(auth) ? {} : { auth }),
    hooks: hooks.map(entryOf),
    ...stateKeys(state),
  };
  // As JSON: members that are undefined are not there.
  const text = JSON.stringify({ servers, gateway: section });
  try {
    const config = await readConfig(text, undefined, {
      env: { ...env, AGENT_SERVERS: '' },
      cwd,
      label: LABEL,
      ...(adapters && { adapters }),
    });
    const policy = { ...config.policy, hooks: config.policy.hooks.map((hook, index) => withCode(hook, hooks[index])) };
    return { ...config, policy };
  } catch (error) {
    if (!(error instanceof SwitchboardError) || !Array.isArray(error.data.mistakes)) throw error;
    // The keys of that section stand beside the servers here.
    throw configError(error.data.mistakes.map((line) => String(line).replace(`${LABEL} gateway.`, `${LABEL} `)));
  }
}

/** The keys that say where the state is; an implementation is none. */
function stateKeys(state: GatewayOptions['state']): object {
  if (state === undefined || isState(state)) return {};
  return isFolder(state) ? { stateDir: state } : { state };
}

/** The configuration that options or a loaded configuration stand for, and the parts beside it. */
export async function readOptions(
  given: Config | GatewayOptions,
  parts: GatewayParts,
): Promise<{ config: Config & { warnings?: string[] }; parts: GatewayParts; logLevel: string }> {
  if (isConfig(given)) return { config: given, parts, logLevel: given.gateway.logLevel };
  const { log, auth, credentials, adapters, state, basePath, telemetryEnv } = given;
  const own = { log, ...(isAuthenticator(auth) && { auth }), credentials, adapters, state, basePath, telemetryEnv };
  return {
    config: await configOf(given, parts.adapters),
    parts: { ...own, ...parts },
    logLevel: given.logLevel ?? 'warn',
  };
}

const isAuthenticator = (auth: GatewayOptions['auth']): auth is Authenticator =>
  auth !== undefined && 'authenticate' in auth;

const isConfig = (given: Config | GatewayOptions): given is Config => Array.isArray(given.servers);

/** An entry as a file has it. What stands in for code is replaced by {@link withCode} once the entry is checked. */
function entryOf(option: HookOption, index: number): object {
  if (typeof option !== 'function' && !('hook' in option) && !('decide' in option)) return option;
  const { hook: code, ...settings } = 'hook' in option ? option : { hook: option };
  return { name: code.name || `hook-${index + 1}`, ...settings, use: 'redact-secrets' };
}

function withCode(hook: HookConfig, option: HookOption | undefined): HookConfig {
  if (typeof option === 'function') return { ...hook, source: { code: option } };
  if (option === undefined || !('hook' in option || 'decide' in option)) return hook;
  return { ...hook, source: { code: 'hook' in option ? option.hook : option } };
}
