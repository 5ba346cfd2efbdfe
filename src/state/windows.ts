/**
 * How calls count in a window, as arithmetic on a row of numbers, so that a row can be kept anywhere.
 *
 * The clock may be set back. What was counted is never forgotten for that, and never held longer than one window more
 * than it would have been: a step of up to one window back changes nothing, a longer one moves the row to the new time.
 * @module
 */

export type CounterRow = number[];

export interface Window {
  create(windowMs: number, now: number): CounterRow;
  /**
   * Forgets what no longer counts; the other functions speak of the time given here. Returns true when the row was moved
   * back in time, which must be kept even if nothing is added.
   */
  advance(row: CounterRow, windowMs: number, now: number): boolean;
  total(row: CounterRow): number;
  /** From when on nothing counts any more, unless something is added. */
  endsAt(row: CounterRow, windowMs: number): number;
  /** Returns a ticket for {@link giveBack}. */
  add(row: CounterRow, windowMs: number, amount: number, now: number): number;
  /** Takes an amount out again; does nothing once the window of its ticket is over. */
  giveBack(row: CounterRow, ticket: number, amount: number): void;
  /** When the total will have come down to `room`. */
  fallsTo(row: CounterRow, windowMs: number, room: number): number;
  /**
   * A row with what `ours` counted since it was a copy of `base`, where others have counted in `row` meanwhile. Undefined:
   * there is none. Amounts may count a little longer than they would have, never shorter.
   */
  merged(row: CounterRow | undefined, ours: CounterRow, base: CounterRow | undefined, windowMs: number): CounterRow;
  isRow(row: CounterRow): boolean;
}

const numberAt = (row: CounterRow, at: number): number => row[at] as number;
const startOf = (windowMs: number, now: number): number => Math.floor(now / windowMs) * windowMs;

/**
 * Windows of the calendar: a minute begins with its first second and a day at midnight UTC. Up to twice `max` may pass
 * around the edge of two windows, as published. A row is `[start, total, ticket]`.
 */
export const CALENDAR: Window = {
  create: (windowMs, now) => [startOf(windowMs, now), 0, now],
  advance(row, windowMs, now) {
    const start = startOf(windowMs, now);
    const later = start > numberAt(row, 0);
    if (later) {
      row[1] = 0;
      row[2] = Math.max(now, numberAt(row, 2) + 1);
    } else if (start >= numberAt(row, 0) - windowMs) return false;
    row[0] = start;
    return !later;
  },
  total: (row) => numberAt(row, 1),
  endsAt: (row, windowMs) => numberAt(row, 0) + windowMs,
  add(row, _windowMs, amount) {
    row[1] = numberAt(row, 1) + amount;
    return numberAt(row, 2);
  },
  giveBack(row, ticket, amount) {
    if (row[2] === ticket) row[1] = Math.max(0, numberAt(row, 1) - amount);
  },
  fallsTo: (row, windowMs) => CALENDAR.endsAt(row, windowMs),
  merged(row, ours, base) {
    const [start, total, ticket] = ours as [number, number, number];
    const since = total - (base?.[0] === start ? numberAt(base, 1) : 0);
    if (row === undefined || numberAt(row, 0) < start) return [start, Math.max(0, since), ticket];
    if (numberAt(row, 0) > start) return row;
    return [start, Math.max(0, numberAt(row, 1) + since), numberAt(row, 2)];
  },
  isRow: (row) => row.length === 3 && Number.isSafeInteger(row[0]) && numberAt(row, 1) >= 0,
};

const SLOTS = 60;
const WIDTH = 4;

/**
 * Sliding windows: never more than `max` in any stretch of the window's length. Calls within one sixtieth of the window
 * share a slot, and a slot counts until its last call has left the window. So a row is bounded (62 slots), calls further
 * apart are counted exactly, and closer ones for at most one sixtieth of the window too long: refused a little longer,
 * never admitted too early. A row is `[first, last, amount, ticket]` per slot, oldest first.
 */
