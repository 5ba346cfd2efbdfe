/**
 * The log. It always goes to stderr: stdout belongs to the protocol when the gateway is a child of its client. Lines are
 * short text in a terminal and JSON elsewhere. Everything that is logged passes through `redact` first.
 * @module
 */
import { type DestinationStream, type Logger, pino } from 'pino';
import { redact, redactText } from '../config/redact.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { lineForPeople } from './log-line.ts';

/** What a log writes to: a stream, or part of one. */
export interface LogDestination {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  /** Bytes that are not read yet. */
  readonly writableLength?: number;
}

export interface LogOptions {
  /** Default: stderr. */
  to?: LogDestination;
  /** Short coloured lines instead of JSON. Default: when the destination is a terminal. */
  pretty?: boolean;
  colour?: boolean;
}

/** `level` is one of pino's, or `silent`. */
export function createLog(level: string, options: LogOptions = {}): Logger {
  const to = options.to ?? process.stderr;
  const pretty = options.pretty ?? to.isTTY === true;
  const log = pino(
    {
      level,
      base: null,
      // Redacted here and not by a list of paths: the path that is missing in a list is the one that leaks.
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => redact(fields) as JsonObject,
      },
      serializers: { err: (value: unknown) => value, error: (value: unknown) => value },
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: {
        // Messages pass no formatter, so the whole line is searched for what credentials look like.
        streamWrite: redactText,
      },
    },
    bounded(to, pretty ? (line) => lineForPeople(line, options.colour ?? true) : (line) => line),
  );
  // What a child is bound to passes no formatter either. Children inherit from the log they come from.
  const { child } = log;
  log.child = function redactedChild(this: Logger, bindings, childOptions) {
    return child.call(this, redact(bindings) as JsonObject, childOptions);
  } as typeof child;
  return log;
}

/** While more bytes than this wait, lines are dropped: the process that started the gateway does not read them. */
const MAX_WAITING_BYTES = 1024 * 1024;

/**
 * Never waits for the reader: a client that starts the gateway and does not read its stderr must not stop it. While there
 * is room a line leaves at once, so the last one before a crash is not lost.
 */
function bounded(to: LogDestination, format: (line: string) => string): DestinationStream {
  if (to === process.stderr) tolerateClosedStderr();
  let dropped = 0;
  return {
    write(line) {
      if ((to.writableLength ?? 0) > MAX_WAITING_BYTES) {
        dropped++;
        return;
      }
      if (dropped > 0) {
        const time = new Date().toISOString();
        to.write(
          format(
            `${JSON.stringify({ level: 'warn', time, lines: dropped, msg: 'Log lines that nobody read in time were left out.' })}\n`,
          ),
        );
        dropped = 0;
      }
      to.write(format(line));
    },
  };
}

let tolerant = false;

/** A closed stderr is no reason to stop serving. */
function tolerateClosedStderr(): void {
  if (tolerant) return;
  tolerant = true;
  process.stderr.on('error', () => {});
}
