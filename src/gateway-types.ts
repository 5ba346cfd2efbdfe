/**
 * What programs that embed the gateway see of it: the options it is made of, and the gateway.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import type { z } from 'zod';
import type { gatewayShape } from './config/schema/gateway-section.ts';
import type { ServerEntryInput } from './config/schema/server-entry.ts';
import type { stateSchema } from './config/schema/state.ts';
import type { Adapter } from './core/adapter.ts';
import type { Ask } from './core/call.ts';
import type { Credentials } from './core/credentials.ts';
import type { Authenticator, Identity } from './core/identity.ts';
import type { Log } from './core/log.ts';
import type { ConfigurationFile } from './endpoint/admin/sources.ts';
import type { ServerStatus } from './federation/types.ts';
import type { Config } from './load-config.ts';
import type { EventMap, EventName } from './observe/events.ts';
import type { ExplainRequest, Explanation } from './policy/explain/explanation.ts';
import type { Hook, HookFactory } from './policy/hooks/contract.ts';
import type { gatewayPolicyShape, HookEntry, serverPolicyShape } from './policy/language/schema/keys.ts';
import type { State } from './state/state.ts';
import type { JsonObject, Notification } from './wire/jsonrpc.ts';

/** One server, as an entry of `servers.json`: a `command` or a `url`, and what goes with it. See `docs/configuration.md`. */
export type ServerOptions = ServerEntryInput & z.input<z.ZodObject<typeof serverPolicyShape>>;

/** The `gateway` section of `servers.json`. */
export type GatewaySection = z.input<z.ZodObject<typeof gatewayShape & typeof gatewayPolicyShape>>;

/** A hook from code: itself, or what makes it, with settings beside it. */
export type HookOption =
  | Hook
  | HookFactory
  | Partial<HookEntry>
  | ({ hook: Hook | HookFactory; name: string } & Partial<Omit<HookEntry, 'use' | 'module'>>);

/** The parts of a gateway that are no plain values. */
export interface GatewayParts {
  /** Default: a log on stderr, from `warn` upwards unless `logLevel` says otherwise. */
  log?: Log | undefined;
  /** The kinds of servers it connects. Default: those the package brings. Give the same to `loadConfig`. */
  adapters?: readonly Adapter[] | undefined;
  /** Finds out whose an HTTP request is. Default: keys of grants, `token` and the local user. */
  auth?: Authenticator | undefined;
  /** A key of the local user for programs of the same machine, accepted beside {@link auth}'s default. */
  localKey?: string | undefined;
  /** What requests to servers show them. Default: the headers configured for the server, for every caller. */
  credentials?: Credentials | undefined;
  /**
   * What survives a restart, and what replicas share: the folder it is kept in, the Redis (`gateway.state`), or an
   * implementation, which the gateway does not close. Default: memory.
   */
  state?: State | z.input<typeof stateSchema> | undefined;
  /** The file that the configuration was read from, for the pages of operators to edit. Default: there is none. */
  configuration?: ConfigurationFile | undefined;
  /**
   * Where the gateway's addresses begin (`/gateway`), when whatever it is mounted in passes on the whole path. Express and
   * Hono's `mount` need none.
   */
  basePath?: string | undefined;
  /**
   * Where the `OTEL_…` variables are read that say whether telemetry is exported. Default: nowhere, since the program may have
   * telemetry of its own; the environment of the process where `telemetry` is given.
   */
  telemetryEnv?: Readonly<Record<string, string | undefined>> | undefined;
}

/** A gateway in plain values: the keys of the `gateway` section, the servers, and its parts. */
export interface GatewayOptions
  extends Omit<GatewayParts, 'auth'>,
    Omit<GatewaySection, 'state' | 'stateDir' | 'hooks' | 'auth'> {
  /** Whose access tokens are accepted, as in the `gateway` section; or what finds out whose a request is, in its place. */
  auth?: GatewaySection['auth'] | Authenticator | undefined;
  servers?: Readonly<Record<string, ServerOptions>>;
  hooks?: readonly HookOption[];
  /** Relative paths start here. Default: the working folder of the process. */
  cwd?: string;
  /** What `${VAR}` in a text stands for. Default: the environment of the process. */
  env?: Readonly<Record<string, string | undefined>>;
}

export interface CallOptions {
  /** On whose behalf. Default: the local user, who holds no grant. The gateway trusts the program. */
  as?: Identity;
  /** Aborting it cancels the request, upstream too. */
  signal?: AbortSignal;
  /** Receives the notifications that belong to the request: progress, log messages. */
  onNotification?: (notification: Notification) => void;
  /** Answers what servers ask in the middle of the request. Without it they are refused. */
  onAsk?: (ask: Ask) => Promise<JsonObject>;
  /** What `onAsk` can answer, as a client declares it. Default: forms (`elicitation`), where there is an `onAsk`. */
  capabilities?: JsonObject;
}

/** One client that is served on a pair of streams. */
export interface StdioConnection {
  /** Resolves when the client is gone or `close` was called. */
  readonly closed: Promise<void>;
  /** Cancels what is in flight and ends the session. */
  close(): Promise<void>;
}

export interface Gateway {
  /** Stands in every event of this gateway. */
  readonly instance: string;
  /**
   * Calls `listener` with each event of this name of this gateway. Returns a function that ends it. The listener must not
   * throw, and is called in the turn of the event: what takes long belongs into another.
   */
  on<N extends EventName>(name: N, listener: (event: EventMap[N]) => void): () => void;
  /** Starts the HTTP endpoint, and what `mqtt` configures ({@link serveMqtt}). Rejects with `SWB_CONFIG` when the address cannot or may not be bound. */
  listen(): Promise<{ host: string; port: number; url: string }>;
  /**
   * Serves one HTTP request of a server of the program's own: `http.createServer(gateway.handler)`, or Express's
   * `app.use('/gateway', gateway.handler)`. Mount it before anything that reads request bodies.
   */
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
  /** Serves one request of a web-standard server: Hono's `app.mount('/gateway', gateway.fetch)`, `Bun.serve`. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** Puts the gateway on the MQTT broker that `mqtt` configures; nothing without. Does not wait for the broker. */
  serveMqtt(): void;
  /** Serves one client on a pair of streams. Default: stdin and stdout of the process. */
  serveStdio(input?: Readable, output?: Writable): StdioConnection;
  /**
   * One request on the merged view, without a network. Resolves with the `result`. Rejects with `SwitchboardError`, or
   * with `UpstreamError` for an error of the server. Without `onAsk` the client of such a call cannot be asked for input.
   */
  call(method: string, params?: JsonObject, options?: CallOptions): Promise<JsonObject>;
  /** Every server and its state; the gateway's own tools are none. */
  servers(): ServerStatus[];
  /** Resolves when every configured server is ready or has failed once. */
  settled(): Promise<void>;
  /** Makes the running set of servers equal to the configuration's, and its policy; what did not change goes on. */
  reload(config: Config | GatewayOptions): Promise<void>;
  /**
   * What policy says of a request, with every rule that was looked at. Nothing is sent, counted, asked of a person or
   * written to the audit; hooks of `call.before` are really called. Rejects with `SWB_INVALID_PARAMS`,
   * `SWB_UNKNOWN_SERVER` and `SWB_AMBIGUOUS_NAME` when the request does not say clearly whom or what it means, and with
   * `SWB_NOT_SUPPORTED` without a policy.
   */
  explain(request: ExplainRequest): Promise<Explanation>;
  /** Ends everything, child processes included. Bounded in time; never rejects. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
