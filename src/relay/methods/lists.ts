/**
 * The lists: pages of the view, serialised beforehand.
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import type { CatalogKind } from '../../core/upstream.ts';
import type { Method } from '../request-context.ts';

const list =
  (kind: Exclude<CatalogKind, 'agents'>): Method =>
  ({ inbound: { view, caller }, params }) => {
    const { cursor } = params;
    if (cursor !== undefined && typeof cursor !== 'string') {
      throw new SwitchboardError('SWB_INVALID_PARAMS', 'params.cursor must be a string.');
    }
    return { raw: view.page(kind, caller.era, cursor).result };
  };

export const listTools = list('tools');
export const listPrompts = list('prompts');
export const listResources = list('resources');
export const listTemplates = list('templates');
