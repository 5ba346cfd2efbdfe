/**
 * What operators do, as lines of the audit. What one operator is refused, or fails at, beyond ten times of one kind in a window is
 * counted in one line, so that a person to whom nothing is open cannot fill the audit.
 * @module
 */
import { type OperatorEvent, subscribe } from '../events.ts';
import type { AuditOperation } from './record.ts';

const WINDOW_MS = 60_000;
/** Of one kind, of an operator, that have lines of their own in each window. */
const SINGLE = 10;
/** Operators and kinds that are counted at a time. */
const MAX_COUNTED = 1_000;

interface Counted {
  single: number;
  last: AuditOperation | undefined;
}

export class OperationRecords {
  readonly #write: (operation: AuditOperation) => void;
  readonly #counted = new Map<string, Counted>();
  #timer: NodeJS.Timeout | undefined;

  readonly #stop: () => void;

  /** Until {@link close}, of this gateway. */
  constructor(instance: string, write: (operation: AuditOperation) => void) {
    this.#write = write;
    this.#stop = subscribe('operator', (event) => this.#record(event), instance);
  }

  close(): void {
    this.#stop();
    this.flush();
  }

  #record({ principal, person, action, target, outcome, errorCode }: OperatorEvent): void {
    const time = new Date().toISOString();
    const operation: AuditOperation = { time, operator: principal, person, action, target, outcome, errorCode };
    if (outcome === 'ok' || this.#isSingle(operation)) this.#write(operation);
  }

  #isSingle(operation: AuditOperation): boolean {
    const { operator, action, outcome, time } = operation;
    const kind = `${operator}\n${action}\n${outcome}`;
    const counted = this.#counted.get(kind) ?? { single: 0, last: undefined };
    if (!this.#counted.has(kind)) {
      if (this.#counted.size >= MAX_COUNTED) this.flush();
      this.#counted.set(kind, counted);
      this.#timer ??= setTimeout(() => this.flush(), WINDOW_MS).unref();
    }
    if (counted.single < SINGLE) {
      counted.single++;
      return true;
    }
    const { since = time, repeated = 0 } = counted.last ?? {};
    counted.last = { ...operation, since, repeated: repeated + 1 };
    return false;
  }

  /** Writes what was counted, and begins anew. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const counted = [...this.#counted.values()];
    this.#counted.clear();
    for (const { last } of counted) if (last) this.#write(last);
  }
}
