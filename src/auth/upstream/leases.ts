/**
 * Which process, of all replicas, changes the login of a principal at a server by itself: renews or encrypts it anew. A login or a
 * revocation that a person makes waits for no lease.
 * @module
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Storage } from './storage.ts';

const LEASES = 'vault-leases';
/** Longer than two requests to an issuer may take: the second is for one that wants a nonce (DPoP). */
export const LEASE_MS = 45_000;

export class Leases {
  readonly #kv: Storage;

  constructor(kv: Storage) {
    this.#kv = kv;
  }

  /** What gives it back; undefined while another one has it. */
  async take(server: string, principal: string): Promise<(() => Promise<void>) | undefined> {
    const name = createHash('sha256').update(`${server}\n${principal}`).digest('base64url');
    const holder = randomUUID();
    if (!(await this.#kv.setIfAbsent(LEASES, name, holder, LEASE_MS))) return undefined;
    return async () => {
      // A process that took longer than its lease may have been followed by another holder.
      if ((await this.#kv.get(LEASES, name)) === holder) await this.#kv.delete(LEASES, name);
    };
  }
}
