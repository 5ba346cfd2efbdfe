/**
 * The configuration of servers and gateway once it is read, checked and expanded.
 * @module
 */

import type { Target } from '../core/adapter.ts';
import type { BrokerLogin } from '../core/broker.ts';
import type { ServerAuth } from '../core/server-auth.ts';
import type { GrantRule, IssuerConfig, ScopeConfig } from '../core/token-issuer.ts';
import type { StateTarget } from './schema/state.ts';

export interface ServerConfig {
  name: string;
  /** What the file calls it, where that cannot be a name. */
  title?: string | undefined;
  /** Undefined: detected when connecting. */
  kind: string | undefined;
  target: Target;
  /** Values of the keys that only this kind has, without defaults. */
  options?: Readonly<Record<string, unknown>> | undefined;
  /** Calls running upstream at one time. */
  concurrency: number;
  /** Calls waiting at one time; one more is refused. */
  maxQueue: number;
  queueTimeoutMs: number;
  /** From leaving the queue to the reply; progress restarts it. */
  timeoutMs: number;
  /** Ceiling of one call, whatever progress it reports. */
  maxTimeoutMs: number;
  connectTimeoutMs: number;
  /** How tokens for it are got. Undefined: people log in once it asks, unless its headers hold an `Authorization`. */
  auth?: ServerAuth | undefined;
  isolation: 'caller' | 'shared';
  /** Prefix of names, `false` for none. */
  namespace: string | false;
  /** Globs of the server's own tool names. An empty `include` means all; `exclude` wins. */
  tools: { include: readonly string[]; exclude: readonly string[] };
  /** Which agents appear as tools: globs of their own names, as for `tools`. `false`: none. Undefined: all. */
  agentTools?: false | { include: readonly string[]; exclude: readonly string[] } | undefined;
  disabled: boolean;
  /** Where the entry came from; only `runtime` ones can be disconnected and are subject to the network guard. */
  origin: 'file' | 'env' | 'runtime';
  /** The principal that connected it at run time. */
  connectedBy?: string | undefined;
}

export interface GatewayConfig {
  host: string;
  port: number;
  /** Bearer token clients must present. Undefined: none, and only loopback may be bound. */
  token: string | undefined;
  /** Headers in which keys and the token are accepted besides `Authorization`. Lower case. */
  keyHeaders: readonly string[];
  /** Issuers whose access tokens are accepted. Undefined: none. */
  auth?: AuthConfig | undefined;
  /** Who opens the pages for operators. Undefined: the holder of the admin token alone. */
  admin?: AdminConfig | undefined;
  /** Allows binding beyond loopback without a token. */
  allowUnauthenticated: boolean;
  /** Host header values accepted besides loopback names and the bound host. */
  allowedHosts: readonly string[];
  /** Origin header values accepted besides loopback ones. */
  allowedOrigins: readonly string[];
  /** Folder of the persisted state; undefined keeps everything in memory. */
  stateDir: string | undefined;
  /** What tokens for servers are encrypted with: `SWITCHBOARD_VAULT_KEY`, a file, or by default a key in the state. */
  vault?: { secret?: string | undefined; keyFile?: string | undefined };
  /** The Redis that replicas share. Undefined: what is shared is in the folder. */
  state?: StateTarget | undefined;
  /** How it is used. Undefined: by default. */
  redis?: { prefix: string; waitMs: number; onStateFailure: 'deny' | 'allow' } | undefined;
  /** Where other replicas reach this one. Undefined: on this machine. */
  replica?: { host: string; port: number; address?: string | undefined } | undefined;
  /** How long a list waits, from the start of the gateway, for servers that have not connected yet, in milliseconds. */
  firstList: { httpMs: number; stdioMs: number };
  /** Where clients reach the gateway, without a trailing slash. Undefined: where a request says it was sent. */
  publicUrl?: string | undefined;
  /** How agents are offered beside MCP, and how long runs and rows of them may be. Undefined: in every way, by default. */
  agents?: {
    /** At `/a2a/<server>/<agent>`, by A2A. */
    a2a: boolean;
    /** At `/v1/responses`, by OpenAI's Responses API. */
    responses: boolean;
    /** Of A2A agents whose card is signed: that card, which leads past the gateway, or the gateway's own. */
    signedCards: 'verbatim' | 'replaced';
    /** Webhooks for tasks of A2A clients, at these origins. Undefined: there are none. */
    pushNotifications?: { origins: readonly string[] } | undefined;
    /** After how long a call of a client that knows tasks becomes one, and the bounds of such runs, in milliseconds. */
    taskAfterMs: number;
    maxRunMs: number;
    keepRunsMs: number;
    /** Of one principal, that have not ended. */
    maxRuns: number;
    /** Agents that call one another in a row, and how often one may be among them. */
    maxDepth: number;
    maxVisits: number;
  };
  /** Whether the builtin tools also speak as those of mcp-agent-proxy. */
  agentProxy: boolean;
  connect: {
    /** Whether `connectServer` works at all. */
    enabled: boolean;
    /** Hosts or `host:port` that may be connected to although private or loopback; `*` for all of those. */
    allowPrivate: readonly string[];
    /** Most servers connected at run time. */
    maxServers: number;
  };
  /** The gateway on an MQTT broker. Undefined: on none. */
  mqtt?: MqttConfig | undefined;
  /** A listener for metrics. Undefined: there is none. */
  metrics?: { host: string; port: number } | undefined;
  /** Undefined: the variables of OpenTelemetry alone say what is exported. */
  telemetry?: TelemetryConfig | undefined;
  limits: {
    maxBodyBytes: number;
    maxReplyBytes: number;
    maxSessions: number;
    maxStreams: number;
    maxConnections: number;
    maxCallerSessions: number;
    /** Commands that start at one time. Undefined: as many as there are cores, at least 2. */
    maxStarts?: number | undefined;
    sessionIdleMs: number;
    pageSize: number;
  };
  logLevel: string;
}

