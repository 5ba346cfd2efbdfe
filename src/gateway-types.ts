/**
 * The gateway as a whole, as the command line and programs that embed it see it.
 * @module
 */
import type { Readable, Writable } from 'node:stream';
import type { Adapter } from './core/adapter.ts';
import type { Authenticator } from './core/identity.ts';
import type { Log } from './core/log.ts';
import type { Federation } from './federation/types.ts';
import type { Config } from './load-config.ts';
import type { ExplainRequest, Explanation } from './policy/explain/explanation.ts';
import type { Relay } from './relay/relay.ts';
import type { JsonObject, Notification } from './wire/jsonrpc.ts';

export interface GatewayOptions {
  log: Log;
  /** The kinds of servers it connects. Default: all of `adapters/index.ts`. Give the same to `loadConfig`. */
  adapters?: readonly Adapter[];
  /** Finds out whose an HTTP request is. Default: keys of grants, `gateway.token` and the local user. */
  auth?: Authenticator;
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
  /**
   * What policy says of a request, with every rule that was looked at. Nothing is sent, counted, asked of a person or
   * written to the audit; hooks of `call.before` are really asked. Rejects with `SWB_INVALID_PARAMS`, `SWB_UNKNOWN_SERVER`
   * and `SWB_AMBIGUOUS_NAME` for what does not say whom or what is meant, and `SWB_NOT_SUPPORTED` without a policy.
   */
  explain(request: ExplainRequest): Promise<Explanation>;
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
