/**
 * The one table of error codes. Every error that leaves the gateway and is its own carries a stable `SWB_…` name in
 * `error.data.code`, so that scripts need not read sentences; the sentence says what the reader can do about it.
 *
 * Numeric codes: those JSON-RPC and MCP define keep their meaning. Our own lie outside the reserved range
 * -32768…-32000, as 2026-07-28 basic/index ("Error Codes") asks of new ones.
 * @module
 */
import type { Era } from '../wire/eras.ts';
import type { JsonObject, RpcError } from '../wire/jsonrpc.ts';

export const RPC = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** Legacy only: modern revisions use invalidParams. */
  resourceNotFound: -32002,
  /** Legacy Streamable HTTP, as the reference SDKs use them. */
  badSession: -32000,
  sessionNotFound: -32001,
  headerMismatch: -32020,
  missingClientCapability: -32021,
  unsupportedProtocolVersion: -32022,
  /** 2025-11-25 only. */
  urlElicitationRequired: -32042,
} as const;

interface Row {
  rpc: number;
  /** HTTP status for a modern reply or for a request refused before it became a call. */
  status: number;
}

export const ERROR_TABLE = {
  // The request itself
  SWB_PARSE: { rpc: RPC.parse, status: 400 },
  SWB_INVALID_REQUEST: { rpc: RPC.invalidRequest, status: 400 },
  SWB_INVALID_PARAMS: { rpc: RPC.invalidParams, status: 200 },
  SWB_DUPLICATE_KEY: { rpc: RPC.invalidParams, status: 200 },
  SWB_METHOD_NOT_FOUND: { rpc: RPC.methodNotFound, status: 404 },
  SWB_BODY_TOO_LARGE: { rpc: RPC.invalidRequest, status: 413 },
  SWB_UNSUPPORTED_MEDIA_TYPE: { rpc: RPC.invalidRequest, status: 415 },
  SWB_NOT_ACCEPTABLE: { rpc: RPC.badSession, status: 406 },
  SWB_BATCH_REFUSED: { rpc: RPC.invalidRequest, status: 400 },
  SWB_HEADER_MISMATCH: { rpc: RPC.headerMismatch, status: 400 },
  SWB_MISSING_CLIENT_CAPABILITY: { rpc: RPC.missingClientCapability, status: 400 },
  SWB_UNSUPPORTED_VERSION: { rpc: RPC.unsupportedProtocolVersion, status: 400 },
  SWB_ENVELOPE: { rpc: RPC.invalidParams, status: 400 },
  SWB_HOST_REFUSED: { rpc: RPC.badSession, status: 403 },
  SWB_ORIGIN_REFUSED: { rpc: RPC.badSession, status: 403 },
  SWB_UNAUTHENTICATED: { rpc: RPC.badSession, status: 401 },
  SWB_FORBIDDEN: { rpc: RPC.badSession, status: 403 },
  /** Of the admin token. */
  SWB_TOO_MANY_ATTEMPTS: { rpc: RPC.badSession, status: 429 },
  SWB_INSUFFICIENT_SCOPE: { rpc: RPC.badSession, status: 403 },
  SWB_ISSUER_UNAVAILABLE: { rpc: RPC.badSession, status: 503 },
  SWB_SESSION_REQUIRED: { rpc: RPC.badSession, status: 400 },
  SWB_SESSION_NOT_FOUND: { rpc: RPC.sessionNotFound, status: 404 },
  SWB_NOT_INITIALIZED: { rpc: RPC.invalidRequest, status: 400 },
  SWB_TOO_MANY_SESSIONS: { rpc: -31010, status: 503 },
  SWB_TOO_MANY_STREAMS: { rpc: -31011, status: 503 },
  SWB_BUSY: { rpc: -31021, status: 503 },
  // Names
  SWB_UNKNOWN_TOOL: { rpc: RPC.invalidParams, status: 200 },
  SWB_UNKNOWN_PROMPT: { rpc: RPC.invalidParams, status: 200 },
  SWB_UNKNOWN_RESOURCE: { rpc: RPC.resourceNotFound, status: 200 },
  SWB_UNKNOWN_TASK: { rpc: RPC.invalidParams, status: 200 },
  SWB_UNKNOWN_AGENT: { rpc: RPC.invalidParams, status: 200 },
  SWB_AMBIGUOUS_NAME: { rpc: RPC.invalidParams, status: 200 },
  SWB_UNKNOWN_SERVER: { rpc: RPC.invalidParams, status: 404 },
  SWB_STALE_CURSOR: { rpc: RPC.invalidParams, status: 200 },
  // The upstream
  SWB_UPSTREAM_UNAVAILABLE: { rpc: -31001, status: 200 },
  SWB_QUEUE_FULL: { rpc: -31002, status: 200 },
  SWB_QUEUE_TIMEOUT: { rpc: -31003, status: 200 },
  SWB_CALL_TIMEOUT: { rpc: -31004, status: 200 },
  SWB_UPSTREAM_PROTOCOL: { rpc: -31005, status: 200 },
  SWB_REPLY_TOO_LARGE: { rpc: -31006, status: 200 },
  SWB_CANCELLED: { rpc: -31007, status: 200 },
  SWB_UPSTREAM_AUTH: { rpc: -31008, status: 200 },
  SWB_UPSTREAM_HTTP: { rpc: -31009, status: 200 },
  /** A person has to log in to the server first; data: `server`, `reason`, `scopes` (`src/auth/upstream/types.ts`). */
  SWB_LOGIN_NEEDED: { rpc: -31023, status: 200 },
  SWB_LOGIN_FAILED: { rpc: -31024, status: 200 },
  SWB_NOT_SUPPORTED: { rpc: RPC.methodNotFound, status: 404 },
  SWB_AGENT_FAILED: { rpc: -31012, status: 200 },
  SWB_AGENT_LOOP: { rpc: -31022, status: 200 },
  SWB_ASK_REFUSED: { rpc: -31013, status: 200 },
  SWB_UPSTREAM_SESSION_LOST: { rpc: -31014, status: 200 },
  // Policy. For tools a denial is a result with `isError`, where a model can read it; these are for everything else.
  SWB_DENIED: { rpc: -31017, status: 200 },
  SWB_RATE_LIMITED: { rpc: -31018, status: 200 },
  SWB_APPROVAL_PENDING: { rpc: -31019, status: 200 },
  SWB_APPROVAL_DENIED: { rpc: -31020, status: 200 },
  SWB_ARGUMENTS_INVALID: { rpc: RPC.invalidParams, status: 200 },
  SWB_UNKNOWN_APPROVAL: { rpc: RPC.invalidParams, status: 404 },
  SWB_APPROVAL_DECIDED: { rpc: RPC.invalidParams, status: 409 },
  SWB_APPROVAL_EXPIRED: { rpc: RPC.invalidParams, status: 410 },
  // connectServer and configuration
  SWB_URL_REFUSED: { rpc: RPC.invalidParams, status: 200 },
  SWB_CONNECT_FAILED: { rpc: -31015, status: 200 },
  SWB_CONFIG: { rpc: RPC.internal, status: 500 },
  SWB_STATE: { rpc: RPC.internal, status: 500 },
  SWB_INTERNAL: { rpc: RPC.internal, status: 500 },
  /** The replica that served a request ended before it had answered. */
  SWB_REPLICA_LOST: { rpc: -31030, status: 502 },
  /** The replica that a request is about does not answer; the request has not reached it. */
  SWB_REPLICA_AWAY: { rpc: -31031, status: 503 },
  SWB_SHUTTING_DOWN: { rpc: -31016, status: 503 },
} as const satisfies Record<`SWB_${string}`, Row>;

