/**
 * `GET /admin/api/entries`: what the servers offer, page by page, with a search: there may be ten thousand of them.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { shortenTo } from '../../core/text.ts';
import { CATALOG_KINDS, type CatalogKind } from '../../core/upstream.ts';
import type { Route } from '../../federation/types.ts';
import { identityOf } from './calls.ts';
import type { AdminRequest, AdminRoute } from './route.ts';
import type { PageSources } from './sources.ts';

const MAX_PAGE = 100;
/** Of a description in the list. */
const MAX_SUMMARY = 200;

export function entryRoutes(pages: PageSources): AdminRoute[] {
  return [
    { method: 'GET', path: '/admin/api/entries', handle: (request) => ({ json: list(pages, request) }) },
    { method: 'GET', path: '/admin/api/entry', handle: (request) => ({ json: { entry: one(pages, request) } }) },
  ];
}

export interface ListedEntryJson {
  name: string;
  /** The server's own name. */
  original: string;
  server: string;
  title: string | undefined;
  summary: string;
}

const kindOf = ({ query }: AdminRequest): CatalogKind => {
  const kind = CATALOG_KINDS.find((each) => each === query.get('kind'));
  if (kind === undefined)
    throw new SwitchboardError('SWB_INVALID_REQUEST', `kind is one of: ${CATALOG_KINDS.join(', ')}.`);
  return kind;
};

/** As this grant sees them: undefined is the local user. */
function routesOf({ federation, gate, policy }: PageSources, request: AdminRequest): readonly Route[] {
  const grant = request.query.get('as') || undefined;
  if (grant !== undefined && !policy.grants.some(({ name }) => name === grant)) {
    throw new SwitchboardError('SWB_INVALID_REQUEST', 'There is no grant of that name.');
  }
  return gate.viewFor(identityOf(grant), federation.all).routes(kindOf(request));
}

function list(pages: PageSources, request: AdminRequest) {
  const { query } = request;
  const words = (query.get('search') ?? '').toLowerCase().split(/\s+/).filter(Boolean).slice(0, 10);
  const server = query.get('server') || undefined;
  const offset = Math.max(0, Math.trunc(Number(query.get('offset')) || 0));
  const found = routesOf(pages, request).filter(({ member, exposed }) => {
    if (server !== undefined && member.name !== server) return false;
    const text = exposed.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return { total: found.length, entries: found.slice(offset, offset + MAX_PAGE).map(listed) };
}

function listed({ member, exposed, original, entry: { value } }: Route): ListedEntryJson {
  const { title, description } = value;
  return {
    name: exposed,
    original: shortenTo(original, 200),
    server: member.name,
    title: typeof title === 'string' ? shortenTo(title, 100) : undefined,
    summary: typeof description === 'string' ? shortenTo(description.replace(/\s+/g, ' ').trim(), MAX_SUMMARY) : '',
  };
}

/** The whole definition. */
function one(pages: PageSources, request: AdminRequest) {
  const name = request.query.get('name') ?? '';
  const route = routesOf(pages, request).find(({ exposed }) => exposed === name);
  if (!route) throw new SwitchboardError('SWB_INVALID_REQUEST', 'There is nothing of that name.');
  return { ...listed(route), kind: kindOf(request), definition: route.entry.value };
}
