/**
 * The whole configuration: servers and gateway as `config` reads them, and the policy as `policy/language` does.
 * @module
 */
import { ADAPTERS } from '../adapters/index.ts';
import type { Overrides } from './config/gateway-section.ts';
import { type FileConfig, type FileOptions, loadFile, parseFile } from './config/load.ts';
import type { NamedFiles } from './config/read-file.ts';
import { describeGateway, describeServer } from './config/redact.ts';
import { type FileFormat, fileFormat } from './config/schema/file.ts';
import type { GatewayConfig, ServerConfig } from './config/types.ts';
import { type WatchedSince, type Watcher, type WatchTimes, watchFiles } from './config/watch.ts';
import type { Adapter } from './core/adapter.ts';
import { describePolicy } from './policy/language/describe.ts';
import { policyExtension } from './policy/language/section.ts';
import type { PolicyConfig } from './policy/language/types.ts';
import type { JsonObject } from './wire/jsonrpc.ts';

export interface LoadOptions {
  /** Default: `SWITCHBOARD_CONFIG`, then `servers.json` in `cwd`. */
  file?: string | undefined;
  /** What `${VAR}` stands for. Default: the environment of the process. */
  env?: Readonly<Record<string, string | undefined>>;
  /** What holds instead of the file's own values. */
  overrides?: Overrides;
  /** Default: the working folder of the process. */
  cwd?: string | undefined;
  /** Where no file is named and there is none, nothing is configured yet, and that is no mistake. */
  mayBeMissing?: boolean;
  /** What messages call a configuration that is in no file. */
  label?: string;
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
  /** The file does not exist yet: a first run. */
  isFirstRun: boolean;
  /** What was ignored or is doubtful, one line each. */
  warnings: string[];
}

/** The format of `servers.json`. */
export const SERVERS_FILE = fileFormat(policyExtension, ADAPTERS);

const formatOf = ({ adapters }: LoadOptions): FileFormat<PolicyConfig> =>
  adapters === undefined ? SERVERS_FILE : fileFormat(policyExtension, adapters);

/** Rejects with `SWB_CONFIG`; its message has one line per mistake. */
export const loadConfig = (options: LoadOptions = {}): Promise<LoadedConfig> => load(options);

/** As {@link loadConfig}; `files` knows afterwards which files were read, and what they held. */
export const loadWithFiles = (options: LoadOptions, files: NamedFiles): Promise<LoadedConfig> =>
  load({ ...options, files });

const load = async (options: LoadOptions & FileOptions): Promise<LoadedConfig> =>
  withPolicy(await loadFile(options, formatOf(options)));

/** As {@link loadConfig}, for text that was read already: of `file`, or of none. */
export const readConfig = async (text: string, file?: string, options: LoadOptions = {}): Promise<LoadedConfig> =>
  withPolicy(await parseFile(text, file, options, formatOf(options)));

/**
 * Calls `onChange` with each new whole configuration, `onError` with each `SWB_CONFIG` a broken edit gives (once per
 * edit; what runs stays). Call it after the first load, with its files as `since`.
 */
export const watchConfig = (
  options: LoadOptions & WatchTimes & WatchedSince & { file: string },
  onChange: (config: LoadedConfig) => void,
  onError: (error: Error) => void,
): Promise<Watcher> => watchFiles(options, (files) => load({ ...options, files }), onChange, onError);

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
