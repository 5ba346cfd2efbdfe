/**
 * Who sends a request, as every layer behind the endpoints sees it.
 * @module
 */
import type { Implementation } from '../wire/envelope.ts';
import type { Era } from '../wire/eras.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';

/** The principal of callers who hold no grant: the local user. No grant can have this name. */
export const LOCAL_PRINCIPAL = 'local';

/** Who is asking. Made once per request (modern) or per session (legacy) at the edge and passed inwards. */
export interface Caller {
  /** The key of upstream isolation and of queue fairness: the session (legacy), the grant or local user (modern). */
  readonly key: string;
  /** Who the caller is, for logs and policy: `local`, or the name of a grant. */
  readonly principal: string;
  readonly era: Era;
  readonly protocolVersion: string;
  readonly capabilities: JsonObject;
  readonly clientInfo: Implementation | undefined;
  /** Modern: the level of this request. Legacy: the session's, once set. Undefined: send no log messages. */
  readonly logLevel: string | undefined;
  /** Legacy session id; undefined for modern callers. */
  readonly sessionId: string | undefined;
}
