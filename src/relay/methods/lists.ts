/**
 * The lists: pages of the view, serialised beforehand.
 * @module
 */
import type { CatalogKind } from '../../core/upstream.ts';
import { type Method, optionalString } from '../request-context.ts';

export const list =
  (kind: Exclude<CatalogKind, 'agents'>): Method =>
  ({ view, caller, params }) => ({ raw: view.page(kind, caller.era, optionalString(params, 'cursor')).result });