export const SLIDING: Window = {
  create: () => [],
  advance(row, windowMs, now) {
    const newest = row.length === 0 ? now : numberAt(row, row.length - 3);
    const moved = now < newest - windowMs;
    if (moved) {
      for (let at = 0; at < row.length; at += WIDTH) {
        row[at] = numberAt(row, at) + now - newest;
        row[at + 1] = numberAt(row, at + 1) + now - newest;
      }
    }
    let gone = 0;
    while (gone < row.length && numberAt(row, gone + 1) + windowMs <= now) gone += WIDTH;
    if (gone > 0) row.splice(0, gone);
    return moved;
  },
  total(row) {
    let total = 0;
    for (let at = 2; at < row.length; at += WIDTH) total += numberAt(row, at);
    return total;
  },
  endsAt: (row, windowMs) => (row.length === 0 ? Number.NEGATIVE_INFINITY : numberAt(row, row.length - 3) + windowMs),
  add(row, windowMs, amount, now) {
    const newest = row.length - WIDTH;
    // A clock that was set back a little: this call counts as the one before it.
    const at = newest < 0 ? now : Math.max(now, numberAt(row, newest + 1));
    if (newest < 0 || at - numberAt(row, newest) >= windowMs / SLOTS) {
      row.push(at, at, amount, at);
      return at;
    }
    row[newest + 1] = at;
    row[newest + 2] = numberAt(row, newest + 2) + amount;
    return numberAt(row, newest + 3);
  },
  giveBack(row, ticket, amount) {
    for (let at = 0; at < row.length; at += WIDTH) {
      if (row[at + 3] === ticket) row[at + 2] = Math.max(0, numberAt(row, at + 2) - amount);
    }
  },
  fallsTo(row, windowMs, room) {
    let left = SLIDING.total(row);
    for (let at = 0; at < row.length; at += WIDTH) {
      left -= numberAt(row, at + 2);
      if (left <= room) return numberAt(row, at + 1) + windowMs;
    }
    return SLIDING.endsAt(row, windowMs);
  },
  merged(row, ours, base, windowMs) {
    const before = slotsByTicket(base ?? []);
    const slots = slotsByTicket(row ?? []);
    for (const [ticket, [first, last, amount]] of slotsByTicket(ours)) {
      const since = amount - (before.get(ticket)?.[2] ?? 0);
      const there = slots.get(ticket);
      if (there) slots.set(ticket, [there[0], Math.max(there[1], last), Math.max(0, there[2] + since)]);
      else if (since > 0) slots.set(ticket, [first, last, since]);
    }
    const merged: CounterRow = [];
    for (const [ticket, [first, last, amount]] of [...slots].sort(([, a], [, b]) => a[0] - b[0])) {
      const newest = merged.length - WIDTH;
      const joins =
        newest >= 0 && first < Math.max(numberAt(merged, newest) + windowMs / SLOTS, numberAt(merged, newest + 1));
      if (!joins) merged.push(first, last, amount, ticket);
      else {
        merged[newest + 1] = Math.max(numberAt(merged, newest + 1), last);
        merged[newest + 2] = numberAt(merged, newest + 2) + amount;
      }
    }
    return merged;
  },
  isRow(row) {
    if (row.length === 0 || row.length % WIDTH !== 0 || row.length > WIDTH * (SLOTS + 2)) return false;
    for (let at = 0, before = Number.NEGATIVE_INFINITY; at < row.length; at += WIDTH) {
      const [first, last, amount] = [numberAt(row, at), numberAt(row, at + 1), numberAt(row, at + 2)];
      if (!(first >= before && last >= first && amount >= 0)) return false;
      before = last;
    }
    return true;
  },
};

type Slot = [first: number, last: number, amount: number];

function slotsByTicket(row: CounterRow): Map<number, Slot> {
  const slots = new Map<number, Slot>();
  for (let at = 0; at < row.length; at += WIDTH) {
    slots.set(numberAt(row, at + 3), [numberAt(row, at), numberAt(row, at + 1), numberAt(row, at + 2)]);
  }
  return slots;
}
