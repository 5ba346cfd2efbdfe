/**
 * Keeps a connection to an MQTT broker up: opens it, and opens another one when it is lost, with a growing pause that is
 * different for everybody. For what is not an upstream; those are connected anew by the federation.
 * @module
 */
import { Backoff } from '../../core/backoff.ts';
import type { SwitchboardError } from '../../core/errors.ts';
import type { BrokerConnection } from './connection.ts';
import { openBroker } from './open.ts';
import type { BrokerOptions } from './types.ts';

const TIMES = { backoffBaseMs: 500, backoffCapMs: 30_000 };
const CONNECT_MS = 15_000;

export interface KeepOptions extends Omit<BrokerOptions, 'signal' | 'onLost'> {
  /** A connection is open. What is thrown, or rejected with, ends it, and another one is tried. */
  onUp(connection: BrokerConnection): void | Promise<void>;
  /** The connection was lost, or could not be opened; another one is tried after `retryMs` milliseconds. */
  onDown?(reason: SwitchboardError, retryMs: number): void;
}

export interface KeptBroker {
  /** Undefined while there is none. */
  readonly connection: BrokerConnection | undefined;
  /** Ends the connection in order, and opens no other. Never rejects. */
  close(): Promise<void>;
}

export function keepBroker({ onUp, onDown, ...options }: KeepOptions): KeptBroker {
  const backoff = new Backoff(TIMES);
  const closed = new AbortController();
  let connection: BrokerConnection | undefined;
  let timer: NodeJS.Timeout | undefined;

  const down = (reason: SwitchboardError): void => {
    connection = undefined;
    if (closed.signal.aborted) return;
    const retryMs = backoff.next();
    onDown?.(reason, retryMs);
    timer = setTimeout(() => void open(), retryMs);
    timer.unref();
  };
  const open = async (): Promise<void> => {
    const signal = AbortSignal.any([closed.signal, AbortSignal.timeout(CONNECT_MS)]);
    let opened: BrokerConnection | undefined;
    try {
      opened = await openBroker({ ...options, signal, onLost: down });
      connection = opened;
      await onUp(opened);
      if (opened.isOpen) backoff.reset();
    } catch (error) {
      // A connection that was lost meanwhile has called `down` already.
      if (opened) opened.fail(error as SwitchboardError);
      else down(error as SwitchboardError);
    }
    if (closed.signal.aborted) await opened?.close();
  };
  void open();
  return {
    get connection() {
      return connection;
    },
    async close() {
      closed.abort();
      clearTimeout(timer);
      await connection?.close();
      connection = undefined;
    },
  };
}
