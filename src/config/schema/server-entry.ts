/**
 * One entry of `mcpServers` or `servers`: what clients write, and what the gateway adds.
 * Combinations of keys (a command or a URL, not both) are checked in `../server-entry.ts`.
 * @module
 */
import { z } from 'zod';
import type { Adapter } from '../../core/adapter.ts';
import { brokerSchema, credentialsSchema } from './broker.ts';
import { count, globs, milliseconds, text } from './fields.ts';
import { IGNORED_SERVER_KEYS, ignoredShape } from './foreign.ts';
import { serverAuthSchema } from './server-auth.ts';

const TRANSPORTS = [
  'stdio',
  'http',
  'streamable-http',
  'sse',
  'streamableHttp',
  'streamable_http',
  'local',
  'remote',
  'mqtt',
] as const;

export const SERVER_DEFAULTS = {
  concurrency: 16,
  maxQueue: 256,
  queueTimeoutMs: 30_000,
  timeoutMs: 60_000,
  maxTimeoutMs: 600_000,
  connectTimeoutMs: 15_000,
} as const;

/** `connectTimeoutMs` of a command: the first run of npx or uvx downloads packages. Both SDKs wait this long. */
export const COMMAND_CONNECT_TIMEOUT_MS = 60_000;

const transport = () => z.enum(TRANSPORTS).optional();
const alias = (of: string) => ({ description: `The same as ${of}, as other clients write it.`, deprecated: true });

const commonShape = {
  // A child process
  command: text()
    .optional()
    .meta({ description: 'Program to start; it speaks MCP over stdio. `node` means the one that runs the gateway.' }),
  args: z.array(z.string()).max(1000).default([]).meta({ description: 'Arguments of the command.' }),
  env: z
    .record(z.string(), z.union([z.string(), z.number(), z.null()]))
    .default({})
    .meta({ description: 'Environment of the command, added to a safe minimum. null leaves a variable out.' }),
  envFile: text().optional().meta({ description: 'File of NAME=value lines, read below env.' }),
  cwd: text().optional().meta({ description: 'Working folder of the command. Default: the folder of this file.' }),
  // A URL
  url: text()
    .optional()
    .meta({ description: 'Address of the server: http or https; of its broker: mqtt, mqtts, ws or wss.' }),
  headers: z
    .record(z.string(), z.string())
    .default({})
    .meta({ description: 'Headers sent with every request to the url.' }),
  auth: serverAuthSchema.optional().meta({
    description:
      'How tokens for the url are got (OAuth). Default: people log in once the server asks for it, unless headers hold an Authorization.',
  }),
  type: transport().meta({
    description:
      'Transport: stdio for a command; for a url http (Streamable HTTP, falling back to HTTP+SSE; the default), ' +
      'streamable-http (no fallback) or sse (the old HTTP+SSE). For the url of a broker mqtt, which ws and wss need.',
  }),
  broker: brokerSchema.optional().meta({ description: 'How the gateway logs in to the MQTT broker of the url.' }),
  credentials: credentialsSchema
    .optional()
    .meta({ description: 'Logins of callers at the MQTT broker, so that its own rules see who calls.' }),
  // Ours
  kind: z.string().optional(),
  concurrency: count(1, 1024)
    .default(SERVER_DEFAULTS.concurrency)
    .meta({ description: 'Calls running on the server at one time.' }),
  maxQueue: count(0, 100_000)
    .default(SERVER_DEFAULTS.maxQueue)
    .meta({ description: 'Calls waiting at one time; one more is refused.' }),
  queueTimeoutMs: milliseconds()
    .default(SERVER_DEFAULTS.queueTimeoutMs)
    .meta({ description: 'Longest wait in the queue, in milliseconds.' }),
  timeoutMs: milliseconds()
    .default(SERVER_DEFAULTS.timeoutMs)
    .meta({ description: 'From leaving the queue to the reply, in milliseconds; progress restarts it.' }),
  maxTimeoutMs: milliseconds().optional().meta({
    description: 'Longest a call may take whatever progress it reports, in milliseconds; at least timeoutMs.',
    default: SERVER_DEFAULTS.maxTimeoutMs,
  }),
  connectTimeoutMs: milliseconds()
    .optional()
    .meta({
      description:
        'Longest a connection attempt may take, in milliseconds; 60000 for a command, and up to five times as long while it ' +
        'writes to stderr.',
      default: SERVER_DEFAULTS.connectTimeoutMs,
    }),
  isolation: z.enum(['caller', 'shared']).optional().meta({
    description: 'One session or child per caller, or one for all. Default: caller for a url, shared for a command.',
  }),
  namespace: z
    .union([z.string().min(1).max(64), z.literal(false)])
    .optional()
    .meta({ description: 'Prefix of the names, instead of the server’s name; false for none.' }),
  tools: z
    .union([
      z.strictObject({
        include: globs().min(1).optional().meta({ description: 'Only tools that match. Default: all.' }),
        exclude: globs().default([]).meta({ description: 'Not the tools that match; wins over include.' }),
      }),
      globs().min(1),
    ])
    .optional()
    .meta({ description: 'Which tools are offered: globs of the server’s own tool names. A list means include.' }),
  agentTools: z
    .union([
      z.boolean(),
      z.strictObject({
        include: globs().min(1).optional().meta({ description: 'Only agents that match. Default: all.' }),
        exclude: globs().default([]).meta({ description: 'Not the agents that match; wins over include.' }),
      }),
      globs().min(1),
    ])
    .optional()
    .meta({
      description:
        'Which agents appear as tools too: globs of the agents’ own names, true for all (the default), false for none. A list means include.',
    }),
  disabled: z.boolean().default(false).meta({ description: 'Do not connect to this server.' }),
  // The same under other names
  serverUrl: text().optional().meta(alias('url')),
  httpUrl: text().optional().meta(alias('url with type streamable-http')),
  transport: transport().meta(alias('type')),
  transportType: transport().meta(alias('type')),
  enabled: z.boolean().optional().meta(alias('the opposite of disabled')),
  isActive: z.boolean().optional().meta(alias('the opposite of disabled')),
  includeTools: globs().optional().meta(alias('tools.include (names, not globs)')),
  enabledTools: globs().optional().meta(alias('tools.include (names, not globs)')),
  excludeTools: globs().optional().meta(alias('tools.exclude (names, not globs)')),
  disabledTools: globs().optional().meta(alias('tools.exclude (names, not globs)')),
  ...(ignoredShape(IGNORED_SERVER_KEYS) as Record<never, never>),
};

const commonSchema = z.strictObject(commonShape);

export type ServerEntry = z.infer<typeof commonSchema>;

/** As it is written. */
export type ServerEntryInput = z.input<typeof commonSchema>;

/** The keys of an entry where there are these kinds of servers: those of all kinds, and those that only one has. */
export function serverShape(adapters: readonly Adapter[]): z.ZodRawShape {
  const kind = z
    .enum(adapters.map((adapter) => adapter.kind))
    .optional()
    .meta({ description: 'What the server is. Default: detected when connecting.' });
  const own: Record<string, z.ZodType> = {};
  for (const { options } of adapters) {
    for (const [key, schema] of Object.entries(options ?? {})) {
      if (key in commonShape) throw new TypeError(`Every server has the key '${key}': no kind can have it too.`);
      // Whether its kind needs it is checked with the whole entry; a server of another kind lacks it.
      own[key] = schema.optional().meta({ ...schema.meta() });
    }
  }
  return { ...commonShape, kind, ...own };
}
