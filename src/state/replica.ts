/**
 * Which replica of the gateway something lives in. A session, a suspended call and a sealed state cannot move: their ids
 * name the replica that holds them, so that a load balancer or another replica can send a request there.
 * @module
 */
import { randomBytes } from 'node:crypto';

/** Eight characters of base64url, random per process. */
export type ReplicaId = string;

export const newReplicaId = (): ReplicaId => randomBytes(6).toString('base64url');

/** A random id (128 bits) that names its replica: `<replica>.<32 hex digits>`. */
export const routedId = (replica: ReplicaId): string => `${replica}.${randomBytes(16).toString('hex')}`;

/** An optional prefix such as `swb1.`, then the replica. */
const ROUTED = /^(?:swb[a-z]?\d\.)?([\w-]{8})\./;

/** The replica named in a session id or a sealed state; undefined when it names none. Not authenticated. */
export const routeOf = (id: string): ReplicaId | undefined => ROUTED.exec(id)?.[1];
