/**
 * Whether a server is still there, and still the one that was connected to. Asked only when something gives cause: one
 * connection may fail on its own, and one odd answer proves nothing.
 * @module
 */

import { EraChanged, RPC, SwitchboardError, UpstreamError } from '../../src/core/errors.ts';
import type { Era } from '../../src/wire/eras.ts';
import { isModernError } from './session/habits.ts';

const TIMEOUT_MS = 5_000;

export interface HealthContext {
  /** The server's name, for messages. */
  readonly name: string;
  readonly era: Era;
  /** Rejects when the server does not answer. */
  ping(signal: AbortSignal): Promise<void>;
  /** Whether a modern probe is answered like a modern server would; rejects when it is not answered at all. */
  isModern(signal: AbortSignal): Promise<boolean>;
  /** It is gone, or another one. */
  down(reason: Error): void;
}

export class Health {
  readonly #context: HealthContext;
  #checking = false;

  constructor(context: HealthContext) {
    this.#context = context;
  }

  /** A connection failed: a server that cannot be reached at all is down. */
  suspect(): void {
    this.#check(() => this.#context.ping(AbortSignal.timeout(TIMEOUT_MS)));
  }

  /**
   * A call failed with this. Where that is what a server would say that has been upgraded or rolled back since, it is
   * met anew: at once when it refuses the version, after a question when a modern one answers like a legacy one.
   */
  failed(error: unknown): void {
    const { era, isModern } = this.#context;
    if (error instanceof UpstreamError && error.rpcCode === RPC.unsupportedProtocolVersion) {
      this.#context.down(this.#changed());
    } else if (era === 'legacy' && isModernError(error)) {
      this.#check(async () => {
        const modern = await isModern.call(this.#context, AbortSignal.timeout(TIMEOUT_MS)).catch(() => false);
        if (modern) throw this.#changed();
      });
    } else if (era === 'modern' && looksLegacy(error)) {
      this.#check(async () => {
        if (!(await isModern.call(this.#context, AbortSignal.timeout(TIMEOUT_MS)))) throw this.#changed();
      });
    }
  }

  #changed(): SwitchboardError {
    return new EraChanged(
      'SWB_UPSTREAM_UNAVAILABLE',
      `Server '${this.#context.name}' no longer speaks the protocol version it was connected with; connecting again.`,
    );
  }

  #check(look: () => Promise<void>): void {
    if (this.#checking) return;
    this.#checking = true;
    look()
      .catch((error: Error) => this.#context.down(error))
      .finally(() => {
        this.#checking = false;
      });
  }
}

/** Error codes with which legacy servers refuse requests they do not know. */
function looksLegacy(error: unknown): boolean {
  if (error instanceof UpstreamError) return error.rpcCode === RPC.badSession;
  if (!(error instanceof SwitchboardError) || error.code !== 'SWB_UPSTREAM_HTTP') return false;
  const { status } = error.data;
  return status === 400 || status === 404 || status === 405;
}
