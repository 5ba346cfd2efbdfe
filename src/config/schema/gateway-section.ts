/**
 * The schema of the `gateway` section, without the keys of the extension: the endpoint, its clients, its bounds.
 * @module
 */
import { z } from 'zod';
import { adminSchema } from './admin-section.ts';
import { authSchema } from './auth-section.ts';
import { count, milliseconds, text, token } from './fields.ts';
import { mqttSchema } from './mqtt-section.ts';
import { redisSchema, replicaSchema, stateSchema } from './state.ts';
import { metricsSchema, telemetrySchema } from './telemetry-section.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const HOUR_MS = 3_600_000;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

export const GATEWAY_DEFAULTS = {
  host: '127.0.0.1',
  /** Below the range systems hand out for outgoing connections, and not the usual port of a framework or a database. */
  port: 7300,
  stateDir: '.switchboard',
  logLevel: 'info',
  maxServers: 32,
} as const;

const connectSchema = z.strictObject({
  enabled: z.boolean().default(true).meta({ description: 'Whether the connectServer tool works at all.' }),
  allowPrivate: z
    .array(text().max(256))
    .max(1000)
    .default([])
    .meta({
      description:
        'Hosts or host:port that connectServer may connect to although private or loopback; "*" for all of those. ' +
        'Link-local and metadata addresses are always refused.',
    }),
  maxServers: count(0, 1000)
    .default(GATEWAY_DEFAULTS.maxServers)
    .meta({ description: 'Most servers connected at run time.' }),
});

const firstListSchema = z.strictObject({
  httpMs: count(0, HOUR_MS).default(2_000).meta({
    description: 'For HTTP clients, and for the handshake of one on stdio, in milliseconds; 0 does not wait.',
  }),
  stdioMs: count(0, HOUR_MS).default(15_000).meta({
    description: 'For a client on stdio, which starts the gateway and asks at once, in milliseconds; 0 does not wait.',
  }),
});

const pushSchema = z.strictObject({
  origins: z
    .array(text().max(256))
    .min(1)
    .max(1000)
    .meta({
      description:
        'Origins that are sent to, such as https://hooks.example: https, or http on loopback. Others that lead to private addresses ' +
        'have to be in connect.allowPrivate too.',
    }),
});

const agentsSchema = z.strictObject({
  a2a: z.boolean().default(true).meta({ description: 'Agents are offered by A2A at /a2a/<server>/<agent>.' }),
  responses: z.boolean().default(true).meta({ description: "Agents are offered by OpenAI's Responses API at /v1." }),
  signedCards: z.enum(['verbatim', 'replaced']).default('verbatim').meta({
    description: 'Signed cards of A2A agents as they are, or replaced by cards that lead to the gateway.',
  }),
  pushNotifications: pushSchema.optional().meta({
    description: 'A2A clients may register webhooks, which are told how their tasks go on. Default: they may not.',
  }),
  taskAfterMs: count(0, HOUR_MS).default(10_000).meta({
    description: 'A call of an agent by a client that knows tasks becomes a task after this time, in milliseconds.',
  }),
  maxRunMs: milliseconds().default(21_600_000).meta({
    description: 'Longest a run may take that has become a task or was begun in the background, in milliseconds.',
  }),
  keepRunsMs: milliseconds().default(86_400_000).meta({
    description: 'How long such a run is kept after it has ended, in milliseconds.',
  }),
  maxRuns: count(1, 1_000).default(32).meta({ description: 'Most such runs of one principal that have not ended.' }),
  maxDepth: count(1, 64).default(8).meta({ description: 'Most agents that call one another in a row.' }),
  maxVisits: count(1, 64).default(1).meta({ description: 'How often one agent may be among them.' }),
});

const limitsSchema = z.strictObject({
  maxBodyBytes: count(KIB, 256 * MIB)
    .default(4 * MIB)
    .meta({ description: 'Largest request body of a client, in bytes.' }),
  maxReplyBytes: count(KIB, 256 * MIB)
    .default(8 * MIB)
    .meta({ description: 'Largest reply, event or line of a server, in bytes.' }),
  maxSessions: count(1, 1_000_000).default(10_000).meta({ description: 'Most sessions of legacy clients.' }),
  maxStreams: count(1, 1_000_000).default(10_000).meta({ description: 'Most open streams to clients.' }),
  maxConnections: count(1, 1_000_000)
    .default(10_000)
    .meta({ description: 'Most connections of clients that have sent a key or token.' }),
  maxCallerSessions: count(1, 100_000)
    .default(256)
    .meta({ description: 'Most callers with a session or child of their own on one server.' }),
  maxStarts: count(1, 1_000)
    .optional()
    .meta({ description: 'Most commands that start at one time. Default: the number of cores, at least 2.' }),
  sessionIdleMs: milliseconds()
    .default(1_800_000)
    .meta({ description: 'A legacy session unused for this long ends, in milliseconds.' }),
  pageSize: count(1, 10_000).default(2_000).meta({ description: 'Entries on one page of a list.' }),
});

