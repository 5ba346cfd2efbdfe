/**
 * Loads `servers.json`: finds it, parses it, expands variables and checks everything. The result is a whole configuration or
 * one error that names every mistake.
 * @module
 */
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SwitchboardError } from '../core/errors.ts';
import { isObject } from '../wire/jsonrpc.ts';
import { agentServers, portOfProxy } from './agent-servers.ts';
import type { Environment } from './expand.ts';
import { found, unknownKey } from './explain.ts';
import { splitByShape } from './extension.ts';
import { gatewayConfig, type Overrides } from './gateway-section.ts';
import { type JsonDocument, JsonSyntaxError, parseJsonc } from './jsonc.ts';
import { configError, Findings, inFileOrder, lineOf, type Source, shownPath } from './mistakes.ts';
import { canShareNames } from './names.ts';
import { NamedFiles } from './read-file.ts';
import { type FileFormat, TOP_KEYS } from './schema/file.ts';
import { IGNORED_TOP_KEYS } from './schema/foreign.ts';
import { gatewaySchema } from './schema/gateway-section.ts';
import { SectionReader } from './section.ts';
import { readServers } from './servers.ts';
import type { GatewayConfig, ServerConfig } from './types.ts';

const DEFAULT_FILE = 'servers.json';
/** Environment variable that names the file when the command line does not. */
const FILE_VARIABLE = 'SWITCHBOARD_CONFIG';
const SERVERS_VARIABLE = 'AGENT_SERVERS';
const VAULT_KEY_VARIABLE = 'SWITCHBOARD_VAULT_KEY';

export interface FileOptions {
  /** Default: `SWITCHBOARD_CONFIG`, then `servers.json` in `cwd`. */
  file?: string | undefined;
  /** What `${VAR}` stands for. Default: the environment of the process. */
  env?: Environment;
  overrides?: Overrides;
  cwd?: string | undefined;
  /** Where no file is named and there is none, nothing is configured yet, and that is no mistake. */
  mayBeMissing?: boolean;
  /** Stands for the file's name in messages about a configuration without a file. Default: the command line. */
  label?: string;
  /** Reads the files, and knows afterwards which ones, also when loading fails. */
  files?: NamedFiles;
}

/** The servers and the `gateway` section, and what the extension made of its keys. */
export interface FileConfig<T> {
  gateway: GatewayConfig;
  servers: ServerConfig[];
  extension: T;
  /** Absolute; undefined when only `AGENT_SERVERS` configures. */
  file: string | undefined;
  /** The file does not exist yet: a first run. */
  isFirstRun: boolean;
  /** What was ignored or is doubtful, one line each. */
  warnings: string[];
}

/** Rejects with `SWB_CONFIG`; its message has one line per mistake. */
export async function loadFile<T>(options: FileOptions, format: FileFormat<T>): Promise<FileConfig<T>> {
  const cwd = options.cwd ?? process.cwd();
  const { file, isFirstRun } = await findFile(options, cwd);
  const files = options.files ?? new NamedFiles();
  // It is known then that there was none.
  if (file !== undefined && isFirstRun) await files.read(file);
  const text = file === undefined || isFirstRun ? undefined : await readText(file, shownPath(file, cwd), files);
  return parseFile(text, file, { ...options, cwd, files }, format);
}

