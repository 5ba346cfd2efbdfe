/**
 * Who wants to hear of which resource of one server. However many ask for a URI, the upstream is asked once, and again
 * whenever it is connected anew.
 * @module
 */

import type { Log } from '../../core/log.ts';
import type { Change, Subscription, Upstream } from '../../core/upstream.ts';

interface Watched {
  listeners: Set<(change: Change) => void>;
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

  /** Original URIs. Returns a way to stop listening, which may be called more than once. */
  add(uris: readonly string[], onChange: (change: Change) => void): () => void {
    // One function per call: two listeners that pass the same one are still two.
    const listener = (change: Change): void => onChange(change);
    const wanted = [...new Set(uris)];
    for (const uri of wanted) {
      let watched = this.#watched.get(uri);
      if (!watched) {
        watched = { listeners: new Set(), subscription: undefined };
        this.#watched.set(uri, watched);
        watched.listeners.add(listener);
        this.#subscribe(uri, watched);
      } else {
        watched.listeners.add(listener);
      }
    }
    return () => {
      for (const uri of wanted) {
        const watched = this.#watched.get(uri);
        if (!watched?.listeners.delete(listener) || watched.listeners.size > 0) continue;
        watched.subscription?.close();
        this.#watched.delete(uri);
      }
    };
  }

  attach(upstream: Upstream): void {
    this.detach();
    this.#upstream = upstream;
    for (const [uri, watched] of this.#watched) this.#subscribe(uri, watched);
  }

  /** The upstream is away; who listens stays. */
  detach(): void {
    this.#upstream = undefined;
    for (const watched of this.#watched.values()) {
      watched.subscription?.close();
      watched.subscription = undefined;
    }
  }

  /** The server is gone for good. */
  clear(): void {
    this.detach();
    this.#watched.clear();
  }

  #subscribe(uri: string, watched: Watched): void {
    if (!this.#upstream) return;
    const heard = (change: Change): void => {
      // A copy: a listener may stop listening while it is called.
      if (change.type === 'resource') for (const listener of [...watched.listeners]) this.#tell(listener, change);
    };
    try {
      watched.subscription = this.#upstream.listen({ resources: [uri] }, heard);
    } catch (error) {
      this.#log.warn({ server: this.#server, err: error }, 'A resource could not be subscribed to.');
    }
  }

  #tell(listener: (change: Change) => void, change: Change): void {
    try {
      listener(change);
    } catch (error) {
      this.#log.error({ server: this.#server, err: error }, 'A listener of a resource failed.');
    }
  }
}
