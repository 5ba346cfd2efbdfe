/**
 * `switchboard serve`: the gateway, over HTTP or for one client on stdio, until a signal ends it.
 * @module
 */
import { closeSync, openSync } from 'node:fs';
import type { Overrides } from '../../config/gateway-section.ts';
import { NamedFiles } from '../../config/read-file.ts';
import type { Watcher } from '../../config/watch.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { PRODUCT } from '../../core/product.ts';
import { isLoopback, refuseUnsafeBind } from '../../endpoint/http/guard.ts';
import type { InternalGateway, OpenGateway } from '../../gateway-internal.ts';
import { describeConfig, type LoadedConfig, loadWithFiles, watchConfig } from '../../load-config.ts';
import { createLog } from '../../observe/log.ts';
import { EXIT, type ExitCode, UsageError } from '../exit.ts';
import { serverRows } from '../format/status.ts';
import type { Io } from '../io.ts';
import { createOutput, hasColour, type Output } from '../output.ts';
import { announce, newLocalKey } from '../running-gateway.ts';
import { federatedLines, listeningLines, pagesLines, titleLine, withoutMissing } from '../serve/banner.ts';
import { configurationFile } from '../serve/configuration-file.ts';
import { firstRunConfig, firstRunLines, firstRunNotice, nextSteps } from '../serve/first-run.ts';
import { createReloader } from '../serve/reload.ts';
import { bounded, type GlobalOptions } from '../session.ts';

export interface ServeOptions extends GlobalOptions {
  stdio?: boolean;
  host?: string;
  port?: number;
  /** Name of the environment variable that holds the token. */
  tokenEnv?: string;
  allowUnauthenticated?: boolean;
}

/** Longest wait for an orderly end. */
const CLOSE_MS = 10_000;
/** The summary does not wait longer for servers that do not answer. */
const SUMMARY_MS = 3_000;

export async function serve(given: ServeOptions, io: Io, openGateway: OpenGateway): Promise<ExitCode> {
  const options = isStdioProxy(io) ? { ...given, stdio: true } : given;
  const out = createOutput(io, options.color);
  const overrides = overridesOf(options, io);
  const load = { file: options.config, env: io.env, cwd: io.cwd, overrides };
  const files = new NamedFiles();
  const loaded = await loadWithFiles({ ...load, mayBeMissing: true }, files);
  const stdio = options.stdio === true;
  if (!stdio) {
    refuseUnsafeBind(loaded.gateway, { open: loaded.gateway.token === undefined && !loaded.policy.keysRequired });
  }
  refuseNesting(io);
  const hasLink = io.stderr.isTTY === true;
  const config = loaded.isFirstRun ? await firstRunConfig(loaded, { stdio, hasLink }) : loaded;
  const log = createLog(config.gateway.logLevel, {
    to: io.stderr,
    pretty: io.stderr.isTTY === true && options.json !== true,
    colour: options.color !== false && hasColour(io, io.stderr),
  });
  for (const warning of config.warnings) log.warn({}, warning);
  if (config.isFirstRun && (stdio || options.json)) log.warn({}, firstRunNotice(config));
  log.debug(describeConfig(config), 'The configuration.');
  const stop = stopSignals(io);
  let gateway: InternalGateway | undefined;
  let watcher: Watcher | undefined;
  let withdraw = async (): Promise<void> => {};
  const summary = stdio ? undefined : new Summary(config, io, out, options.json === true);
  const printsText = summary !== undefined && !options.json;
  try {
    const localKey = newLocalKey();
    const { promise: listening, resolve: listens } = Promise.withResolvers<void>();
    gateway = await openGateway(config, {
      log: printsText ? withoutMissing(log, () => summary.isPrinted) : log,
      localKey,
      telemetryEnv: io.env,
      startAfter: listening,
      configuration: configurationFile(config.file, load, async () => watcher?.look()),
    });
    const ends = [stop.requested];
    if (summary) withdraw = await announced(config, await summary.listen(gateway, listens), localKey, log);
    else {
      ends.push(serveOnStdio(gateway, config, io, log));
      listens();
    }
    if (config.file !== undefined) {
      const reloader = createReloader(gateway, config, log);
      watcher = await watchConfig({ ...load, file: config.file, since: files }, reloader.apply, reloader.refuse);
    }
    const { reload } = watcher ?? {};
    stop.onHangup(() => (reload === undefined ? log.info({}, 'There is no file to read again.') : void reload()));
    await Promise.race(ends);
    log.info({}, 'Stopping.');
    return EXIT.ok;
  } finally {
    summary?.cancel();
    watcher?.close();
    await withdraw();
    if (gateway !== undefined && !(await bounded(gateway.close(), CLOSE_MS))) {
      log.warn({}, 'Not everything ended in time.');
    }
    stop.close();
  }
}

/** Whether the environment is that of mcp-agent-proxy for a client that has started it. */
const isStdioProxy = ({ env }: Io): boolean => env.MCP_TRANSPORT === 'stdio' && Boolean(env.AGENT_SERVERS?.trim());

/** Commands find the gateway through the state folder. One that cannot be written is no reason not to serve. */
async function announced(config: LoadedConfig, url: string, key: string, log: Log): Promise<() => Promise<void>> {
  try {
    return await announce(config, reachableUrl(url), key);
  } catch (error) {
    log.warn({ err: error }, 'Commands will not find this gateway: its state folder cannot be written.');
    return async () => {};
  }
}

/** A gateway that listens on all addresses is reached on loopback. */
function reachableUrl(url: string): string {
  const at = new URL(url);
  if (at.hostname === '0.0.0.0') at.hostname = '127.0.0.1';
  if (at.hostname === '[::]') at.hostname = '[::1]';
  return at.href;
}

