/**
 * The installation's key for hashes in the audit: made once and kept in the state store, so that equal arguments have
 * equal hashes after a restart and in every gateway that shares the state.
 * @module
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Log } from '../../core/log.ts';
import type { StateStore } from '../../state/store.ts';
import { AuditHasher } from './hash.ts';

const NAMESPACE = 'audit';
const KEY_BYTES = 32;

/** A state that cannot be used costs only that hashes of before and after a restart cannot be compared. */
export async function openAuditHasher(store: StateStore, log: Log): Promise<AuditHasher> {
  try {
    return new AuditHasher(await keptKey(store));
  } catch (error) {
    log.warn({ err: error }, 'The key of the audit cannot be kept: its hashes will be others after a restart.');
    return new AuditHasher(randomBytes(KEY_BYTES));
  }
}

/**
 * Each of several gateways that start together writes a key of its own under a name of its own, and all take the one
 * that was there first: the store has no set-if-absent, but it keeps order.
 */
async function keptKey(store: StateStore): Promise<Buffer> {
  const known = await firstKey(store);
  if (known !== undefined) return known;
  const name = `key-${randomUUID()}`;
  await store.set(NAMESPACE, name, randomBytes(KEY_BYTES).toString('base64url'));
  const first = await firstKey(store);
  if (first === undefined) throw new Error('What was written is not there.');
  return first;
}

async function firstKey(store: StateStore): Promise<Buffer | undefined> {
  for (const [name, value] of await store.entries(NAMESPACE)) {
    if (!name.startsWith('key-') || typeof value !== 'string') continue;
    const key = Buffer.from(value, 'base64url');
    if (key.length === KEY_BYTES) return key;
  }
  return undefined;
}
