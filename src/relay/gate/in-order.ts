/**
 * Notifications that hooks may take their time over: passed on in the order in which they came.
 * @module
 */
import type { Notification } from '../../wire/jsonrpc.ts';

/** As it may be seen; undefined: not at all. */
export type Seen = Notification | undefined;

export class InOrder {
  #last: Promise<void> | undefined;

  /** At once where nothing before it is still looked at. What could not be looked at is not passed on. */
  pass(seen: Seen | Promise<Seen>, deliver: (sent: Notification) => void): void {
    const tell = (sent: Seen): void => {
      if (sent) deliver(sent);
    };
    if (!this.#last && !(seen instanceof Promise)) {
      tell(seen);
      return;
    }
    const before = this.#last ?? Promise.resolve();
    const done = before
      .then(() => seen)
      .then(tell)
      .catch(() => {});
    this.#last = done;
    void done.then(() => {
      if (this.#last === done) this.#last = undefined;
    });
  }

  /** Resolves when everything so far was passed on; undefined when it is. */
  get passing(): Promise<void> | undefined {
    return this.#last;
  }
}
