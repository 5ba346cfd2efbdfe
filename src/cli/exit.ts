/**
 * Exit codes, and which error ends with which. Scripts rely on the numbers; docs/configuration.md lists them.
 * @module
 */
import { SwitchboardError } from '../core/errors.ts';

export const EXIT = {
  ok: 0,
  /** The call, tool or agent failed, a case of `policy test` did, or `lock --check` found a difference. */
  failed: 1,
  /** The command line or the configuration is wrong, or what it names does not exist. */
  usage: 2,
  /** `check`, `lock`: some server is not ready. */
  notReady: 3,
  /** A server that was needed could not be reached, or the port could not be listened on. */
  unreachable: 4,
  /** `policy explain`: the request would be denied. */
  denied: 5,
  /** `policy explain`: a person would have to approve it. */
  approval: 6,
  /** 128 + SIGINT, as shells count. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A signal ended the command. */
export class Interrupted extends Error {
  constructor() {
    super('Interrupted.');
    this.name = 'Interrupted';
  }
}

/** The reader of the output is gone (`switchboard list | head`): a quiet end, not a failure. */
export class OutputClosed extends Error {
  constructor() {
    super('The output was closed.');
    this.name = 'OutputClosed';
  }
}

/** Wrong usage, in a sentence for the person at the keyboard. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

const USAGE_CODES = new Set([
  'SWB_CONFIG',
  'SWB_INVALID_PARAMS',
  'SWB_UNKNOWN_TOOL',
  'SWB_UNKNOWN_AGENT',
  'SWB_UNKNOWN_SERVER',
  'SWB_AMBIGUOUS_NAME',
  'SWB_UNKNOWN_APPROVAL',
  // The admin token of the configuration differs from the gateway's.
  'SWB_UNAUTHENTICATED',
]);

const UNREACHABLE_CODES = new Set(['SWB_UPSTREAM_UNAVAILABLE', 'SWB_CONNECT_FAILED', 'SWB_UPSTREAM_AUTH']);

/** The exit code of an `SWB_…` name, as errors and failed tool results carry it. */
export function exitCodeOf(code: unknown): ExitCode {
  if (typeof code !== 'string') return EXIT.failed;
  if (USAGE_CODES.has(code)) return EXIT.usage;
  return UNREACHABLE_CODES.has(code) ? EXIT.unreachable : EXIT.failed;
}

export function exitCodeOfError(error: unknown): ExitCode {
  if (error instanceof Interrupted) return EXIT.interrupted;
  if (error instanceof OutputClosed) return EXIT.ok;
  if (error instanceof UsageError) return EXIT.usage;
  return error instanceof SwitchboardError ? exitCodeOf(error.code) : EXIT.failed;
}
