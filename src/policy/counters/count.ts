/**
 * One count and the window it is for. Two kinds stand behind this shape: windows of the calendar, and sliding ones.
 *
 * The clock may be set back. What was counted is never forgotten for that, and never held longer than one window more
 * than it would have been: a step of up to one window back changes nothing, a longer one moves the count to the new time.
 * @module
 */

/** Something added to a count that can still be taken out again. */
export interface Reserved {
  /** Does nothing once the window it was taken in is over. */
  giveBack(): void;
}

/** A count as JSON. */
export type CountRow = number[];

export interface Count {
  /** Forgets what no longer counts. The other members speak of the time given here. */
  advance(now: number): void;
  readonly total: number;
  /** From when on nothing counts any more, unless something is added. */
  readonly endsAt: number;
  add(amount: number, now: number): Reserved;
  /** When the total will have come down to `room`. */
  fallsTo(room: number): number;
  row(): CountRow;
}
