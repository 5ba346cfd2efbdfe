/**
 * Waits, before a request is answered, until hooks of `list.filter` have decided about the names in it: what is undecided
 * is hidden. Lists need all names, other requests only their own.
 * @module
 */
import type { CatalogKind } from '../../core/upstream.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import type { RequestContext } from '../request-context.ts';

const LISTS: Readonly<Record<string, CatalogKind>> = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'templates',
};

/** Undefined for most requests: nothing has to be waited for. */
export function prepareNames(context: RequestContext): Promise<unknown> | undefined {
  if (!context.view.prepare) return undefined;
  const waits = preparations(context);
  return waits.length > 0 ? Promise.all(waits) : undefined;
}

function preparations({ view, fullView, request: { method }, params }: RequestContext): Promise<void>[] {
  const prepare = (kind: CatalogKind, name?: unknown): Promise<void>[] => {
    const preparing = view.prepare?.(kind, typeof name === 'string' ? name : undefined);
    return preparing ? [preparing] : [];
  };
  const list = LISTS[method];
  if (list) return prepare(list);
  switch (method) {
    case 'tools/call': {
      const { name } = params;
      const route = typeof name === 'string' ? fullView.resolve('tools', name) : undefined;
      if (!route) return [];
      // Builtin tools take names of agents in their arguments.
      return route.member.builtin ? [...prepare('tools', name), ...prepare('agents')] : prepare('tools', name);
    }
    case 'prompts/get':
      return typeof params.name === 'string' ? prepare('prompts', params.name) : [];
    case 'resources/read':
    case 'resources/subscribe':
      return [...prepare('resources', params.uri), ...prepare('templates')];
    case 'subscriptions/listen':
      return [...prepare('resources'), ...prepare('templates')];
    case 'completion/complete': {
      const ref = isObject(params.ref) ? params.ref : {};
      if (ref.type === 'ref/prompt') return prepare('prompts', ref.name);
      return [...prepare('resources', ref.uri), ...prepare('templates')];
    }
    default:
      return [];
  }
}
