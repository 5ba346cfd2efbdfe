/**
 * Prints results to stdout and everything else to stderr, so that `switchboard … | jq` works.
 * @module
 */
import { styleText } from 'node:util';
import { visibleJson, visibleText } from '../core/visible.ts';
import { type Io, type OutputStream, typeable } from './io.ts';

export type Style = Parameters<typeof styleText>[0];
export type Painter = (style: Style, text: string) => string;

export interface Output {
  /** A line of the result, or several. */
  print(lines: string | readonly string[]): void;
  /** A piece of the result, without a line break. */
  write(text: string): void;
  /** The result as one JSON document. */
  json(value: unknown): void;
  /** A line for the person at the terminal, or several. */
  note(lines: string | readonly string[]): void;
  /** `warning <text>`. */
  warn(text: string): void;
  /** {@link typeable}, for hints that name a command. */
  hint(text: string): string;
  /** Colours for what is printed, and for notes. */
  paint: Painter;
  paintNote: Painter;
  /** Columns of the terminal the result goes to; undefined when it goes elsewhere. */
  width: number | undefined;
  /** The result goes to a terminal: control characters of others must not reach it. */
  toTerminal: boolean;
  noteToTerminal: boolean;
}

/** `wanted` false is `--no-color`; otherwise NO_COLOR, FORCE_COLOR and TERM decide together with the stream. */
export function createOutput(io: Io, wanted = true): Output {
  const { stdout, stderr } = io;
  const shown = (printed: string): string => (stdout.isTTY ? visibleText(printed) : printed);
  const paintNote = painter(wanted && hasColour(io, stderr));
  return {
    // Not in a pipe: what others wrote goes on as it is.
    print: (lines) => void stdout.write(shown(text(lines))),
    write: (text) => void stdout.write(shown(text)),
    json: (value) => void stdout.write(`${visibleJson(JSON.stringify(value, null, 2))}\n`),
    note: (lines) => void stderr.write(visibleText(text(lines))),
    warn: (message) => void stderr.write(`${paintNote('yellow', 'warning')} ${visibleText(message)}\n`),
    hint: (text) => typeable(text, io),
    paint: painter(wanted && hasColour(io, stdout)),
    paintNote,
    width: stdout.isTTY ? stdout.columns || 80 : undefined,
    toTerminal: stdout.isTTY === true,
    noteToTerminal: stderr.isTTY === true,
  };
}

const text = (lines: string | readonly string[]): string =>
  typeof lines === 'string' ? `${lines}\n` : lines.map((line) => `${line}\n`).join('');

/** https://no-color.org and the FORCE_COLOR convention of Node. */
export function hasColour({ env }: Pick<Io, 'env'>, stream: OutputStream): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return stream.isTTY === true && env.TERM !== 'dumb';
}

const painter =
  (on: boolean): Painter =>
  (style, text) =>
    on ? styleText(style, text, { validateStream: false }) : text;
