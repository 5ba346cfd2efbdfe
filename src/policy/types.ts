/**
 * Subjects of policy and decisions about them, for lists, calls and notifications alike. Deny wins; an error in a rule or hook
 * denies.
 * @module
 */

import type { Entry } from '../core/upstream.ts';
import type { PolicySection, Rule, StateFailure } from './language/types.ts';

/** A tool, prompt, resource, agent or method of one server. */
export interface Subject {
  readonly server: string;
  /** Resource templates are resources. */
  readonly section: PolicySection;
  /** The upstream's own name, URI or URI template; for `methods` the method. */
  readonly name: string;
  /** `<namespace>__<name>`, `<server>+<uri>`, never shortened. For builtin tools and servers without a namespace the name. */
  readonly namespaced: string;
  /** A builtin tool: it belongs to no server. */
  readonly builtin: boolean;
  readonly entry: Entry | undefined;
  /** For a URI that is in no list: the template it expands. Its rules hold where none is for the URI itself. */
  readonly template?: Pick<Subject, 'name' | 'namespaced' | 'runtime'> | undefined;
  /**
   * Of an agent: the tool that stands for it. Rules about either are about both. `isTentative`: the server's own tools are not
   * known yet, and the name may be one of theirs, so that a rule about it cannot allow the agent.
   */
  readonly tool?: (Pick<Subject, 'name' | 'namespaced' | 'runtime'> & { readonly isTentative: boolean }) | undefined;
  /** The server was connected by a client: its names were chosen after the documents were written, maybe to match them. */
  readonly runtime?: boolean | undefined;
  /**
   * For a URI: the same URI in its normal form, which a server may read this one as (measured: both official SDKs look up
   * such a form). A denial of that form denies this spelling.
   */
  readonly usual?: Subject | undefined;
  /** `name`, `namespaced` and those of the template are in the normal form of `language/uris.ts`. */
  readonly normal?: boolean | undefined;
}

/** Why a call is denied. `rule` is a JSON pointer into the document, or `(hidden)`, `(default deny)`, `(no policy)`, `(hook <name>)`. */
export interface Denial {
  code:
    | 'SWB_DENIED'
    | 'SWB_RATE_LIMITED'
    | 'SWB_ARGUMENTS_INVALID'
    | 'SWB_APPROVAL_DENIED'
    | 'SWB_APPROVAL_PENDING'
    | 'SWB_STATE';
  /** Id of the document. */
  policy: string;
  rule: string;
  reason: string;
  /** The caller must not learn that the name exists. */
  hidden: boolean;
  retryAfterMs?: number;
  /** For programs: `limit`, `window`, `resetsAt`, `approvalId`, `problems`. */
  data?: Record<string, unknown>;
}

/** One count that a call adds to. */
export interface LimitUse {
  /** Identifies the count: document (unless the scope is global), scope, owner, counter and window. */
  key: string;
  counter: string;
  /** Scope `session`: the session's principal. Clients open as many sessions as they like, so counts are bounded per principal. */
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
  onStateFailure?: StateFailure | undefined;
}

export interface ApprovalNeed {
  policy: string;
  rule: string;
  reason: string;
  timeoutMs: number;
  approver: 'client' | 'operator';
}

/** What the documents decide about a call. `shadow` holds denials of documents in shadow mode. */
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

/** One schema that arguments were checked against, for `policy explain`. */
export interface ArgumentCheck {
  policy: string;
  mode: 'enforce' | 'shadow';
  rule: string;
  /** Empty: they fit. */
  problems: readonly string[];
}
