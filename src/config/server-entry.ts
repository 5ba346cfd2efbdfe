/**
 * Turns a checked entry into a {@link ServerConfig}: combinations of keys are checked, aliases folded, paths resolved, and
 * defaults that depend on other keys chosen.
 * @module
 */
import { resolve } from 'node:path';
import type { Adapter, Target } from '../core/adapter.ts';
import { adapterOf } from '../core/kinds.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { BROKER_KEYS, brokerTarget, isBrokerUrl } from './broker-target.ts';
import { stdioEnvironment } from './child-environment.ts';
import { type Environment, expandHome } from './expand.ts';
import { checkHeaders } from './headers.ts';
import { type JsonPath, pathKey } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import { nameProblem } from './names.ts';
import { IGNORED_SERVER_KEYS } from './schema/foreign.ts';
import { COMMAND_CONNECT_TIMEOUT_MS, SERVER_DEFAULTS, type ServerEntry } from './schema/server-entry.ts';
import { serverAuth } from './server-auth.ts';
import type { ServerConfig } from './types.ts';
import { checkUrl } from './urls.ts';

export interface EntryContext {
  name: string;
  /** Where the entry stands in the file. */
  path: JsonPath;
  /** Relative paths start here: the folder of the file. */
  folder: string;
  env: Environment;
  /** Strings in which a variable is missing; only a disabled server may have any. */
  unresolved: ReadonlySet<string>;
  findings: Findings;
  /** The entry as it stands in the file, without defaults. */
  written: JsonObject;
  /** The kinds of servers there are. */
  adapters: readonly Adapter[];
}

export async function serverConfig(entry: ServerEntry, context: EntryContext): Promise<ServerConfig> {
  const { findings, path } = context;
  const disabled = entry.disabled || entry.enabled === false || entry.isActive === false;
  warnIgnored(entry, context);
  const target = await targetOf(entry, context);
  const options = optionsOf(entry, target, context);
  if (typeof entry.namespace === 'string') {
    const problem = nameProblem(entry.namespace);
    if (problem !== undefined) findings.mistake([...path, 'namespace'], problem);
  }
  const authPath = [...path, 'auth'];
  const { isolation } = entry;
  const auth = await serverAuth(entry.auth, {
    path: authPath,
    folder: context.folder,
    target,
    isolation,
    disabled,
    findings,
  });
  const { timeoutMs, maxTimeoutMs } = entry;
  if (maxTimeoutMs !== undefined && maxTimeoutMs < timeoutMs) {
    findings.mistake(
      [...path, 'maxTimeoutMs'],
      `found ${maxTimeoutMs}; allowed: at least timeoutMs, which is ${timeoutMs}`,
    );
  }
  return {
    name: context.name,
    kind: entry.kind,
    target,
    options,
    concurrency: entry.concurrency,
    maxQueue: entry.maxQueue,
    queueTimeoutMs: entry.queueTimeoutMs,
    timeoutMs,
    maxTimeoutMs: maxTimeoutMs ?? Math.max(SERVER_DEFAULTS.maxTimeoutMs, timeoutMs),
    connectTimeoutMs: entry.connectTimeoutMs ?? connectTimeoutOf(target),
    ...(auth === undefined ? {} : { auth }),
    isolation: isolation ?? (target.transport === 'stdio' ? 'shared' : 'caller'),
    namespace: entry.namespace ?? context.name,
    tools: toolsOf(entry),
    ...agentToolsOf(entry),
    disabled,
    origin: 'file',
  };
}

const connectTimeoutOf = ({ transport }: Target): number =>
  transport === 'stdio' ? COMMAND_CONNECT_TIMEOUT_MS : SERVER_DEFAULTS.connectTimeoutMs;

const PROBLEMS = {
  http: 'the type http',
  sse: 'the type sse',
  auto: 'an http or https url; its servers are reached through a broker (mqtt://, mqtts://, ws://, wss://)',
  mqtt: 'the url of a broker; its servers are reached by http or https',
} as const;

/** The values of the keys that only its kind has, as written; reports what does not fit the kind. */
function optionsOf(
  entry: ServerEntry,
  { transport }: Target,
  { adapters, written, findings, path }: EntryContext,
): ServerConfig['options'] {
  const { kind } = entry;
  const adapter = kind === undefined ? undefined : adapterOf(adapters, kind);
  if (adapter && !adapter.transports.includes(transport)) {
    const problem = transport === 'stdio' ? `a command; ${kind} servers are reached by url` : PROBLEMS[transport];
    findings.mistake([...path, 'kind'], `found "${kind}" for ${problem}`);
  }
  const options: Record<string, unknown> = {};
  for (const each of adapters) {
    for (const [key, schema] of Object.entries(each.options ?? {})) {
      const isWritten = Object.hasOwn(written, key);
      if (each === adapter && isWritten) options[key] = (entry as Record<string, unknown>)[key];
      else if (each === adapter && !schema.safeParse(undefined).success) {
        findings.mistake([...path, key], `found nothing; servers of the kind "${kind}" need it`);
      } else if (isWritten) {
        findings.mistake([...path, key], `found a key that only servers of the kind "${each.kind}" have`);
      }
    }
  }
  return Object.keys(options).length > 0 ? options : undefined;
}

/** A server known by its URL alone, with every default: from the environment, or connected at run time. */
export function serverFromUrl(
  name: string,
  url: string,
  origin: 'env' | 'runtime',
  more: { kind?: ServerConfig['kind']; headers?: Readonly<Record<string, string>> } = {},
): ServerConfig {
  return {
    name,
    kind: more.kind,
    target: { transport: 'auto', url, headers: more.headers ?? {} },
    ...SERVER_DEFAULTS,
    isolation: 'caller',
    namespace: name,
    tools: { include: [], exclude: [] },
    disabled: false,
    origin,
  };
}

