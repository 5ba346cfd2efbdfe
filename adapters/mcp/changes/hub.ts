/**
 * The listeners for changes of an upstream: the union of what they subscribe to, and which change goes to which listener.
 * @module
 */

import type { CatalogKind, Change, ListenFilter, Subscription } from '../../../src/core/upstream.ts';
import { META } from '../../../src/wire/envelope.ts';
import { isObject, type JsonObject, type Notification } from '../../../src/wire/jsonrpc.ts';

/** Everything any listener wants. */
export interface Wanted {
  lists: boolean;
  /** Original URIs, in the order they were first asked for. */
  resources: string[];
}

const LIST_CHANGES: Readonly<Record<string, readonly CatalogKind[]>> = {
  'notifications/tools/list_changed': ['tools'],
  'notifications/prompts/list_changed': ['prompts'],
  'notifications/resources/list_changed': ['resources', 'templates'],
};

interface Listener {
  lists: boolean;
  resources: ReadonlySet<string>;
  onChange: (change: Change) => void;
}

export class ChangeHub {
  readonly #listeners = new Set<Listener>();
  readonly #onWanted: () => void;

  /** `onWanted` is called when what is wanted may have changed. */
  constructor(onWanted: () => void) {
    this.#onWanted = onWanted;
  }

  listen(filter: ListenFilter, onChange: (change: Change) => void): Subscription {
    const listener: Listener = {
      lists: filter.lists === true,
      resources: new Set(filter.resources ?? []),
      onChange,
    };
    this.#listeners.add(listener);
    this.#onWanted();
    return {
      close: () => {
        if (this.#listeners.delete(listener)) this.#onWanted();
      },
    };
  }

  wanted(): Wanted {
    const resources = new Set<string>();
    let lists = false;
    for (const listener of this.#listeners) {
      lists ||= listener.lists;
      for (const uri of listener.resources) resources.add(uri);
    }
    return { lists, resources: [...resources] };
  }

  emit(change: Change): void {
    for (const listener of [...this.#listeners]) {
      if (change.type === 'list' ? listener.lists : concerns(listener.resources, change.uri)) listener.onChange(change);
    }
  }

  /** Hears a server's notification. True when it was about a change. */
  onNotification({ method, params }: Notification): boolean {
    const kinds = LIST_CHANGES[method];
    if (kinds) {
      for (const kind of kinds) this.emit({ type: 'list', kind });
      return true;
    }
    if (method !== 'notifications/resources/updated') return false;
    if (typeof params?.uri === 'string') {
      this.emit({ type: 'resource', uri: params.uri, params: withoutSubscription(params) });
    }
    return true;
  }
}

/** The updated URI may be that of a part of what was subscribed to (server/resources, "Subscriptions"). */
function concerns(subscribed: ReadonlySet<string>, uri: string): boolean {
  if (subscribed.has(uri)) return true;
  for (const parent of subscribed) {
    if (uri.startsWith(parent.endsWith('/') ? parent : `${parent}/`)) return true;
  }
  return false;
}

/** The subscription id is ours, not the client's: the relay stamps that. */
function withoutSubscription(params: JsonObject): JsonObject {
  if (!isObject(params._meta) || !(META.subscriptionId in params._meta)) return params;
  const { [META.subscriptionId]: _ours, ...meta } = params._meta;
  const { _meta: _old, ...rest } = params;
  return Object.keys(meta).length > 0 ? { ...rest, _meta: meta } : rest;
}
