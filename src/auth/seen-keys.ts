/**
 * The key that the last request of a connection came with, and the grant it opened. Clients send one key with every request
 * of a kept connection, and comparing it takes a third of the time of hashing it (measured).
 *
 * Rules: it is kept no longer than its connection, whose buffers hold it as well. A proxy may send requests of several clients
 * over one connection, so keys are compared in the same time whatever they are.
 * @module
 */
import { timingSafeEqual } from 'node:crypto';
import { KEY_LENGTH } from './key.ts';

interface Seen {
  key: Buffer;
  grant: string;
}

const compared = Buffer.alloc(KEY_LENGTH);

export class SeenKeys {
  readonly #seen = new WeakMap<object, Seen>();

  /** The grant that the key of the connection's last request opened, where this is the same key. */
  grantOf(connection: object, presented: string): string | undefined {
    const seen = this.#seen.get(connection);
    if (!seen || presented.length !== KEY_LENGTH) return undefined;
    // A character beyond ASCII is written as several bytes, none of which is in a key.
    compared.write(presented, 'utf8');
    const isSame = timingSafeEqual(compared, seen.key);
    compared.fill(0);
    return isSame ? seen.grant : undefined;
  }

  /** `presented` opens `grant`. */
  remember(connection: object, presented: string, grant: string): void {
    this.#seen.set(connection, { key: Buffer.from(presented), grant });
  }
}