export interface TelemetryConfig {
  /** Undefined: where an endpoint or an exporter is named, here or in the environment. */
  enabled?: boolean | undefined;
  /** Base address of a collector. Undefined: what the environment names. */
  endpoint?: string | undefined;
  headers: Readonly<Record<string, string>>;
  /** Spans hold arguments, results and URIs of resources too. */
  content: boolean;
}

export interface MqttConfig {
  broker: { url: string; login: BrokerLogin; keepaliveSeconds: number };
  /** Of the gateway at the broker. */
  serverName: string;
  /** Undefined: one is made up for each start. */
  serverId: string | undefined;
  description: string;
  /** Grants by client id or glob of client ids; `local` is the local user. Without any, no client is served. */
  clients: Readonly<Record<string, string>>;
  /** Tools as cards with a call topic each. */
  export:
    | {
        topicNamespace: string;
        /** Whose the calls are; `local` is the local user. */
        grant: string;
        serverName: string;
        clientId?: string | undefined;
        /** Globs of the names that clients see. An empty `include` means all; `exclude` wins. */
        tools: { include: readonly string[]; exclude: readonly string[] };
      }
    | undefined;
}

export interface AuthConfig {
  issuers: readonly IssuerConfig[];
  /** The gateway's own authorization server. Undefined: there is none. */
  bridge?: BridgeConfig | undefined;
}

export interface BridgeConfig {
  login:
    | 'admin-token'
    | {
        issuer: string;
        clientId: string;
        clientSecret?: string | undefined;
        scopes: readonly string[];
        grants: readonly GrantRule[];
        /** Of people whom no rule fits. Undefined: they are refused. */
        grant?: string | undefined;
      };
  /** Of who typed the admin token. */
  grant: string;
  clients: readonly {
    id: string;
    name: string;
    secret?: string | undefined;
    redirectUris: readonly string[];
    /** Its own, as a machine. */
    grant?: string | undefined;
  }[];
  registration: boolean;
  metadataDocuments: boolean;
  /** Of tokens of the bridge, besides `mcp`, which all need. Undefined: nothing depends on scopes. */
  scopes?: Readonly<Record<string, ScopeConfig>> | undefined;
  accessTokenMinutes: number;
  loginDays: number;
}

export interface AdminConfig {
  /** People log in at an OIDC provider. Undefined: they do not. */
  login?: AdminLoginConfig | undefined;
}

export interface AdminLoginConfig {
  issuer: string;
  clientId: string;
  clientSecret?: string | undefined;
  scopes: readonly string[];
  /** Who may do everything, by claims of the ID token. */
  admins: readonly ClaimRule[];
  /** Who may look. */
  viewers: readonly ClaimRule[];
  /** Who logs out is offered to log out at the provider, too. */
  providerLogout: boolean;
}

/** Fits an ID token whose claim has one of these values. */
export interface ClaimRule {
  /** A name, or a path. */
  claim: string;
  values: readonly string[];
}