export type ErrorCode = keyof typeof ERROR_TABLE;

export interface ErrorDetails {
  /** What a script or a model can use; merged into `error.data`. Never addresses, credentials, stacks or prompts. */
  data?: JsonObject;
  /** Milliseconds after which trying again makes sense. */
  retryAfterMs?: number;
  /** The `WWW-Authenticate` header of the HTTP reply. */
  challenge?: string;
  /** For the log only; it never reaches a client. */
  cause?: unknown;
}

/** An error of the gateway's own. `message` is written for the client. */
export class SwitchboardError extends Error {
  readonly code: ErrorCode;
  readonly data: JsonObject;
  readonly retryAfterMs: number | undefined;
  readonly challenge: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SwitchboardError';
    this.code = code;
    this.retryAfterMs = details.retryAfterMs;
    this.challenge = details.challenge;
    this.data = { code, ...details.data };
    if (details.retryAfterMs !== undefined) this.data.retryAfterMs = details.retryAfterMs;
  }

  get rpcCode(): number {
    return ERROR_TABLE[this.code].rpc;
  }

  get httpStatus(): number {
    return ERROR_TABLE[this.code].status;
  }
}

/** Why a connection is given up whose server has shown that it speaks another era than the one it was opened in. */
export class EraChanged extends SwitchboardError {}

