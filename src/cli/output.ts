/**
 * What commands print: results to stdout, everything else to stderr, so that `switchboard … | jq` works.
 * @module
 */
import { styleText } from 'node:util';
import type { Io, OutputStream } from './io.ts';

export type Style = Parameters<typeof styleText>[0];
export type Painter = (style: Style, text: string) => string;

export interface Output {
  /** A line of the result. */
  print(text: string): void;
  /** A piece of the result, as it is. */
  write(text: string): void;
  /** The result as one JSON document. */
  json(value: unknown): void;
  /** A line for the person at the terminal. */
  note(text: string): void;
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
  return {
    print: (text) => void stdout.write(`${text}\n`),
    write: (text) => void stdout.write(text),
    json: (value) => void stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    paint: painter(wanted && hasColour(io, stdout)),
    paintNote: painter(wanted && hasColour(io, stderr)),
    width: stdout.isTTY ? stdout.columns || 80 : undefined,
    toTerminal: stdout.isTTY === true,
    noteToTerminal: stderr.isTTY === true,
  };
}

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
