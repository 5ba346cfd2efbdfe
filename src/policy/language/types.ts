/**
 * Policy once it is read, checked and its aliases are folded: documents, grants, hooks, audit and pinning. The format is the
 * published PolicyLayer JSON with extensions; `docs/policy.md` teaches it.
 * @module
 */
import type { AuditConfig } from '../../observe/audit/file-log.ts';
import type { ConditionOperator } from './operators.ts';

/** The sections of a document, each a map of names to rules. `tools` is the published one. */
export const POLICY_SECTIONS = ['tools', 'prompts', 'resources', 'agents', 'methods'] as const;

export type PolicySection = (typeof POLICY_SECTIONS)[number];

export interface Condition {
  /** `args`, then names or indices between dots: `args.amount`, `args.items.0.price`. */
  path: string;
  op: ConditionOperator;
  value: unknown;
}

/** Conditions that must all hold; none at all holds always. A list of predicates is a list of alternatives. */
export interface Predicate {
  name: string | undefined;
  conditions: readonly Condition[];
  /** The reason for the caller when this predicate denies. */
  onDeny: string | undefined;
}

export type LimitScope = 'grant' | 'session' | 'server' | 'global';

export interface Limit {
  /** Its id. Limits of one document with the same counter, window and scope share one count. */
  counter: string;
  /** Length in milliseconds; windows begin at multiples of it since 1970-01-01T00:00Z, unless they slide. */
  windowMs: number;
  /** `minute`, `30 seconds`. */
  windowName: string;
  sliding: boolean;
  max: number;
  scope: LimitScope;
  /** What one call adds, at least 1, where `incrementFrom` names no argument. */
  increment: number;
  /** Path of an argument whose value is added instead. */
  incrementFrom: string | undefined;
  onDeny: string | undefined;
  /** Whether a call passes that cannot be counted. Undefined: as the gateway does by default. */
  onStateFailure?: StateFailure | undefined;
}

export type StateFailure = 'deny' | 'allow';

/** The rule of one name or glob. `{}` allows. */
export interface Rule {
  action: 'allow' | 'deny' | 'require_approval';
  /** The reason of `deny` and `require_approval`, for the caller. */
  reason: string | undefined;
  require: readonly Predicate[];
  denyIf: readonly Predicate[];
  /** A person must approve when any of these holds. `action: require_approval` and `approve: true` are one without conditions. */
  approveIf: readonly Predicate[];
  approvalTimeoutMs: number;
  /** Who decides: the person at the client where the client can elicit, or only the operator of the gateway. */
  approver: 'client' | 'operator';
  limits: readonly Limit[];
  /** Paths that begin with `args.` or `result.`; `*` stands for every member or item. */
  redact: readonly string[];
  /** A JSON Schema the arguments must satisfy beside the tool's own. */
  schema: Readonly<Record<string, unknown>> | undefined;
}

export interface PolicyDocument {
  /** `gateway`, `default`, `server:<name>` or `grant:<name>`: for counters, audit and messages. */
  id: string;
  description: string | undefined;
  mode: 'enforce' | 'shadow';
  default: 'allow' | 'deny';
  /** Names and globs of any section; `*` is everything. */
  hide: readonly string[];
  /** Limits of every call of a tool. */
  allTools: readonly Limit[];
  /** Exact names and globs, in the order of the document. */
  sections: Readonly<Record<PolicySection, ReadonlyMap<string, Rule>>>;
}

/** A named API key with what it may do. `local` is reserved. */
export interface GrantConfig {
  name: string;
  /** Salted hashes, as `switchboard grants add` writes them. */
  keys: readonly string[];
  /** Globs of server names; undefined: every server. The gateway's own tools are not a server. */
  servers: readonly string[] | undefined;
  /** Undefined: the gateway's `defaultPolicy`. */
  policy: PolicyDocument | undefined;
  /** Milliseconds since the epoch from which the key is no longer valid. */
  expiresAt: number | undefined;
}

export const HOOK_PHASES = ['upstream.connect', 'list.filter', 'call.before', 'call.after', 'notify', 'audit'] as const;

export type HookPhase = (typeof HOOK_PHASES)[number];

export interface HookConfig {
  name: string;
  /**
   * A module (absolute path; `hash` of its text when the configuration was read, so that an edit is a change), the name of a
   * built-in hook, or a hook or factory given by the program that embeds the gateway.
   */
  source: { module: string; hash?: string } | { builtin: string } | { code: unknown };
  options: Readonly<Record<string, unknown>>;
  /** Only these of its phases; undefined: all it has. */
  phases: readonly HookPhase[] | undefined;
  /** Globs of server names; empty: all. */
  servers: readonly string[];
  mode: 'enforce' | 'shadow';
  timeoutMs: number;
  /** The decision after an error or a timeout. */
  onError: 'deny' | 'allow';
}

export interface LockConfig {
  mode: 'off' | 'warn' | 'deny';
  /** Absolute path of `switchboard.lock.json`. */
  file: string;
  /** Of the file when the configuration was read, so that accepting a definition is a change. */
  hash?: string;
}

export interface PolicyConfig {
  /** For everything behind the gateway, under namespaced names. */
  gateway: PolicyDocument | undefined;
  /** For grants without a policy of their own. */
  defaultPolicy: PolicyDocument;
  /** By server name. */
  servers: ReadonlyMap<string, PolicyDocument>;
  grants: readonly GrantConfig[];
  /** HTTP clients need a key or `gateway.token`: the configuration has `grants`, though it may be empty. */
  keysRequired: boolean;
  hooks: readonly HookConfig[];
  audit: AuditConfig | undefined;
  lock: LockConfig;
  /**
   * Whether arguments are checked against a tool's own schema; `servers` by name, over `default`. Undefined: where a
   * document or hook judges them.
   */
  validateArguments: { default: boolean | undefined; servers: ReadonlyMap<string, boolean> };
  /** Token of the administration endpoint. Undefined: one is made and kept in the state folder. */
  adminToken: string | undefined;
}