/** The reason of an abort is that this gateway process ends. */
export const isShutdown = (reason: unknown): boolean =>
  reason instanceof SwitchboardError && reason.code === 'SWB_SHUTTING_DOWN';

/** An error an upstream answered with, carried to the client as it was sent: code, message and data. */
export class UpstreamError extends Error {
  readonly rpcCode: number;
  readonly data: unknown;

  constructor(error: RpcError) {
    super(error.message);
    this.name = 'UpstreamError';
    this.rpcCode = error.code;
    this.data = error.data;
  }
}

/** What programs tell an error by: an `SWB_…` name, or the number of an upstream's JSON-RPC error. */
export function errorCodeOf(error: unknown): string | number {
  if (error instanceof SwitchboardError) return error.code;
  return error instanceof UpstreamError ? error.rpcCode : 'SWB_INTERNAL';
}

/** Codes of earlier revisions that modern ones must never emit (2026-07-28 basic/index, "Error Codes"). */
const MODERN_CODE: ReadonlyMap<number, number> = new Map([
  [RPC.resourceNotFound, RPC.invalidParams],
  [RPC.urlElicitationRequired, RPC.internal],
]);

const codeIn = (era: Era, code: number): number => (era === 'modern' ? (MODERN_CODE.get(code) ?? code) : code);

/**
 * The JSON-RPC error a client of this era gets for anything thrown. What is not ours or the upstream's says nothing
 * about itself: its message may hold paths, addresses or prompts.
 */
export function toRpcError(thrown: unknown, era: Era = 'legacy'): RpcError {
  if (thrown instanceof UpstreamError) {
    const error: RpcError = { code: codeIn(era, thrown.rpcCode), message: thrown.message };
    if (thrown.data !== undefined) error.data = thrown.data;
    return error;
  }
  if (thrown instanceof SwitchboardError) {
    return { code: codeIn(era, thrown.rpcCode), message: thrown.message, data: thrown.data };
  }
  return {
    code: RPC.internal,
    message: 'The gateway failed on this request. Its log has the details.',
    data: { code: 'SWB_INTERNAL' },
  };
}

/** HTTP status for a thrown error on the modern transport (2026-07-28 streamable-http, "Server Validation"). */
export function toHttpStatus(thrown: unknown): number {
  if (thrown instanceof SwitchboardError) return thrown.httpStatus;
  if (thrown instanceof UpstreamError) {
    switch (thrown.rpcCode) {
      case RPC.methodNotFound:
        return 404;
      case RPC.headerMismatch:
      case RPC.missingClientCapability:
      case RPC.unsupportedProtocolVersion:
        return 400;
      default:
        return 200;
    }
  }
  return 500;
}
