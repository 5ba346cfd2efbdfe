/**
 * Has requests wait, in the first moments, for servers that are still connecting for the first time. Clients list tools
 * once, right after they have started the gateway, and some never list them again.
 * @module
 */
import { LOCAL_IDENTITY } from '../../core/identity.ts';
import type { Patience, Waiter } from '../types.ts';
import type { ServerMember } from './member.ts';

export interface FirstListLimits {
  httpMs: number;
  stdioMs: number;
}

export class FirstConnections {
  readonly #limits: FirstListLimits;
  readonly #startedAt = performance.now();
  /** Servers that are neither ready nor have failed yet, and when they were added. */
  readonly #pending = new Map<ServerMember, number>();

  constructor(limits: FirstListLimits) {
    this.#limits = limits;
  }

  /** Whether there is any server to wait for. */
  get pending(): boolean {
    return this.#pending.size > 0;
  }

  add(member: ServerMember): void {
    this.#pending.set(member, performance.now());
    void member.settled.then(() => this.#pending.delete(member));
  }

  /**
   * Handshakes and lists wait from the start of the gateway, so that a server that never answers costs all of them together no more than
   * that; a call waits for its server from when that was added.
   */
  wait(counts: (member: ServerMember) => boolean, patience: Patience, waiter: Waiter): Promise<void> | undefined {
    if (this.#pending.size === 0) return undefined;
    const { httpMs, stdioMs } = this.#limits;
    const isStdio = waiter.identity === LOCAL_IDENTITY && waiter.inProcess !== true;
    const listMs = isStdio ? stdioMs : httpMs;
    const handshakeMs = isStdio ? Math.min(stdioMs, httpMs) : 0;
    const fromStart = this.#startedAt + (patience === 'handshake' ? handshakeMs : listMs);
    const now = performance.now();
    let ms = 0;
    const settled: Promise<void>[] = [];
    for (const [member, addedAt] of this.#pending) {
      const until =
        patience === 'named' ? addedAt + deadlineOf(member) : patience === 'call' ? addedAt + stdioMs : fromStart;
      if (until <= now || !counts(member)) continue;
      settled.push(member.settled);
      ms = Math.max(ms, until - now);
    }
    if (settled.length === 0) return undefined;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      void Promise.all(settled).then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** How long a server has until it has connected and listed what it offers. */
const deadlineOf = ({ config }: ServerMember): number => Math.min(2 * config.connectTimeoutMs, MAX_NAMED_MS);

/** Clients give up a call after about a minute. */
const MAX_NAMED_MS = 50_000;
