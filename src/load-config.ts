/**
 * The whole configuration: servers and gateway as `config` reads them, and the policy as `policy/language` does.
 * @module
 */
import { ADAPTERS } from '../adapters/index.ts';
import { type FileConfig, type LoadOptions as FileOptions, loadFile, parseFile } from './config/load.ts';
import { describeGateway, describeServer } from './config/redact.ts';
import { type FileFormat, fileFormat } from './config/schema/file.ts';
import type { GatewayConfig, ServerConfig } from './config/types.ts';
import { type Watcher, type WatchTimes, watchFiles } from './config/watch.ts';
import type { Adapter } from './core/adapter.ts';
import { describePolicy } from './policy/language/describe.ts';
import { policyExtension } from './policy/language/section.ts';
import type { PolicyConfig } from './policy/language/types.ts';
import type { JsonObject } from './wire/jsonrpc.ts';

export interface LoadOptions extends FileOptions {
  /** The kinds of servers there are. Default: all of `adapters/index.ts`. */
  adapters?: readonly Adapter[];
}

export interface Config {
  gateway: GatewayConfig;
  servers: ServerConfig[];
  /** Undefined: nothing is forbidden to authenticated callers. */
  policy?: PolicyConfig | undefined;
}

export interface LoadedConfig extends Config {
  policy: PolicyConfig;
  /** Absolute; undefined when only `AGENT_SERVERS` configures. */
  file: string | undefined;
  /** What was ignored or is doubtful, one line each. */
  warnings: string[];
}

/** The format of `servers.json`. */
export const SERVERS_FILE = fileFormat(policyExtension, ADAPTERS);

const formatOf = ({ adapters }: LoadOptions): FileFormat<PolicyConfig> =>
  adapters === undefined ? SERVERS_FILE : fileFormat(policyExtension, adapters);

/** Rejects with `SWB_CONFIG`; its message has one line per mistake. */
export const loadConfig = async (options: LoadOptions): Promise<LoadedConfig> =>
  withPolicy(await loadFile(options, formatOf(options)));

/** As {@link loadConfig}, for text that was read already. */
export const readConfig = async (text: string, file: string | undefined, options: LoadOptions): Promise<LoadedConfig> =>
  withPolicy(await parseFile(text, file, options, formatOf(options)));

/**
 * Calls `onChange` with each new whole configuration, `onError` with each `SWB_CONFIG` a broken edit gives (once per
 * edit; what runs stays). Call it after the first load: files that are the same as now are no change.
 */
export const watchConfig = (
  options: LoadOptions & WatchTimes & { file: string },
  onChange: (config: LoadedConfig) => void,
  onError: (error: Error) => void,
): Promise<Watcher> => watchFiles(options, (files) => loadConfig({ ...options, files }), onChange, onError);

/** A configuration as logs may show it. */
export const describeConfig = ({ gateway, servers, policy }: Config): JsonObject => ({
  gateway: describeGateway(gateway),
  servers: servers.map(describeServer),
  policy: policy && describePolicy(policy),
});

const withPolicy = ({ extension: policy, ...config }: FileConfig<PolicyConfig>): LoadedConfig => ({
  ...config,
  policy,
});
