/**
 * Callers whose sessions ended with the connection to their server: each learns it once, from the error of its first request on the new
 * connection, because what its session held (an open broker, a login, a browser page) is gone. Without it the next call would
 * run in an empty session and look like the caller's own mistake.
 *
 * Only of transports where a session cannot be renewed unnoticed. Callers are kept as hashes: their keys may be session ids.
 * @module
 */
import type { ConnectContext } from '../../../src/core/adapter.ts';
import { sha256 } from '../../../src/core/hash.ts';

/** As long as an idle session of a caller is kept. */
const KEPT_MS = 30 * 60_000;

const short = (key: string): string => sha256(key, 'hex').slice(0, 32);

export class LostCallers {
  readonly #context: Pick<ConnectContext, 'memory' | 'log' | 'name'>;
  /** Other gateways on the same state have callers of their own. */
  readonly #key: string;
  #untold: Set<string>;

  private constructor(context: ConnectContext, key: string, untold: Set<string>) {
    this.#context = context;
    this.#key = key;
    this.#untold = untold;
  }

  /** Those of the connections before. Never rejects. */
  static async of(context: ConnectContext): Promise<LostCallers> {
    const key = `lost-callers/${context.envelope.clientInfo?.instance ?? ''}`;
    const kept = await context.memory.take(key).catch(() => undefined);
    const untold = Array.isArray(kept) ? kept.filter((each) => typeof each === 'string') : [];
    return new LostCallers(context, key, new Set(untold));
  }

  /** Whether this caller has yet to be sent the loss; from now on it counts as sent. */
  tell(callerKey: string): boolean {
    return this.#untold.size > 0 && this.#untold.delete(short(callerKey));
  }

  /** The connection is over, and with it these callers' sessions. */
  remember(callerKeys: readonly string[]): void {
    const hashes = [...this.#untold, ...callerKeys.map(short)];
    this.#untold = new Set();
    if (hashes.length === 0) return;
    const { memory, log, name } = this.#context;
    memory.set(this.#key, hashes, KEPT_MS).catch((error: unknown) => {
      log.debug({ server: name, err: error }, 'callers whose sessions are lost could not be remembered');
    });
  }
}
