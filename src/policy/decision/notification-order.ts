/**
 * Passes notifications on in the order in which they came, though hooks may take their time over each.
 * @module
 */
import type { Notification } from '../../wire/jsonrpc.ts';

/** A notification as policy lets it be seen; undefined: it is dropped. */
export type Screened = Notification | undefined;

export class NotificationOrder {
  #last: Promise<void> | undefined;

  /** Delivers at once when nothing before it is still being screened. Drops a notification whose screening fails. */
  pass(screened: Screened | Promise<Screened>, deliver: (sent: Notification) => void): void {
    const passOn = (sent: Screened): void => {
      if (sent) deliver(sent);
    };
    if (!this.#last && !(screened instanceof Promise)) {
      passOn(screened);
      return;
    }
    const before = this.#last ?? Promise.resolve();
    const done = before
      .then(() => screened)
      .then(passOn)
      .catch(() => {});
    this.#last = done;
    void done.then(() => {
      if (this.#last === done) this.#last = undefined;
    });
  }

  /** Resolves when everything so far was passed on; undefined when nothing waits. */
  get pending(): Promise<void> | undefined {
    return this.#last;
  }
}
