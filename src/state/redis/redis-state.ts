/**
 * State in Redis, shared by every replica that uses the same prefix. Redis 6.2 or later, or what speaks its protocol and
 * runs its scripts (Valkey); a single server, behind Sentinel, or a cluster.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { Log } from '../../core/log.ts';
import { newReplicaId } from '../replica.ts';
import { STATE_LIMITS, type State, type StateLimits } from '../state.ts';
import { RedisBus } from './bus.ts';
import { connect, type RedisConnection } from './connection.ts';
import { RedisCounters } from './counters.ts';
import { COUNTING_SCRIPT } from './counting-script.ts';
import { EVENTS_SCRIPT, RedisEventLog } from './events.ts';
import { RedisKeyValue } from './key-value.ts';
import { KEY_VALUE_SCRIPT } from './key-value-script.ts';
import type { RedisTarget, RedisUse } from './target.ts';

export interface RedisStateOptions extends Partial<StateLimits>, Partial<RedisUse> {
  target: RedisTarget;
  log: Log;
  /** How long the first connection may take, in milliseconds. */
  openMs?: number;
  /** Milliseconds since the epoch. Default: the server's clock, which all replicas share. */
  clock?: () => number;
}

export const REDIS_DEFAULTS: RedisUse = { prefix: 'switchboard:', waitMs: 1_000 };
const OPEN_MS = 10_000;

const SCRIPTS = {
  swbCount: { lua: COUNTING_SCRIPT, numberOfKeys: 3 },
  swbKeyValue: { lua: KEY_VALUE_SCRIPT, numberOfKeys: 4 },
  swbEvents: { lua: EVENTS_SCRIPT, numberOfKeys: 1 },
};

/**
 * Rejects with `SWB_STATE` when Redis cannot be reached in time: a replica without the others' secret and limits would
 * be none. Later, Redis may go and come back.
 */
export async function openRedisState(options: RedisStateOptions): Promise<State> {
  const { target, log, clock, openMs = OPEN_MS } = options;
  const { prefix, waitMs } = { ...REDIS_DEFAULTS, ...options };
  const limits = { ...STATE_LIMITS, ...options };
  const { commands, messages } = await connect({ target, waitMs, log });
  const close = (): void => {
    for (const connection of [commands, messages]) connection.close();
  };
  const replica = newReplicaId();
  const bus = new RedisBus({ commands, messages, prefix, replica, log });
  try {
    await Promise.all([ready(commands, openMs), messages.opened(openMs)]);
    await bus.open();
  } catch (error) {
    close();
    throw error;
  }
  const kv = new RedisKeyValue({ connection: commands, prefix, limits, clock });
  const secrets = new Map<string, string>();
  // A Redis that has lost everything gets them again, or a replica that starts then would have others.
  const stop = commands.onRecovered(() => void keepSecrets(kv, secrets, log));
  return {
    replica,
    kv,
    counters: new RedisCounters({ connection: commands, prefix, maxCounters: limits.maxCounters, log, clock }),
    events: new RedisEventLog(commands, prefix),
    bus,
    async secret(name) {
      const made = randomBytes(32).toString('base64url');
      const own = await kv.setIfAbsent('secrets', name, made);
      const secret = own ? made : String(await kv.get('secrets', name));
      secrets.set(name, secret);
      return Buffer.from(secret, 'base64url');
    },
    async close() {
      stop();
      // What was sent without waiting is still written: a connection that is ended first gets its answers.
      await commands.flush();
      close();
    },
  };
}

/** Never rejects. */
async function keepSecrets(kv: RedisKeyValue, secrets: ReadonlyMap<string, string>, log: Log): Promise<void> {
  try {
    for (const [name, secret] of secrets) {
      if ((await kv.setIfAbsent('secrets', name, secret)) || (await kv.get('secrets', name)) === secret) continue;
      log.error(
        { secret: name },
        'Redis has another secret than this replica: it lost its own. Start the replicas again.',
      );
    }
  } catch (error) {
    log.debug({ err: error }, 'The secrets could not be looked after.');
  }
}

async function ready(connection: RedisConnection, openMs: number): Promise<void> {
  for (const [name, script] of Object.entries(SCRIPTS)) connection.client.defineCommand(name, script);
  await connection.opened(openMs);
}
