/**
 * The gateway as a whole, as the command line and programs that embed it see it.
 * @module
 */
import type { Readable, Writable } from 'node:stream';
import type { Log } from '../adapters/adapter.ts';
import type { Config } from './config/types.ts';
import type { Federation } from './federation/types.ts';
import type { Relay } from './relay/types.ts';
import type { JsonObject, Notification } from './wire/jsonrpc.ts';

export interface GatewayOptions {
  log: Log;
}

export interface Gateway {
  readonly federation: Federation;
  readonly relay: Relay;
  /** Starts the HTTP endpoint. Rejects with `SWB_CONFIG` when the address cannot or may not be bound. */
  listen(): Promise<{ host: string; port: number; url: string }>;
  /** Serves one client on a pair of streams. `closed` resolves when it is gone. */
  serveStdio(input: Readable, output: Writable): { closed: Promise<void> };
  /** Makes the running set of servers equal to the configuration's; whatever did not change goes on undisturbed. */
  reload(config: Config): Promise<void>;
  /** Ends everything, children included. Bounded in time; never rejects. */
  close(): Promise<void>;
  /**
   * One request by the local user on the merged view; resolves with its result. Rejects with `SwitchboardError` or
   * `UpstreamError`. Notifications that belong to the request (progress, log messages) go to `onNotification`.
   */
  localCall(
    method: string,
    params: JsonObject,
    onNotification?: (notification: Notification) => void,
    signal?: AbortSignal,
  ): Promise<JsonObject>;
}

/** Starts connecting to every configured server at once and resolves without waiting for any. */
export type CreateGateway = (config: Config, options: GatewayOptions) => Promise<Gateway>;
