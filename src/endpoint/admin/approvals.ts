/**
 * `/admin/approvals`: the operator lists the calls that wait for an approval, looks at one, and approves or denies it.
 * @module
 */
import type { Operator } from '../../auth/operators/operator.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { shorten } from '../../core/text.ts';
import { APPROVAL_STATES, type Approval, type ApprovalState, type Decision } from '../../policy/approvals/types.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { parseJson } from '../messages.ts';
import type { AdminReply, AdminRequest, AdminRoute, AdminSources } from './route.ts';

export function approvalRoutes(approvals: AdminSources['approvals']): AdminRoute[] {
  const decision = (effect: Decision['effect']): AdminRoute => ({
    method: 'POST',
    path: `/admin/approvals/:id/${effect}`,
    async handle({ params, body, operator }) {
      const words = wordsOf(body, operator);
      await approvals.refresh();
      const approval = await approvals.decide(params.id as string, { effect, ...words });
      return { json: { approval: asJson(approval) } };
    },
  });

  async function list({ query }: AdminRequest): Promise<AdminReply> {
    const state = stateOf(query);
    await approvals.refresh();
    const found = approvals.list().filter((approval) => state === undefined || approval.state === state);
    // Arguments are shown with each approval; those of all together are too many bytes.
    const shown = found.map(asJson).map(({ arguments: _, argumentsShortened: __, ...rest }) => rest);
    return { json: { approvals: shown } };
  }

  async function show({ params }: AdminRequest): Promise<AdminReply> {
    await approvals.refresh();
    const approval = approvals.get(params.id as string);
    if (!approval) throw new SwitchboardError('SWB_UNKNOWN_APPROVAL', 'There is no approval of this id.');
    return { json: { approval: asJson(approval) } };
  }

  return [
    { method: 'GET', path: '/admin/approvals', handle: list },
    { method: 'GET', path: '/admin/approvals/:id', handle: show },
    decision('approve'),
    decision('deny'),
  ];
}

const instant = (ms: number): string => new Date(ms).toISOString();

const asJson = (approval: Approval) => ({
  ...approval,
  createdAt: instant(approval.createdAt),
  expiresAt: instant(approval.expiresAt),
  decidedAt: approval.decidedAt === undefined ? undefined : instant(approval.decidedAt),
});

/** An approval as the API writes it: times are ISO 8601. A list leaves the arguments out. */
export type ApprovalJson = ReturnType<typeof asJson>;

/** The state to list; undefined for all of them. */
function stateOf(query: URLSearchParams): ApprovalState | undefined {
  const asked = query.get('state') ?? 'all';
  if (asked === 'all') return undefined;
  const state = APPROVAL_STATES.find((each) => each === asked);
  if (state === undefined) throw refuse(`state is one of: ${APPROVAL_STATES.join(', ')}, all.`);
  return state;
}

const MAX_CHARS = { by: 128, note: 1_000 } as const;

type Words = Pick<Decision, 'by' | 'note'>;

/**
 * The optional body of a decision: `{ "by": "...", "note": "..." }`. An empty one is fine. A person who has logged in by name decides
 * under that name, whatever the body says; with the subject, since many providers let people choose their names.
 */
function wordsOf(body: Buffer, { principal, name: called }: Operator): Words {
  const name = called === undefined ? undefined : shorten(`${called} (${principal})`, MAX_CHARS.by);
  const usual = name ?? 'admin';
  if (body.length === 0) return { by: usual };
  const value = parseJson(body);
  if (!isObject(value)) throw refuse('The body must be a JSON object such as {"by": "alice", "note": "..."}.');
  for (const [key, text] of Object.entries(value)) {
    const max = Object.hasOwn(MAX_CHARS, key) ? MAX_CHARS[key as keyof Words] : undefined;
    if (max === undefined) throw refuse('The body may have the members "by" and "note" only.');
    if (typeof text !== 'string' || text.length > max)
      throw refuse(`"${key}" must be a text of at most ${max} characters.`);
  }
  const { by, note } = value as Partial<Words>;
  return { by: name ?? (by || usual), note };
}

const refuse = (message: string): SwitchboardError => new SwitchboardError('SWB_INVALID_REQUEST', message);
