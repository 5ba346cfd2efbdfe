/**
 * Listeners for updates of one server's resources. The upstream gets one subscription per URI, however many listeners
 * there are, and again after each reconnect.
 * @module
 */

import { Listeners } from '../../core/listeners.ts';
import type { Log } from '../../core/log.ts';
import type { Change, Subscription, Upstream } from '../../core/upstream.ts';

interface Watched {
  listeners: Listeners<[Change]>;
  subscription: Subscription | undefined;
}

export class ResourceListeners {
  readonly #watched = new Map<string, Watched>();
  readonly #server: string;
  readonly #log: Log;
  #upstream: Upstream | undefined;

  constructor(server: string, log: Log) {
    this.#server = server;
    this.#log = log;
  }

  /** Original URIs. Returns a function that removes the listener, which may be called more than once. */
  add(uris: readonly string[], onChange: (change: Change) => void): () => void {
    const removers = [...new Set(uris)].map((uri) => {
      const known = this.#watched.get(uri);
      const watched = known ?? { listeners: new Listeners<[Change]>(this.#log), subscription: undefined };
      const remove = watched.listeners.add(onChange);
      if (!known) {
        this.#watched.set(uri, watched);
        this.#subscribe(uri, watched);
      }
      return () => {
        remove();
        if (watched.listeners.size > 0 || this.#watched.get(uri) !== watched) return;
        watched.subscription?.close();
        this.#watched.delete(uri);
      };
    });
    return () => {
      for (const remove of removers) remove();
    };
  }

  attach(upstream: Upstream): void {
    this.detach();
    this.#upstream = upstream;
    for (const [uri, watched] of this.#watched) this.#subscribe(uri, watched);
  }

  /** Ends the subscriptions and keeps the listeners: the upstream is away. */
  detach(): void {
    this.#upstream = undefined;
    for (const watched of this.#watched.values()) {
      watched.subscription?.close();
      watched.subscription = undefined;
    }
  }

  /** Removes everything: the server is removed. */
  clear(): void {
    this.detach();
    this.#watched.clear();
  }

  #subscribe(uri: string, watched: Watched): void {
    try {
      watched.subscription = this.#upstream?.listen({ resources: [uri] }, (change) => {
        if (change.type === 'resource') watched.listeners.emit(change);
      });
    } catch (error) {
      this.#log.warn({ server: this.#server, err: error }, 'A resource could not be subscribed to.');
    }
  }
}
