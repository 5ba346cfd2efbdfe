/**
 * Opens a gateway for one command: reads the configuration, connects the servers, and closes everything afterwards.
 * @module
 */

import { within } from '../core/deadline.ts';
import type { InternalGateway, OpenGateway } from '../gateway-internal.ts';
import type { Gateway } from '../gateway-types.ts';
import { type LoadedConfig, type LoadOptions, loadConfig } from '../load-config.ts';
import { createLog } from '../observe/log.ts';
import { EXIT, type ExitCode, Interrupted, OutputClosed } from './exit.ts';
import type { Io } from './io.ts';
import { createOutput, hasColour, type Output } from './output.ts';
import { findRunning } from './running-gateway.ts';

/** Options every command has. */
export interface GlobalOptions {
  config?: string;
  json?: boolean;
  /** False for `--no-color`. */
  color?: boolean;
  logLevel?: string;
}

export interface CommandContext {
  gateway: InternalGateway;
  config: LoadedConfig;
  out: Output;
  json: boolean;
  io: Io;
  /** Aborts when a person or the system wants the command to end. */
  signal: AbortSignal;
}

/** Loads the gateway only when a command needs it, so that `--help` and wrong usage answer at once. */
export const loadGateway: OpenGateway = async (config, options) => {
  const { openGateway } = await import('../gateway.ts');
  return openGateway(config, options);
};

/** Longest wait for an orderly end; a second signal does not wait. */
const CLOSE_MS = 10_000;

export async function withGateway(
  options: GlobalOptions,
  io: Io,
  openGateway: OpenGateway,
  work: (context: CommandContext) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { config, out } = await loaded(options, io, loadConfig(loadOptions(options, io)));
  return opened(options, io, openGateway, config, out, work);
}

/** A command that makes requests: of the gateway that runs for the configuration, or of one of its own. */
export interface RequestContext extends Omit<CommandContext, 'gateway'> {
  /** Undefined: the requests go to the gateway that runs. */
  gateway: InternalGateway | undefined;
  request: Gateway['call'];
}

/** The context of a command's own gateway, for what waits for its servers. */
export const ownGateway = (context: RequestContext): CommandContext | undefined =>
  context.gateway && { ...context, gateway: context.gateway };

/** `local`: connects by itself although a gateway runs. Says on stderr which one is used. */
export async function withRequests(
  options: GlobalOptions & { local?: boolean },
  io: Io,
  openGateway: OpenGateway,
  work: (context: RequestContext) => Promise<ExitCode>,
): Promise<ExitCode> {
  const loading = options.local === true ? loadConfig(loadOptions(options, io)) : loadForRunning(options, io);
  const { config, out } = await loaded(options, io, loading);
  const running = options.local === true ? undefined : await findRunning(config);
  if (!running) {
    if (out.noteToTerminal && options.local !== true && config.gateway.stateDir !== undefined) {
      out.note(out.paintNote('dim', 'No gateway runs for this configuration: connecting to its servers.'));
    }
    return opened(options, io, openGateway, config, out, (context) =>
      work({ ...context, request: (...request) => context.gateway.call(...request) }),
    );
  }
  out.note(out.paintNote('dim', `Using the gateway that runs at ${running.url} (--local connects by itself).`));
  const interrupt = interruptible(io);
  try {
    const { signal } = interrupt;
    const { callRunning } = await import('./http-client.ts');
    const request: Gateway['call'] = (method, params = {}, given = {}) => callRunning(running, method, params, given);
    return await work({ gateway: undefined, request, config, out, json: options.json === true, io, signal });
  } catch (error) {
    if (interrupt.signal.aborted) throw interrupt.signal.reason;
    throw error;
  } finally {
    interrupt.stop();
  }
}

/**
 * The configuration of a command that asks the gateway that runs. One on its first run has no file, and is found by its state folder;
 * where none runs either, rejects with how to begin.
 */
export async function loadForRunning(options: GlobalOptions, io: Io): Promise<LoadedConfig> {
  const config = await loadConfig({ ...loadOptions(options, io), mayBeMissing: true });
  if (!config.isFirstRun || (await findRunning(config)) !== undefined) return config;
  return loadConfig(loadOptions(options, io));
}

const loadOptions = ({ config: file, logLevel }: GlobalOptions, { env, cwd }: Io): LoadOptions => ({
  ...{ file, env, cwd },
  ...(logLevel !== undefined && { overrides: { logLevel } }),
});

async function loaded(
  options: GlobalOptions,
  io: Io,
  loading: Promise<LoadedConfig>,
): Promise<{ config: LoadedConfig; out: Output }> {
  const out = createOutput(io, options.color);
  const config = await loading;
  config.warnings.forEach(out.warn);
  return { config, out };
}

async function opened(
  options: GlobalOptions,
  io: Io,
  openGateway: OpenGateway,
  config: LoadedConfig,
  out: Output,
  work: (context: CommandContext) => Promise<ExitCode>,
): Promise<ExitCode> {
  // These commands print what goes wrong; a log would repeat it.
  const log = createLog(options.logLevel ?? 'silent', {
    to: io.stderr,
    pretty: io.stderr.isTTY === true && options.json !== true,
    colour: hasColour(io, io.stderr),
  });
  const interrupt = interruptible(io);
  try {
    const gateway = await openGateway(config, { log });
    try {
      return await work({ gateway, config, out, json: options.json === true, io, signal: interrupt.signal });
    } catch (error) {
      // The error of a cancelled call gives way to the reason of the interruption.
      if (interrupt.signal.aborted) throw interrupt.signal.reason;
      throw error;
    } finally {
      await bounded(gateway.close(), CLOSE_MS);
    }
  } finally {
    interrupt.stop();
  }
}

/** The first signal, or a closed stdout, ends the command in order; the second signal ends the process at once. */
export function interruptible(io: Io): { signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) io.exit(EXIT.interrupted);
    controller.abort(new Interrupted());
  };
  const broken = (): void => controller.abort(new OutputClosed());
  const stops = [io.onSignal('SIGINT', interrupt), io.onSignal('SIGTERM', interrupt)];
  io.stdout.on('error', broken);
  return {
    signal: controller.signal,
    stop() {
      for (const stop of stops) stop();
      io.stdout.off('error', broken);
    },
  };
}

/** Resolves with true when the work has ended, or with false after `ms` milliseconds. */
export const bounded = (work: Promise<unknown>, ms: number): Promise<boolean> =>
  within(
    work.then(
      () => true,
      () => true,
    ),
    ms,
    () => false,
  );
