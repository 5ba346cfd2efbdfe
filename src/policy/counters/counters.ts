/**
 * What limits count with: reserve before a call leaves, commit when it has left, roll back when it never did. An
 * interface apart from what implements it, so that several gateways can count together one day.
 * @module
 */
import type { LimitUse } from '../types.ts';

/** What was taken. It is settled once: the first of the two decides, and everything after it does nothing. */
export interface Reservation {
  readonly granted: true;
  /** The call has left: what was taken stays taken. */
  commit(): void;
  /** The call never left. Gives back what still counts; of a window that has ended there is nothing to give back. */
  rollback(): void;
}

/** Nothing was taken. */
export interface Refusal {
  readonly granted: false;
  /** The limit that holds longest, where several refuse. */
  readonly use: LimitUse;
  /**
   * `reached`: the window is used up. `too-much`: the call alone is more than the limit allows, so waiting does not help.
   * `full`: no more counts can be kept, and what cannot be counted is not allowed.
   */
  readonly why: 'reached' | 'too-much' | 'full';
  /** When the same call fits again if no other is made meanwhile, in milliseconds since the epoch. */
  readonly resetsAt: number | undefined;
  readonly retryAfterMs: number | undefined;
}

/** How one count stands. */
export interface CountState {
  readonly use: LimitUse;
  readonly used: number;
  /** When there will be nothing of it, if no call is made meanwhile; undefined when there is nothing now. */
  readonly endsAt: number | undefined;
}

export interface Look {
  /** What `reserve` would answer, where it would refuse. */
  readonly refusal: Refusal | undefined;
  readonly counts: readonly CountState[];
}

export interface Counters {
  /** All of the uses or none. `now` is in milliseconds since the epoch. */
  reserve(uses: readonly LimitUse[], now?: number): Reservation | Refusal;
  /** What {@link reserve} would find. Takes nothing. */
  look(uses: readonly LimitUse[], now?: number): Look;
  /** Writes what has to survive. Never rejects. */
  close(): Promise<void>;
}
