/**
 * The schema of where replicas share their state (`gateway.state`), and of how it is used (`gateway.redis`).
 * @module
 */
import { z } from 'zod';
import { checked, count, text } from './fields.ts';

/** A name or address, or one in brackets, and maybe a port. */
const NODE = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/@[\]]+)(?::(\d{1,5}))?$/;

const node = () =>
  checked((value) => {
    const match = NODE.exec(value);
    return match && Number(match[1] ?? 1) <= 65_535 ? undefined : 'is no host and no host:port';
  });

const login = {
  username: text().optional().meta({ description: 'The user at Redis.' }),
  password: text().optional().meta({ description: `The password at Redis. Write \${VAR}, not the password itself.` }),
  tls: z.boolean().default(false).meta({ description: 'Connect with TLS.' }),
};

const urlProblem = (value: string): string | undefined => {
  const url = URL.parse(value);
  if (!/^rediss?:$/.test(url?.protocol ?? '') || url?.hostname === '') return 'is no address such as redis://host:6379';
  if (url?.search || url?.hash) return 'has a query or a fragment, which an address of Redis has not';
  return /^\/?\d{0,4}$/.test(url?.pathname ?? '')
    ? undefined
    : 'names no database: after the host comes nothing or a number';
};

const sentinelSchema = z.strictObject({
  sentinels: z.array(node()).min(1).max(64).meta({ description: 'Sentinels: host or host:port (26379).' }),
  name: text().max(256).meta({ description: 'The name of the group of servers at the sentinels.' }),
  ...login,
  db: count(0, 9_999).optional().meta({ description: 'The number of the database.' }),
  sentinelUsername: text().optional().meta({ description: 'The user at the sentinels.' }),
  sentinelPassword: text().optional().meta({ description: 'The password at the sentinels.' }),
});

const clusterSchema = z.strictObject({
  cluster: z.array(node()).min(1).max(64).meta({ description: 'Nodes of the cluster: host or host:port (6379).' }),
  ...login,
});

export const stateSchema = z.union([checked(urlProblem), sentinelSchema, clusterSchema]);

export const redisSchema = z.strictObject({
  prefix: z
    .string()
    .regex(/^[\w.:/-]{1,64}$/)
    .default('switchboard:')
    .meta({ description: 'What every key begins with: replicas with the same prefix share their state.' }),
  waitMs: count(10, 60_000).default(1_000).meta({
    description: 'Longest a request waits for Redis, in milliseconds. While Redis is away only the first ones wait.',
  }),
  onStateFailure: z.enum(['deny', 'allow']).default('deny').meta({
    description: 'Whether calls pass whose limits cannot be counted. on_state_failure of a limit wins.',
  }),
});

export const replicaSchema = z.strictObject({
  host: text().default('127.0.0.1').meta({ description: 'Address to listen on for other replicas.' }),
  port: count(0, 65_535).default(0).meta({ description: 'Port to listen on for them; 0 for any free one.' }),
  address: node().optional().meta({
    description: 'Where they reach it: host or host:port. Default: what is listened on, or an address of the machine.',
  }),
});

export type StateTarget = z.infer<typeof stateSchema>;
