/**
 * Where a Redis is and how the gateway uses it, as the configuration says it.
 * @module
 */
import type { ClusterOptions, RedisOptions } from 'ioredis';

/** A login and what goes with it, which no URL says for several hosts at once. */
export interface RedisLogin {
  username?: string | undefined;
  password?: string | undefined;
  tls?: boolean | undefined;
}

/** Hosts are `host` or `host:port`; an IPv6 address with a port stands in brackets. */
export interface SentinelTarget extends RedisLogin {
  sentinels: readonly string[];
  /** Of the group of servers, as the sentinels call it. */
  name: string;
  db?: number | undefined;
  /** The login at the sentinels themselves. */
  sentinelUsername?: string | undefined;
  sentinelPassword?: string | undefined;
}

export interface ClusterTarget extends RedisLogin {
  /** Some of its nodes; the others are found. */
  cluster: readonly string[];
}

/** A URL, such as `redis://:password@host:6379/0`, or one of the two kinds of several servers. */
export type RedisTarget = string | SentinelTarget | ClusterTarget;

/** How the gateway uses Redis. */
export interface RedisUse {
  /** What every key and channel begins with. */
  prefix: string;
  /** How long a command waits for its reply, or for a connection, in milliseconds. */
  waitMs: number;
}

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;

export const isRedisUrl = (text: string): boolean => /^rediss?:\/\//i.test(text);

/** For messages: the hosts, without user, password and options. */
export function hostsOf(target: RedisTarget): string {
  if (typeof target === 'string') return URL.parse(target)?.host || 'an address that is no URL';
  return ('cluster' in target ? target.cluster : target.sentinels).join(', ');
}

/** The options of ioredis that name the target. */
export function clientOptions(target: string | SentinelTarget): RedisOptions {
  if (typeof target === 'string') return optionsOfUrl(new URL(target));
  const { sentinels, name, db, sentinelUsername, sentinelPassword, ...login } = target;
  return {
    sentinels: sentinels.map((host) => nodeOf(host, SENTINEL_PORT)),
    name,
    ...(db !== undefined && { db }),
    ...(sentinelUsername !== undefined && { sentinelUsername }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...loginOf(login),
    ...(login.tls && { enableTLSForSentinelMode: true }),
  };
}

export function clusterOptions({ cluster, ...login }: ClusterTarget): {
  nodes: { host: string; port: number }[];
  options: ClusterOptions;
} {
  return {
    nodes: cluster.map((host) => nodeOf(host, REDIS_PORT)),
    // Names in certificates are those of the nodes: what a cluster announces is not looked up first.
    options: { redisOptions: loginOf(login), ...(login.tls && { dnsLookup: (host, found) => found(null, host) }) },
  };
}

function optionsOfUrl({ protocol, hostname, port, username, password, pathname }: URL): RedisOptions {
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port || REDIS_PORT),
    ...(pathname.length > 1 && { db: Number(pathname.slice(1)) }),
    ...loginOf({
      username: username === '' ? undefined : decodeURIComponent(username),
      password: password === '' ? undefined : decodeURIComponent(password),
      tls: protocol === 'rediss:',
    }),
  };
}

const loginOf = ({ username, password, tls }: RedisLogin): RedisOptions => ({
  ...(username !== undefined && { username }),
  ...(password !== undefined && { password }),
  ...(tls && { tls: {} }),
});

/** What {@link isNode} accepts. */
function nodeOf(text: string, defaultPort: number): { host: string; port: number } {
  const [, host = text, port] = NODE.exec(text) ?? [];
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port ?? defaultPort) };
}

const NODE = /^(\[[0-9a-fA-F:.]+\]|[^\s:/@[\]]+)(?::(\d{1,5}))?$/;
