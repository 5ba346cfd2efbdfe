/**
 * The endpoint of desktop clients: newline-delimited JSON on a pair of streams, in both eras (2026-07-28 and 2025-11-25
 * transports, "stdio"). The client is the local user; nothing but protocol is written to the output.
 * @module
 */

import type { Readable, Writable } from 'node:stream';
import { SwitchboardError, toRpcError } from '../../core/errors.ts';
import { LOCAL_IDENTITY } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import type { View } from '../../federation/types.ts';
import type { EndpointRelay } from '../../relay/relay.ts';
import { oneLine } from '../../wire/json/splice.ts';
import { LineSplitter } from '../../wire/lines.ts';
import { joined, type Pieces } from '../../wire/pieces.ts';
import { DuplexConnection } from '../duplex-connection.ts';
import { encodeError, parseJson } from '../messages.ts';

export interface StdioOptions {
  relay: EndpointRelay;
  view: View;
  input: Readable;
  output: Writable;
  log: Log;
  /** Longest line accepted, in bytes. */
  maxLineBytes?: number;
  /** How long the client may take to respond to an ask. */
  askTimeoutMs?: number;
  /** While more than this many bytes wait to be read by the client, notifications are left out and nothing is read. */
  maxBacklogBytes?: number;
}

export interface StdioEndpoint {
  /** Resolves when the client is gone (its end of the input, or an output that breaks) or `close` was called. */
  readonly closed: Promise<void>;
  /** Cancels what is in flight, ends the session, and waits (bounded) until what was written has left. */
  close(): Promise<void>;
}

const MAX_LINE_BYTES = 4 * 1024 * 1024;
const MAX_BACKLOG_BYTES = 4 * 1024 * 1024;
const ASK_TIMEOUT_MS = 10 * 60_000;
/** How long leaving waits for a client that does not read. */
const FLUSH_MS = 1_000;

export function serveStdio(options: StdioOptions): StdioEndpoint {
  const { relay, view, input, output, log } = options;
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const maxLineBytes = options.maxLineBytes ?? MAX_LINE_BYTES;
  const maxBacklogBytes = options.maxBacklogBytes ?? MAX_BACKLOG_BYTES;
  let ended = false;

  const connection = new DuplexConnection({
    relay,
    view,
    identity: LOCAL_IDENTITY,
    log,
    askTimeoutMs: options.askTimeoutMs ?? ASK_TIMEOUT_MS,
    write: writeLine,
    congested: () => output.writableLength > maxBacklogBytes,
  });
  const lines = new LineSplitter(receive, tooLong, maxLineBytes);

  function writeLine(message: Pieces | string): void {
    if (ended) return;
    // A client that does not read is not read from either, so that replies do not pile up here. Not at once: one
    // that writes a long message before it reads again would wait for us while we wait for it.
    if (!write(message) && output.writableLength > maxBacklogBytes) input.pause();
  }

  /** Returns false when the client does not keep up. */
  function write(message: Pieces | string): boolean {
    if (typeof message === 'string') return output.write(`${message}\n`);
    output.cork();
    for (const piece of message) output.write(oneLine(piece));
    const keepsUp = output.write('\n');
    output.uncork();
    return keepsUp;
  }

  function receive(line: Pieces): void {
    let message: unknown;
    try {
      message = parseJson(joined(line));
    } catch (error) {
      writeLine(encodeError(null, toRpcError(error)));
      return;
    }
    connection.receive(message);
  }

  function tooLong(): void {
    const error = new SwitchboardError(
      'SWB_BODY_TOO_LARGE',
      `A message is over ${maxLineBytes} bytes; it was dropped.`,
    );
    writeLine(encodeError(null, toRpcError(error)));
  }

  function onData(chunk: Buffer | string): void {
    lines.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  }

  const onDrain = (): void => {
    input.resume();
  };
  const onEnd = (): void => finish('the input ended');
  const onFault = (error: Error): void => {
    log.debug({ err: error }, 'the pipe to the client broke');
    finish('the pipe broke');
  };

  function finish(why: string): void {
    if (ended) return;
    log.debug({ why }, 'the stdio client is gone');
    connection.close();
    ended = true;
    input.off('data', onData);
    input.off('end', onEnd);
    input.off('close', onEnd);
    output.off('drain', onDrain);
    output.off('close', onEnd);
    input.pause();
    flushed(output).then(resolve);
  }

  input.on('data', onData);
  input.on('end', onEnd);
  input.on('close', onEnd);
  input.on('error', onFault);
  output.on('drain', onDrain);
  output.on('close', onEnd);
  output.on('error', onFault);

  return {
    closed,
    close() {
      finish('the gateway is closing');
      return closed;
    },
  };
}

/** Resolves when everything written has left, the stream is broken, or the time is up. */
function flushed(output: Writable): Promise<void> {
  if (output.destroyed || output.writableLength === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, FLUSH_MS);
    // Called when all that was written before has left, or with the error that broke the stream.
    output.write('', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