export const gatewayShape = {
  host: text().default(GATEWAY_DEFAULTS.host).meta({ description: 'Address to listen on.' }),
  port: count(0, 65_535).default(GATEWAY_DEFAULTS.port).meta({ description: 'Port to listen on; 0 for any free one.' }),
  token: token()
    .optional()
    .meta({
      description:
        'Bearer token clients must present: at least 16 letters, digits and -._~+/ (RFC 6750). ' +
        `Write \${VAR}, not the token itself.`,
    }),
  keyHeaders: z.array(text().max(128)).max(16).default([]).meta({
    description:
      'Headers in which the token or a key is accepted besides Authorization, such as "x-api-key", for clients that can send no other.',
  }),
  auth: authSchema.optional().meta({
    description: 'Logging in to the gateway with access tokens of authorization servers (OAuth).',
  }),
  admin: adminSchema.optional().meta({
    description: 'Who opens the pages for operators at /admin/ besides the holder of the admin token.',
  }),
  allowUnauthenticated: z
    .boolean()
    .default(false)
    .meta({ description: 'Listen beyond loopback without a token. Anyone who reaches the port may use every server.' }),
  allowedHosts: z
    .array(text().max(256))
    .max(1000)
    .default([])
    .meta({ description: 'Host headers accepted besides loopback names and the host listened on: host or host:port.' }),
  allowedOrigins: z
    .array(text().max(256))
    .max(1000)
    .default([])
    .meta({ description: 'Origins of web pages accepted besides loopback ones, such as https://app.example.' }),
  stateDir: z
    .union([text(), z.literal(false)])
    .default(GATEWAY_DEFAULTS.stateDir)
    .meta({
      description: 'Folder of what survives a restart, relative to this file; false keeps everything in memory.',
    }),
  state: stateSchema.optional().meta({
    description:
      'Redis, where replicas share what they know: an address (redis:// or rediss://), sentinels, or nodes of a cluster.',
  }),
  redis: redisSchema.prefault({}).meta({ description: 'How Redis is used, where state names one.' }),
  replica: replicaSchema.prefault({}).meta({
    description: 'Where the other replicas reach this one, where state names a Redis.',
  }),
  vault: z
    .strictObject({
      keyFile: text().optional().meta({
        description:
          'File of keys, 32 bytes in base64 or hex, one a line: the first encrypts tokens for servers, all of them decrypt. Default: a key in the state.',
      }),
    })
    .optional()
    .meta({ description: 'Where tokens for servers are kept. SWITCHBOARD_VAULT_KEY wins over its file.' }),
  firstList: firstListSchema.prefault({}).meta({
    description: 'How long lists wait, from the start of the gateway, for servers that are still connecting.',
  }),
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description:
        'Where clients reach the gateway, such as https://gateway.example. Default: the Host of each request.',
    }),
  agentProxy: z
    .boolean()
    .optional()
    .meta({
      description:
        'Builtin tools also speak as those of mcp-agent-proxy, and servers of AGENT_SERVERS are called server0, server1, … ' +
        'Default: true where AGENT_SERVERS is set.',
    }),
  connect: connectSchema.prefault({}).meta({ description: 'What the connectServer tool may do.' }),
  agents: agentsSchema.prefault({}).meta({
    description: 'How agents are offered beside MCP, runs of agents that last, and agents that call agents.',
  }),
  mqtt: mqttSchema
    .optional()
    .meta({ description: 'The gateway on an MQTT broker: as a server, and its tools as cards.' }),
  metrics: metricsSchema.optional().meta({ description: 'A listener for Prometheus.' }),
  telemetry: telemetrySchema.optional().meta({
    description: 'Traces and metrics by OTLP (OpenTelemetry). The OTEL_… variables are enough for serve.',
  }),
  limits: limitsSchema.prefault({}).meta({ description: 'Bounds.' }),
  logLevel: z.enum(LOG_LEVELS).default(GATEWAY_DEFAULTS.logLevel).meta({ description: 'Least level that is logged.' }),
};

export const gatewaySchema = z.strictObject(gatewayShape);

export type GatewayEntry = z.infer<typeof gatewaySchema>;