function warnIgnored(entry: ServerEntry, { findings, path }: EntryContext): void {
  for (const key of Object.keys(entry)) {
    const reason = IGNORED_SERVER_KEYS[key];
    if (reason !== undefined) findings.warn([...path, key], `ignored: ${reason}`);
  }
}

async function targetOf(entry: ServerEntry, context: EntryContext): Promise<Target> {
  const { findings, path } = context;
  const url = onlyOne(entry, ['url', 'serverUrl', 'httpUrl'], context);
  const type = onlyOne(entry, ['type', 'transport', 'transportType'], context);
  if (entry.command === undefined && url === undefined) {
    findings.mistake(path, 'found neither a command nor a url; allowed: one of them');
  } else if (entry.command !== undefined && url !== undefined) {
    findings.mistake(path, 'found a command and a url; allowed: one of them');
  } else if (type !== undefined) {
    const isStdio = type.value === 'stdio' || type.value === 'local';
    if (isStdio !== (url === undefined)) {
      const other = isStdio ? 'a url: http, streamable-http or sse' : 'a command: stdio';
      findings.mistake([...path, type.key], `found "${type.value}"; allowed for ${other}`);
    }
  }
  const ofBroker = url !== undefined && isBrokerUrl(url.value, type?.value, entry, context.adapters);
  for (const key of ofBroker ? [] : BROKER_KEYS) {
    if (entry[key] !== undefined) {
      findings.mistake(
        [...path, key],
        'found it beside no broker; allowed with a url that is mqtt://, mqtts://, ws:// or wss://',
      );
    }
  }
  if (url === undefined) return stdioTarget(entry, context);
  for (const key of ['env', 'args', 'cwd', 'envFile'] as const) {
    if (!isEmpty(entry[key])) findings.warn([...path, key], 'ignored: it is for a command, and this server has a url');
  }
  const at = [...path, url.key];
  const headers = checkHeaders(entry.headers, [...path, 'headers'], findings);
  if (ofBroker) {
    if (type !== undefined && type.value !== 'mqtt') {
      findings.mistake([...path, type.key], `found "${type.value}"; allowed for a broker: mqtt`);
    }
    const unresolved = context.unresolved.has(pathKey(at));
    return brokerTarget(url.value, entry, { path, at, folder: context.folder, unresolved, headers, findings });
  }
  const href = context.unresolved.has(pathKey(at)) ? url.value : checkUrl(url.value, at, findings);
  return { transport: transportOf(type?.value, url.key), url: href, headers };
}

async function stdioTarget(entry: ServerEntry, context: EntryContext): Promise<Target> {
  const { findings, path, folder } = context;
  const command = entry.command ?? '';
  if (entry.args.length === 0 && /^[\w.-]+\s+\S/.test(command)) {
    findings.mistake(
      [...path, 'command'],
      'found a whole command line; write its first word here and the rest in args',
    );
  }
  if (!isEmpty(entry.headers)) {
    findings.warn([...path, 'headers'], 'ignored: they are for a url, and this server has a command');
  }
  return {
    transport: 'stdio',
    // A `node` of the system may be too old for the server; the one that runs the gateway is not.
    command: command === 'node' ? process.execPath : expandHome(command),
    args: entry.args,
    env: await stdioEnvironment(entry, path, folder, findings),
    cwd: entry.cwd === undefined ? folder : resolve(folder, expandHome(entry.cwd)),
  };
}

/** `http` falls back to the old transport, as VS Code reads it; the names of Streamable HTTP mean just that. */
function transportOf(type: ServerEntry['type'], urlKey: string): 'http' | 'sse' | 'auto' {
  if (type === 'sse') return 'sse';
  if (type?.toLowerCase().startsWith('streamable')) return 'http';
  return type === undefined && urlKey === 'httpUrl' ? 'http' : 'auto';
}

function onlyOne<K extends keyof ServerEntry>(
  entry: ServerEntry,
  keys: readonly K[],
  { findings, path }: EntryContext,
): { key: K; value: NonNullable<ServerEntry[K]> } | undefined {
  const given = keys.flatMap((key) => {
    const value = entry[key];
    return value === undefined || value === null ? [] : [{ key, value: value as NonNullable<ServerEntry[K]> }];
  });
  const [first, ...others] = given;
  for (const other of others) {
    if (other.value === first?.value) continue;
    findings.mistake([...path, String(other.key)], `found besides ${String(first?.key)}, which says something else`);
  }
  return first;
}

function toolsOf(entry: ServerEntry): ServerConfig['tools'] {
  const tools = Array.isArray(entry.tools) ? { include: entry.tools, exclude: [] } : entry.tools;
  return {
    include: [...(tools?.include ?? []), ...literal(entry.includeTools), ...literal(entry.enabledTools)],
    exclude: [...(tools?.exclude ?? []), ...literal(entry.excludeTools), ...literal(entry.disabledTools)],
  };
}

function agentToolsOf({ agentTools }: ServerEntry): Pick<ServerConfig, 'agentTools'> {
  if (agentTools === undefined || agentTools === true) return {};
  if (agentTools === false) return { agentTools };
  const { include = [], exclude = [] } = Array.isArray(agentTools) ? { include: agentTools } : agentTools;
  return { agentTools: { include, exclude } };
}

/** Other clients list names, where ours are globs. */
const literal = (names: readonly string[] = []): string[] =>
  names.map((name) => name.replaceAll(/[\\*?[\]{}()!+@|]/g, '\\$&'));

const isEmpty = (value: string | object | undefined): boolean =>
  value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
