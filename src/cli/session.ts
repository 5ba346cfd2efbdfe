/**
 * Opens a gateway for one command: reads the configuration, connects the servers, and closes everything afterwards.
 * @module
 */

import { within } from '../core/deadline.ts';
import type { InternalGateway, OpenGateway } from '../gateway-types.ts';
import { type LoadedConfig, loadConfig } from '../load-config.ts';
import { createLog } from '../observe/log.ts';
import { EXIT, type ExitCode, Interrupted, OutputClosed } from './exit.ts';
import type { Io } from './io.ts';
import { createOutput, hasColour, type Output } from './output.ts';

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
  const out = createOutput(io, options.color);
  const overrides = options.logLevel === undefined ? {} : { logLevel: options.logLevel };
  const config = await loadConfig({ file: options.config, env: io.env, cwd: io.cwd, overrides });
  config.warnings.forEach(out.warn);
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
