/**
 * Waits, before a request is answered, until hooks of `list.filter` have decided about the names in it: what is undecided
 * is hidden. Lists need all names, other requests only their own.
 * @module
 */
import type { CatalogKind } from '../../core/upstream.ts';
import type { View } from '../../federation/types.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import type { RequestContext } from '../request-context.ts';

type Preparing = Promise<unknown> | undefined;

const LISTS: Readonly<Record<string, CatalogKind>> = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'templates',
};

/** Undefined for most requests: nothing has to be waited for. */
export function prepareNames({ view, fullView, request: { method }, params }: RequestContext): Preparing {
  if (!view.prepare) return undefined;
  switch (method) {
    case 'tools/call': {
      const route = typeof params.name === 'string' ? fullView.resolve('tools', params.name) : undefined;
      if (!route) return undefined;
      const tool = view.prepare('tools', route.exposed);
      // Builtin tools take names of agents in their arguments.
      return route.member.builtin ? both(tool, view.prepare('agents')) : tool;
    }
    case 'prompts/get':
      return prepare(view, 'prompts', params.name);
    case 'resources/read':
    case 'resources/subscribe':
      return both(prepare(view, 'resources', params.uri), view.prepare('templates'));
    case 'subscriptions/listen':
      return both(view.prepare('resources'), view.prepare('templates'));
    case 'completion/complete': {
      const ref = isObject(params.ref) ? params.ref : {};
      if (ref.type === 'ref/prompt') return prepare(view, 'prompts', ref.name);
      return both(prepare(view, 'resources', ref.uri), view.prepare('templates'));
    }
    default: {
      const list = LISTS[method];
      return list && view.prepare(list);
    }
  }
}

const prepare = (view: View, kind: CatalogKind, name: unknown): Preparing =>
  typeof name === 'string' ? view.prepare?.(kind, name) : undefined;

const both = (one: Preparing, other: Preparing): Preparing =>
  one && other ? Promise.all([one, other]) : (one ?? other);
