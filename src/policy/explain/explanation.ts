/**
 * The request and the result of `policy explain`: a decision taken apart. A stable shape, printed unchanged with `--json`.
 * @module
 */
import { nearest } from '../../config/nearest.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { shorten } from '../../core/text.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { HookAnswered } from '../hooks/outcome.ts';
import type { GrantConfig } from '../language/types.ts';
import type { ApprovalNeed, ArgumentCheck, Subject, Verdict } from '../types.ts';
import type { TraceStep } from './trace.ts';

export const EXPLAINED_KINDS = ['tool', 'prompt', 'resource', 'agent', 'method'] as const;

export type ExplainedKind = (typeof EXPLAINED_KINDS)[number];

export interface ExplainRequest {
  kind: ExplainedKind;
  /** As clients see it, namespaced, or the server's own name; for resources the URI. */
  name: string;
  /** Whose it is. Methods need it: they exist at a server's own endpoint only. */
  server?: string | undefined;
  /** Numbers that no double holds may be `ExactNumber`s. */
  args?: JsonObject | undefined;
  /** Undefined: the local user. */
  grant?: string | undefined;
  /**
   * Undefined: limits are read as they stand. A number from 1: the last of so many calls at one moment, counted from
   * nothing.
   */
  times?: number | undefined;
}

/** One evaluation of documents and schemas: the first, and one for each time hooks changed the arguments. */
export interface ExplainedPass {
  args: JsonObject;
  rules: readonly TraceStep[];
  /** Schemas that were reached. */
  schemas: readonly ArgumentCheck[];
}

export interface ExplainedLimit {
  policy: string;
  rule: string;
  counter: string;
  window: string;
  sliding: boolean;
  max: number;
  /** What this call adds. */
  amount: number;
  used: number;
  left: number;
  /** ISO 8601; null when nothing has been counted. */
  resetsAt: string | null;
}

export interface ExplainedVerdict {
  effect: Verdict['effect'];
  /** `SWB_…` of a denial; null otherwise. */
  code: string | null;
  policy: string | null;
  rule: string;
  reason: string;
  /** The caller gets the answer for an unknown name. */
  hidden: boolean;
  /** For programs: `counter`, `max`, `problems`, `approver`, … */
  data: JsonObject;
}

export interface Explanation {
  kind: ExplainedKind;
  name: string;
  /** Null: the local user. */
  grant: string | null;
  /** Null: no server has the name, and its prefix names none. */
  subject: (Pick<Subject, 'server' | 'section' | 'name' | 'namespaced'> & { exposed: string | null }) | null;
  /** `listed`: in a list of its server, hidden or not; `unlisted`: in none, and requests for it find a server; `none`. */
  presence: 'listed' | 'unlisted' | 'none';
  /** Whether lists show it to this caller. */
  listed: boolean;
  passes: readonly ExplainedPass[];
  hooks: readonly HookAnswered[];
  approval: ApprovalNeed | null;
  limits: readonly ExplainedLimit[];
  /** What documents and hooks in shadow mode would have denied. */
  shadow: readonly { policy: string; rule: string; reason: string }[];
  /** What reaches the server, where hooks or redaction make it differ. */
  sends: JsonObject | null;
  verdict: ExplainedVerdict;
  notes: readonly string[];
}

/** Throws `SWB_INVALID_PARAMS` with the nearest name for an unknown grant. `local` is the local user and no grant. */
export function requireGrant(grants: readonly Pick<GrantConfig, 'name'>[], grant: string): void {
  const names = grants.map(({ name }) => name);
  if (names.includes(grant)) return;
  const near = nearest(grant, names);
  const all = names.length === 0 ? 'No grants are configured.' : `The grants are: ${names.slice(0, 20).join(', ')}.`;
  throw new SwitchboardError(
    'SWB_INVALID_PARAMS',
    `There is no grant '${shorten(grant, 100, '')}'. ${near === undefined ? all : `Did you mean '${near}'?`}`,
    { data: { grants: names.slice(0, 50) } },
  );
}