/** As {@link loadFile}, for text that was read already. Undefined: there is no file, or it is still to be written. */
export async function parseFile<T>(
  text: string | undefined,
  file: string | undefined,
  {
    env = process.env,
    overrides = {},
    cwd = process.cwd(),
    label: noFile = 'the command line',
    files = new NamedFiles(),
  }: FileOptions,
  format: FileFormat<T>,
): Promise<FileConfig<T>> {
  const isInFile = file !== undefined && text !== undefined;
  const label = isInFile ? shownPath(file, cwd) : noFile;
  const document = parse(text ?? '{}', label);
  const source: Source = { label, document: isInFile ? document : undefined };
  const findings = new Findings();
  const root = isObject(document.value) ? document.value : {};
  if (root !== document.value) findings.mistake([], `found ${found([], document.value)}; allowed: an object`);
  checkTopKeys(root, findings);

  const ownFolder = file === undefined ? undefined : dirname(file);
  const folder = ownFolder ?? cwd;
  const sections = new SectionReader(env, findings, format.words);
  const extension = format.extension.open({ folder, cwd, files, findings, sections });
  const servers = await readServers(root, { folder, findings, document, sections, format, extension });
  const { rest, members } = splitByShape(root.gateway ?? {}, format.extension.gatewayShape);
  const entry = sections.read(gatewaySchema, rest, ['gateway']);
  const hasKeys = extension.authenticates(members);
  const listed = env[SERVERS_VARIABLE] ?? '';
  const usesAgentServers = listed.trim() !== '';
  const proxyPort = usesAgentServers && !(isObject(root.gateway) && 'port' in root.gateway) ? portOfProxy(env) : {};
  const vaultKey = env[VAULT_KEY_VARIABLE] ? { vaultSecret: env[VAULT_KEY_VARIABLE] } : {};
  const gateway =
    entry &&
    gatewayConfig(
      entry.value,
      { ...proxyPort, ...overrides, ...vaultKey },
      ownFolder,
      { hasKeys, usesAgentServers },
      findings,
    );
  const extended = await extension.gateway(members, gateway);

  const envFindings = new Findings();
  const fromEnv = agentServers(listed, servers, gateway?.agentProxy === true, envFindings);
  const envSource: Source = { label: SERVERS_VARIABLE, document: undefined };
  const all = [...servers, ...fromEnv];
  checkPrefixes(all, findings);

  const lines = [
    ...inFileOrder(findings.mistakes, document).map((mistake) => lineOf(source, mistake)),
    ...envFindings.mistakes.map((mistake) => lineOf(envSource, mistake)),
    ...extension.lines,
  ];
  if (lines.length > 0 || gateway === undefined || extended === undefined) throw configError(lines);
  const warnings = findings.warnings.map((warning) => lineOf(source, warning));
  return {
    gateway,
    servers: all,
    extension: extended,
    file,
    isFirstRun: file !== undefined && text === undefined,
    warnings,
  };
}

/** Looks in the current folder alone: a file of a folder above, or of another program, is no wish of the user to start its commands. */
async function findFile(options: FileOptions, cwd: string): Promise<Pick<FileConfig<unknown>, 'file' | 'isFirstRun'>> {
  const env = options.env ?? process.env;
  const named = options.file ?? (env[FILE_VARIABLE] || undefined);
  if (named !== undefined) return { file: resolve(cwd, named), isFirstRun: false };
  const usual = resolve(cwd, DEFAULT_FILE);
  if (await exists(usual)) return { file: usual, isFirstRun: false };
  if ((env[SERVERS_VARIABLE] ?? '').trim() !== '') return { file: undefined, isFirstRun: false };
  if (options.mayBeMissing === true) return { file: usual, isFirstRun: true };
  throw new SwitchboardError(
    'SWB_CONFIG',
    `There is no ${DEFAULT_FILE} in ${cwd}. Name one with --config or ${FILE_VARIABLE}, set ${SERVERS_VARIABLE} to the ` +
      `URLs of your servers, or create ${DEFAULT_FILE}:\n` +
      '  { "mcpServers": { "everything": { "command": "npx", "args": ["-y", "@modelcontextprotocol/server-everything"] } } }',
  );
}

async function exists(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch (error) {
    // Any other error is reported when the file is read.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** The text of the file, or `SWB_CONFIG`. */
async function readText(file: string, label: string, files: NamedFiles): Promise<string> {
  const { text, problem } = await files.read(file);
  if (text === undefined) throw configError([`${label}: ${problem}.`]);
  return text;
}

function parse(text: string, label: string): JsonDocument {
  try {
    return parseJsonc(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw configError([`${label}:${error.place.line}:${error.place.column}: not JSON: found ${error.message}.`]);
  }
}

function checkTopKeys(root: Record<string, unknown>, findings: Findings): void {
  for (const key of Object.keys(root)) {
    if ((TOP_KEYS as readonly string[]).includes(key)) continue;
    if (!Object.hasOwn(IGNORED_TOP_KEYS, key)) findings.mistake([key], unknownKey(key, TOP_KEYS));
    else if (IGNORED_TOP_KEYS[key] !== undefined) findings.warn([key], `ignored: ${IGNORED_TOP_KEYS[key]}`);
  }
}

/** Two servers with one prefix, or with two that can make one name, could offer two tools of one name. */
function checkPrefixes(servers: readonly ServerConfig[], findings: Findings): void {
  const owners = new Map<string, string>();
  for (const { name, namespace, disabled } of servers) {
    if (disabled || namespace === false) continue;
    const owner = owners.get(namespace);
    if (owner !== undefined && owner !== name) {
      const both = `the servers "${owner}" and "${name}" both have the prefix "${namespace}"`;
      findings.mistake([], `${both}; set another namespace on one`);
    }
    if (owner !== undefined) continue;
    const [prefix, near] = owners.entries().find(([each]) => canShareNames(each, namespace)) ?? [];
    if (near !== undefined) {
      const both = `the servers "${near}" (prefix "${prefix}") and "${name}" (prefix "${namespace}") can make one name of two tools`;
      findings.mistake([], `${both}; set another namespace on one`);
    }
    owners.set(namespace, name);
  }
}
