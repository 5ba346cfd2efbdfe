/**
 * What one line of the audit says. Field names are part of the format: programs read them. No field ever holds a value of
 * an argument or a result; a `reason` is not written either, because sentences of hooks and of schema errors quote values.
 * @module
 */

/** `shadow`: allowed, and a document or hook in shadow mode would have denied it. */
export type AuditVerdict = 'allow' | 'deny' | 'approve' | 'shadow';

/**
 * `tool-error`: a result with `isError`. `error`: a JSON-RPC error. `pending`: it waits for an approval, or for the
 * client's next round. `denied`: it never reached the server.
 */
export type AuditOutcome = 'ok' | 'tool-error' | 'error' | 'cancelled' | 'timeout' | 'denied' | 'pending';

export interface AuditRecord {
  /** When the line was made: ISO 8601, UTC, milliseconds. */
  time: string;
  /** The client's own id of the request. */
  requestId: string | number | undefined;
  /** `local`, or the name of the grant. */
  principal: string;
  grant: string | undefined;
  /** The request came with a key that the principal lent to an agent: the key's id, and to which agent (`server/agent`). */
  lent?: { key: string; to: string } | undefined;
  /** A keyed hash of the session's id ({@link AuditHasher.session}), never the id, which is a credential. */
  session: string | undefined;
  /** The server's name; `switchboard` for the gateway's own tools. */
  server: string;
  /** Section of a policy document: `tools`, `prompts`, `resources`, `agents`, `methods`. */
  kind: string;
  /** The server's own name for it. */
  name: string;
  /** As the client sent it: `tools/call`. */
  method: string;
  era: 'legacy' | 'modern';
  verdict: AuditVerdict;
  /** Id of the document that decided, or `hook:<name>`; undefined for a plain allow. */
  policy: string | undefined;
  /** Pointer of the rule that decided. */
  rule: string | undefined;
  /** Milliseconds it waited for its place in the server's queue. */
  queueMs: number | undefined;
  /** Milliseconds from the gateway's reading the request to its answer. */
  durationMs: number | undefined;
  outcome: AuditOutcome;
  /** An `SWB_…` name, or the number of an upstream's JSON-RPC error. */
  errorCode: string | number | undefined;
  /** Names of the top-level arguments, sorted. */
  argKeys: readonly string[];
  /** Keyed hash of the arguments: equal for equal arguments of one installation. Undefined: there were none. */
  argHash: string | undefined;
  /** Rules in shadow mode that would have denied: `<policy>#<rule>`. */
  shadow?: readonly string[] | undefined;
  /** The record stands for so many refusals of one kind, the first of them at `since` and the last at `time`. */
  repeated?: number | undefined;
  since?: string | undefined;
}

/** A line of its own: what an operator has changed through the administration, logins and refusals. No values. */
export interface AuditOperation {
  time: string;
  /** `admin` for a holder of the admin token, or issuer and subject of a person. */
  operator: string;
  /** What the identity provider calls the person. */
  person: string | undefined;
  action: string;
  target: string | undefined;
  outcome: 'ok' | 'denied' | 'error';
  errorCode: string | undefined;
  /** It stands for so many refusals of this operator, the first of them at `since`. */
  repeated?: number | undefined;
  since?: string | undefined;
}

/** A line of its own: so many records could not be written and are lost, between these two moments. */
export interface AuditGap {
  time: string;
  dropped: number;
  since: string;
  /** How many of each principal, those with most first; 16 at most. */
  principals: Readonly<Record<string, number>>;
}

export interface AuditCounters {
  /** Lines that are in the file. */
  written: number;
  /** Records that are lost, because the file could not be written for too long. */
  dropped: number;
  /** Attempts to write that failed. */
  failures: number;
}

export interface AuditLog {
  /** Never throws and never waits. */
  write(record: AuditRecord): void;
  /** As {@link write}. */
  writeOperation(operation: AuditOperation): void;
  readonly counters: Readonly<AuditCounters>;
  /** Writes what is left. Bounded in time; never rejects. Records written later are lost, and counted. */
  close(): Promise<void>;
}
