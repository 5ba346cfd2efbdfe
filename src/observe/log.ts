/**
 * The log. It goes to stderr always: stdout belongs to the protocol when the gateway is a child of its client. Lines
 * are JSON, or short text when a person reads along. Whatever is logged passes through `redact` first.
 * @module
 */
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import { redact, redactText } from '../config/redact.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { lineForPeople } from './line.ts';

/** What a log writes to: stderr, or what a test gives. */
export interface LogDestination {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
}

export interface LogOptions {
  /** Default: stderr. */
  to?: LogDestination;
  /** Short coloured lines instead of JSON. Default: when the destination is a terminal. */
  pretty?: boolean;
  colour?: boolean;
}

/** `level` is one of pino's, or `silent`. The result satisfies the adapters' `Log`. */
export function createLog(level: string, options: LogOptions = {}): Logger {
  const to = options.to ?? process.stderr;
  const pretty = options.pretty ?? to.isTTY === true;
  const log = pino(
    {
      level,
      base: null,
      // Redacted here and not by a list of paths: a path nobody thought of is the one that leaks.
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
    pretty ? prettyStream(to, options.colour ?? true) : jsonStream(to),
  );
  // What a child is bound to passes no formatter either. Children inherit from the log they come from.
  const { child } = log;
  log.child = function redactedChild(this: Logger, bindings, childOptions) {
    return child.call(this, redact(bindings) as JsonObject, childOptions);
  } as typeof child;
  return log;
}

function jsonStream(to: LogDestination): DestinationStream {
  if (to !== process.stderr) return { write: (line) => void to.write(line) };
  // Synchronous: the last line before a crash is the one that is wanted.
  const stream = destination({ dest: 2, sync: true });
  // Nobody reads stderr any more; that is no reason to stop serving.
  stream.on('error', () => {});
  return stream;
}

function prettyStream(to: LogDestination, colour: boolean): DestinationStream {
  return { write: (line) => void to.write(lineForPeople(line, colour)) };
}
