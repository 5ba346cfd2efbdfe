/**
 * The words of the policy room: what is decided about, and what is decided. One function decides, for lists, calls and
 * notifications alike; deny wins; an error in a rule or hook denies.
 * @module
 */

import type { Entry } from '../core/upstream.ts';
import type { PolicySection, Rule } from './language/types.ts';

/** One thing of one server, under the server's own name for it. */
export interface Subject {
  readonly server: string;
  /** Resource templates are resources. */
  readonly section: PolicySection;
  /** The upstream's own name, URI or URI template; for `methods` the method. */
  readonly name: string;
  /** `<namespace>__<name>`, `<server>+<uri>`: whole, however long. For the gateway's own tools and bare names the name. */
  readonly namespaced: string;
  /** The gateway's own tool: it belongs to no server. */
  readonly builtin: boolean;
  readonly entry: Entry | undefined;
  /** Of a URI that is in no list: the template it is an expansion of. Its rules hold where none is for the URI itself. */
  readonly template?: Pick<Subject, 'name' | 'namespaced' | 'runtime'> | undefined;
  /** Of a server that a client connected: its names were chosen after the documents were written, maybe to match them. */
  readonly runtime?: boolean | undefined;
  /**
   * Of a URI that is in no list and is not in its usual spelling: the same URI as the URL Standard writes it, which is
   * what many servers look up (measured: both official SDKs). What forbids that one forbids this one.
   */
  readonly usual?: Subject | undefined;
}

/** Why not. `rule` is a JSON pointer into the document, or `(hidden)`, `(default deny)`, `(no policy)`, `(hook <name>)`. */
export interface Denial {
  code: 'SWB_DENIED' | 'SWB_RATE_LIMITED' | 'SWB_ARGUMENTS_INVALID' | 'SWB_APPROVAL_DENIED' | 'SWB_APPROVAL_PENDING';
  /** Id of the document. */
  policy: string;
  rule: string;
  reason: string;
  /** The caller must not learn that the name exists. */
  hidden: boolean;
  retryAfterMs?: number;
  /** What a program can use: `limit`, `window`, `resetsAt`, `approvalId`, `problems`. */
  data?: Record<string, unknown>;
}

/** One count that a call adds to. */
export interface LimitUse {
  /** Names the count: document (unless the scope is global), scope, whose, counter and window. */
  key: string;
  counter: string;
  /** Scope `session`: whose session it is. Clients open as many as they like, so that these counts are bounded by whose. */
  sessionOf?: string;
  windowMs: number;
  windowName: string;
  sliding: boolean;
  max: number;
  /** Never negative. */
  amount: number;
  policy: string;
  rule: string;
  onDeny: string | undefined;
}

export interface ApprovalNeed {
  policy: string;
  rule: string;
  reason: string;
  timeoutMs: number;
  approver: 'client' | 'operator';
}

/** What the documents say of a call. `shadow` holds what documents in shadow mode would have denied. */
export type Verdict =
  | { effect: 'allow'; limits: readonly LimitUse[]; shadow: readonly Denial[] }
  | { effect: 'deny'; denial: Denial; shadow: readonly Denial[] }
  | { effect: 'approve'; need: ApprovalNeed; limits: readonly LimitUse[]; shadow: readonly Denial[] };

/** The rules of one document for one subject. */
export interface AppliedRule {
  policy: string;
  mode: 'enforce' | 'shadow';
  /** JSON pointer of the rule: `/tools/create_charge`. */
  pointer: string;
  rule: Rule;
}

/** A schema of a rule that arguments must satisfy beside the tool's own. */
export interface SchemaOverlay {
  policy: string;
  mode: 'enforce' | 'shadow';
  /** JSON pointer of the schema: `/tools/create_charge/schema`. */
  rule: string;
  schema: Readonly<Record<string, unknown>>;
}

/** One schema that arguments were held against, for `policy explain`. */
export interface ArgumentCheck {
  policy: string;
  mode: 'enforce' | 'shadow';
  rule: string;
  /** Empty: they fit. */
  problems: readonly string[];
}
