/**
 * A process of a command under test: streams that are kept, signals that are sent by hand.
 * @module
 */
import { EventEmitter } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import type { Io, OutputStream, Signal } from '../io.ts';

export class Screen extends Writable {
  text = '';
  isTTY: boolean;
  columns: number | undefined;

  constructor(isTTY = false, columns = 80) {
    super();
    this.isTTY = isTTY;
    this.columns = isTTY ? columns : undefined;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }

  get lines(): string[] {
    return this.text.split('\n').filter((line) => line !== '');
  }
}

export interface TestIo extends Io {
  stdin: PassThrough;
  stdout: Screen;
  stderr: Screen;
  env: Record<string, string | undefined>;
  /** Codes of ends without order. */
  exits: number[];
  send(signal: Signal): void;
}

export interface TestIoOptions {
  stdin?: string;
  terminal?: boolean;
  env?: Record<string, string>;
  cwd?: string;
}

export function testIo({ stdin, terminal = false, env = {}, cwd = '/' }: TestIoOptions = {}): TestIo {
  const signals = new EventEmitter();
  const input = new PassThrough();
  if (stdin !== undefined) input.end(stdin);
  const exits: number[] = [];
  return {
    stdin: input,
    stdout: new Screen(terminal) satisfies OutputStream,
    stderr: new Screen(terminal),
    env: { ...env },
    cwd,
    program: '/opt/switchboard/main.js',
    exits,
    onSignal(signal, listener) {
      signals.on(signal, listener);
      return () => signals.off(signal, listener);
    },
    exit: (code) => void exits.push(code),
    send: (signal) => void signals.emit(signal),
  };
}
