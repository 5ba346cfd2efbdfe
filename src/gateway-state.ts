/**
 * The state of a gateway: what its program passes, the Redis that is configured, or its folder.
 * @module
 */
import type { GatewayConfig } from './config/types.ts';
import type { Log } from './core/log.ts';
import type { GatewayParts } from './gateway-types.ts';
import { openState } from './state/open.ts';
import { isRedisUrl, type RedisTarget } from './state/redis/target.ts';
import type { State } from './state/state.ts';

type Given = NonNullable<GatewayParts['state']>;

export interface GatewayState {
  readonly state: State;
  /** The folder of what belongs to this machine; undefined where nothing is to be kept. */
  readonly folder: string | undefined;
  /** Whether what is kept outlives the process. */
  readonly persistent: boolean;
  /** Of a Redis that several replicas may use. */
  readonly isShared: boolean;
  /** Closes what was opened here. */
  close(): Promise<void>;
}

export const isState = (given: Given): given is State => typeof given === 'object' && 'kv' in given;

export const isFolder = (given: Given): given is string => typeof given === 'string' && !isRedisUrl(given);

/** Rejects with `SWB_STATE` when there is no such Redis. */
export async function gatewayState(gateway: GatewayConfig, given: Given | undefined, log: Log): Promise<GatewayState> {
  const folder = given !== undefined && isFolder(given) ? given : gateway.stateDir;
  if (given !== undefined && isState(given)) {
    return { state: given, folder, persistent: true, isShared: false, close: async () => {} };
  }
  const target = given === undefined || isFolder(given) ? gateway.state : given;
  const state = target === undefined ? openState(folder, log) : await openRedis(target, gateway, log);
  const isShared = target !== undefined;
  return { state, folder, persistent: isShared || folder !== undefined, isShared, close: () => state.close() };
}

/** The client of Redis is loaded where there is one. */
async function openRedis(target: RedisTarget, { redis }: GatewayConfig, log: Log): Promise<State> {
  const { openRedisState } = await import('./state/redis/redis-state.ts');
  return openRedisState({ target, log, ...redis });
}