/** Gateways may stand behind gateways; more than these in a row is one configuration that starts itself. */
const MAX_DEPTH = 3;

function refuseNesting({ env }: Io): void {
  if ((Number(env.SWITCHBOARD_DEPTH) || 0) < MAX_DEPTH) return;
  throw new SwitchboardError(
    'SWB_CONFIG',
    `${MAX_DEPTH} gateways have started one another to get here. A server of the configuration starts a gateway with that ` +
      'same configuration: take it out.',
  );
}

function overridesOf(options: ServeOptions, { env }: Io): Overrides {
  const overrides: Overrides = {};
  if (options.host !== undefined) overrides.host = options.host;
  if (options.port !== undefined) overrides.port = options.port;
  if (options.allowUnauthenticated) overrides.allowUnauthenticated = true;
  if (options.logLevel !== undefined) overrides.logLevel = options.logLevel;
  if (options.tokenEnv !== undefined) {
    const token = env[options.tokenEnv];
    if (token === undefined || token === '') {
      throw new UsageError(`--token-env: the environment variable ${options.tokenEnv} is not set.`);
    }
    overrides.token = token;
  }
  return overrides;
}

/** Stdout belongs to the protocol; nothing else may be written there. */
function serveOnStdio(gateway: InternalGateway, config: LoadedConfig, io: Io, log: Log): Promise<void> {
  const { closed } = gateway.serveStdio(io.stdin, io.stdout);
  gateway.serveMqtt();
  log.info({ config: config.file, servers: config.servers.length }, 'Serving one client on stdio.');
  return closed;
}

/**
 * Listens over HTTP. Prints the address at once, and how the servers are when each has been tried, or as text after some
 * seconds. As JSON, every change of a server's state is an event too.
 */
class Summary {
  readonly #config: LoadedConfig;
  readonly #io: Io;
  readonly #out: Output;
  readonly #json: boolean;
  #timer: NodeJS.Timeout | undefined;
  #stopEvents = (): void => {};
  isPrinted = false;

  constructor(config: LoadedConfig, io: Io, out: Output, json: boolean) {
    this.#config = config;
    this.#io = io;
    this.#out = out;
    this.#json = json;
  }

  /** Resolves with the address of the merged endpoint. `listens` is called as soon as clients can connect. */
  async listen(gateway: InternalGateway, listens: () => void): Promise<string> {
    const { url, host, port } = await gateway.listen();
    listens();
    const { paintNote } = this.#out;
    const { file, isFirstRun } = this.#config;
    if (this.#json) this.#event({ event: 'listening', url, host, port, config: isFirstRun ? null : (file ?? null) });
    else {
      const title = titleLine(url, PRODUCT.version, paintNote);
      const what = isFirstRun
        ? firstRunLines(this.#config, paintNote)
        : listeningLines(url, this.#config, this.#io.program);
      this.#out.note([title, ...what]);
      const { operators } = gateway;
      // A link that logs in is for the person in front of this terminal, and not for a file of logs.
      const code = this.#io.stderr.isTTY === true && isLoopback(host) ? await operators?.newLink() : undefined;
      if (operators) this.#out.note(pagesLines(url, code, this.#config, paintNote));
      if (isFirstRun) this.#out.note(nextSteps(url, this.#config, paintNote));
    }
    const print = (): void => {
      if (this.isPrinted) return;
      this.isPrinted = true;
      const rows = serverRows(gateway.federation, this.#config.servers);
      if (this.#json) this.#event({ event: 'federating', servers: rows });
      else if (!isFirstRun || rows.length > 0) this.#out.note(federatedLines(rows, paintNote));
    };
    if (this.#json) this.#stopEvents = this.#events(gateway);
    else this.#timer = setTimeout(print, SUMMARY_MS);
    void gateway.federation.settled().then(print);
    return url;
  }

  cancel(): void {
    this.isPrinted = true;
    clearTimeout(this.#timer);
    this.#stopEvents();
  }

  /** An event for each change of a server's state. Returns what ends them. */
  #events({ federation }: InternalGateway): () => void {
    return federation.onStateChange((status) => {
      const isDisabled = federation.member(status.name)?.config.disabled === true;
      this.#event({ event: 'server', server: isDisabled ? { ...status, state: 'disabled' } : status });
    });
  }

  #event(value: object): void {
    this.#io.stdout.write(`${JSON.stringify(value)}\n`);
  }
}

interface Stop {
  /** Resolves at the first SIGINT or SIGTERM, or when the terminal is gone. */
  requested: Promise<void>;
  /** What SIGHUP does from now on, and what one did that came before. */
  onHangup(listener: () => void): void;
  close(): void;
}

function stopSignals(io: Io): Stop {
  const { promise: requested, resolve } = Promise.withResolvers<void>();
  const inTerminal = io.stdin.isTTY === true;
  let count = 0;
  const stop = (): void => {
    if (++count > 1) io.exit(EXIT.interrupted);
    resolve();
  };
  // One that arrives before there is a file to read again is kept: what it asks for happens then.
  let early = false;
  let hangup = (): void => {
    early = true;
  };
  const stops = [
    io.onSignal('SIGINT', stop),
    io.onSignal('SIGTERM', stop),
    io.onSignal('SIGHUP', () => (terminalIsGone(inTerminal) ? resolve() : hangup())),
  ];
  return {
    requested,
    onHangup(listener) {
      hangup = listener;
      if (early) listener();
    },
    close: () => {
      for (const each of stops) each();
    },
  };
}

/**
 * SIGHUP asks a service to read its configuration again. A program that was started in a terminal also gets it when that
 * terminal is closed, and then ends.
 */
function terminalIsGone(startedInTerminal: boolean): boolean {
  if (!startedInTerminal) return false;
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return false;
  } catch {
    return true;
  }
}
