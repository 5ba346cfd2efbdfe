/**
 * What may be asked of the administration API, read and checked.
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import { APPROVAL_STATES, type ApprovalState, type Decision } from '../../policy/approvals/types.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { parseJson } from '../messages.ts';

export type AdminTarget =
  | { to: 'list' }
  | { to: 'one'; id: string }
  | { to: 'decision'; id: string; effect: Decision['effect'] };

const ONE = /^\/admin\/approvals\/([^/]{1,128})(?:\/(approve|deny))?$/;

/** `path` without query. Undefined: there is nothing at this address. */
export function targetOf(path: string): AdminTarget | undefined {
  if (path === '/admin/approvals') return { to: 'list' };
  const [, id, effect] = ONE.exec(path) ?? [];
  if (id === undefined) return undefined;
  return effect === undefined ? { to: 'one', id } : { to: 'decision', id, effect: effect as Decision['effect'] };
}

/** The state to list; undefined for all of them. */
export function stateOf(query: URLSearchParams | undefined): ApprovalState | undefined {
  const asked = query?.get('state') ?? 'all';
  if (asked === 'all') return undefined;
  const state = APPROVAL_STATES.find((each) => each === asked);
  if (state === undefined) throw refuse(`state is one of: ${APPROVAL_STATES.join(', ')}, all.`);
  return state;
}

const MAX_CHARS = { by: 128, note: 1_000 } as const;

type Words = Pick<Decision, 'by' | 'note'>;

/** The optional body of a decision: `{ "by": "...", "note": "..." }`. An empty one is fine. */
export function wordsOf(body: Buffer): Words {
  if (body.length === 0) return { by: 'admin' };
  const value = parseJson(body);
  if (!isObject(value)) throw refuse('The body must be a JSON object such as {"by": "alice", "note": "..."}.');
  for (const [key, text] of Object.entries(value)) {
    const max = Object.hasOwn(MAX_CHARS, key) ? MAX_CHARS[key as keyof Words] : undefined;
    if (max === undefined) throw refuse('The body may have the members "by" and "note" only.');
    if (typeof text !== 'string' || text.length > max)
      throw refuse(`"${key}" must be a text of at most ${max} characters.`);
  }
  const { by, note } = value as Partial<Words>;
  return { by: by || 'admin', note };
}

const refuse = (message: string): SwitchboardError => new SwitchboardError('SWB_INVALID_REQUEST', message);
